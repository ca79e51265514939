"""`lanet-train build`: compile an ONNX model for the runtimes."""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lanet_engines.base import U8Array
from lanet_engines.build_request import TARGETS, BuildRequest
from lanet_engines.building.build import build_engine, publish
from lanet_engines.building.parity import BuildParity, make_probe_crops, measure_parity
from lanet_engines.errors import EngineBuildError, EngineError
from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_engines.openvino.calibration import read_crops
from lanet_engines.options import MAX_BATCH, PRECISIONS
from lanet_engines.storage.artefact import Artefact, read_artefact
from lanet_engines.storage.cache import EngineCache

_EXIT_OK = 0
_GPU_FAMILIES: Final = {
    "turing": ("sm75",),
    "ampere": ("sm80", "sm86"),
    "ada": ("sm89",),
    "blackwell": ("sm120", "sm121"),
}


@dataclass(frozen=True, slots=True)
class _Built:
    folder: Path
    artefact: Artefact
    was_built: bool
    elapsed_s: float
    parity: BuildParity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", nargs="?", type=Path, metavar="MODEL.onnx")
    parser.add_argument("--target", choices=(*TARGETS, "all"), default="all", help="runtime")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    parser.add_argument(
        "--gpu",
        metavar="LIST",
        help=f"TensorRT: {','.join(_GPU_FAMILIES)} or smXX; default: all that it knows",
    )
    parser.add_argument(
        "--max-batch", type=int, default=MAX_BATCH, metavar="N", help="faces at once; default 16"
    )
    parser.add_argument(
        "--calibration", type=Path, metavar="CROPS.npy", help="uint8 (N, S, S, 3), for int8"
    )
    parser.add_argument(
        "--crops", type=Path, metavar="CROPS.npy", help="real crops for the parity report"
    )
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("engines-out"), metavar="DIR", help="where to"
    )
    parser.add_argument("--clear-cache", action="store_true", help="remove what was built before")


def run(args: argparse.Namespace) -> int:
    """Build, compare with the reference, and copy out what was asked for."""
    cache = EngineCache()
    if args.clear_cache:
        sys.stdout.write(f"{cache.clear_and_tell()}\n")
        if args.model is None:
            return _EXIT_OK
    if args.model is None:
        raise EngineBuildError("Name the model to build: lanet-train build MODEL.onnx.")
    if not 1 <= args.max_batch <= 1024:
        raise EngineBuildError(f"--max-batch must lie in 1..1024, not {args.max_batch}.")
    capabilities = parse_gpus(args.gpu)
    model = read_model_file(args.model)
    crops, crops_source = _choose_crops(args, model)
    requests = [
        BuildRequest(target, args.precision, capabilities, args.max_batch, args.calibration)
        for target in (TARGETS if args.target == "all" else (args.target,))
    ]
    failures = []
    for request in requests:
        try:
            built = _build(model, request, cache, args.out, crops, crops_source)
        except EngineError as error:
            if args.target != "all":
                raise
            failures.append(f"{request.target}: {error}")
            sys.stdout.write(f"{request.target:<12} not built: {error}\n")
        else:
            sys.stdout.write(describe(built) + "\n")
    if len(failures) == len(requests):
        raise EngineBuildError("Nothing could be built.")
    return _EXIT_OK


def parse_gpus(text: str | None) -> tuple[str, ...]:
    """Turn "ampere,ada,sm120" into compute capabilities; empty for all.

    Raises:
        EngineBuildError: A name is unknown.
    """
    capabilities: list[str] = []
    for name in (part.strip().lower() for part in (text or "").split(",") if part.strip()):
        if name in _GPU_FAMILIES:
            capabilities += _GPU_FAMILIES[name]
        elif name.startswith("sm") and name[2:].isdecimal():
            capabilities.append(name)
        else:
            raise EngineBuildError(
                f"There is no GPU family {name!r}; name {', '.join(_GPU_FAMILIES)} or smXX."
            )
    return tuple(dict.fromkeys(capabilities))


def describe(built: _Built) -> str:
    """Say in a few lines what was built and how near it is to the reference."""
    artefact = built.artefact
    n_bytes = sum(stored.size_bytes for stored in artefact.files)
    how = f"built in {built.elapsed_s:.1f} s" if built.was_built else "found in the cache"
    lines = [
        f"{artefact.backend:<12} {artefact.precision}, {artefact.runtime} "
        f"{artefact.runtime_version}, batch 1..{artefact.max_batch}: {how}, "
        f"{n_bytes / 1e6:.1f} MB -> {built.folder}"
    ]
    if artefact.capabilities:
        lines.append(f"for {', '.join(artefact.capabilities)}")
    parity = built.parity
    if parity.report is not None:
        lines.append(f"against {parity.report.sentence} ({parity.crops})")
    else:
        lines.append(f"not run here: {parity.reason}")
    if parity.graph_report is not None:
        lines.append(f"its graph on ONNX Runtime against {parity.graph_report.sentence}")
    return f"\n{'':<13}".join(lines)


def _choose_crops(args: argparse.Namespace, model: ModelFile) -> tuple[U8Array, str]:
    path = args.crops or args.calibration
    if path is not None:
        return read_crops(path, model.spec), path.name
    return make_probe_crops(model.spec), "smooth random pictures; give --crops for real ones"


def _build(
    model: ModelFile,
    request: BuildRequest,
    cache: EngineCache,
    out: Path,
    crops: U8Array,
    crops_source: str,
) -> _Built:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    started_s = time.perf_counter()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(f"Building for {request.target}", total=1.0)

        def show(what: str, share: float) -> bool:
            progress.update(task, description=what, completed=share)
            return True

        entry = build_engine(model, request, cache=cache, on_progress=show)
    elapsed_s = time.perf_counter() - started_s
    name = f"{model.path.stem}-{request.target}-{request.precision}"
    folder = publish(entry, out / name)
    parity = measure_parity(folder, model, crops, crops_source=crops_source)
    return _Built(folder, read_artefact(folder), entry.was_built, elapsed_s, parity)
