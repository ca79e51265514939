"""The options of the command line. Imports nothing heavy, so that `--help` answers at once."""

import argparse
import difflib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from lanet_live import __version__
from lanet_live.config import (
    BALANCED,
    COLUMN_SETS,
    DEFAULT_MAX_FACES,
    DEFAULT_TRACKER,
    EXPORT_FORMATS,
    FITTED,
    TRACKERS,
    EngineConfig,
    EstimatorConfig,
    ExportConfig,
    LiveConfig,
    PipelineConfig,
    PriorConfig,
    SourceConfig,
    TrackerConfig,
)
from lanet_live.errors import ConfigError

PRECISIONS = ("fp32", "fp16", "bf16", "int8")
LOG_LEVELS = ("debug", "info", "warning", "error")
# The time constant of `--smooth` without a number.
DEFAULT_SMOOTHING_S = 0.25

_EXAMPLES = """\
examples:
  lanet-live                                       window on the webcam
  lanet-live --video clip.mp4                      window on a file
  lanet-live --video a.mp4 b.mov --export csv --out results/
                                                   tables of two files, no display needed
  lanet-live --video a.mp4 --export csv video plot --columns full
  lanet-live --video *.mp4 --export csv --out results/ --jobs 4 --resume
                                                   four files at a time; begun again, it goes on
  lanet-live --images folder/ --export csv
  lanet-live --camera 0 --export csv --duration 10
  lanet-live --list-cameras
  lanet-live --doctor

What the columns mean: docs/data-dictionary.md. Everything stays on this machine, unless you
switch on --lsl.
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith("?") else "."
        raise ConfigError(f"{message[:1].upper()}{message[1:]}{end} See lanet-live --help.")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `lanet-live`."""
    parser = _Parser(
        prog="lanet-live",
        description="Facial expressions per frame and face, with how sure they are: in a window, "
        "or as tables, video and picture.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_sources(parser.add_argument_group("what to analyse"))
    _add_outputs(parser.add_argument_group("what to write (without --export the window opens)"))
    _add_analysis(parser.add_argument_group("how to analyse"))
    _add_information(parser.add_argument_group("information"))
    return parser


def parse_config(namespace: argparse.Namespace, *, command: str) -> LiveConfig:
    """Turn parsed options into a configuration.

    Args:
        namespace: From `build_parser`.
        command: The command line as typed.

    Raises:
        ConfigError: The options do not fit together.
    """
    sources = _sources(namespace)
    export = _export(namespace)
    prior = _prior(namespace.prior)
    if export is not None and not sources:
        raise ConfigError("Name what to analyse with --video, --images or --camera.")
    if export is not None and "plot" in export.formats and namespace.images:
        raise ConfigError("A timeline needs time, and pictures have none; leave out plot.")
    if export is None and len(sources) > 1:
        raise ConfigError("The window shows one source at a time; add --export to analyse several.")
    if export is not None and namespace.lsl and {source.kind for source in sources} != {"camera"}:
        raise ConfigError(
            "--lsl sends what happens now; together with --export it works for a camera only."
        )
    if export is not None and any(source.kind == "camera" for source in sources):
        for name, is_given in (("jobs", export.n_jobs > 1), ("resume", export.resume)):
            if is_given:
                raise ConfigError(f"--{name} is for files; a camera cannot be read again.")
    return LiveConfig(
        sources=sources or (SourceConfig("camera", camera=0),),
        engine=EngineConfig(
            model_path=namespace.model,
            backend=namespace.engine,
            precision=namespace.precision,
            device=namespace.device,
            threads=namespace.threads,
        ),
        pipeline=PipelineConfig(
            estimator=EstimatorConfig(
                min_quality=namespace.min_quality,
                max_uncertainty=namespace.max_uncertainty,
                with_disagreement=namespace.disagreement,
            ),
            smoothing_s=namespace.smooth,
            prior=prior,
        ),
        tracker=TrackerConfig(name=namespace.tracker, device=namespace.tracker_device),
        max_faces=namespace.max_faces,
        export=export,
        with_lsl=namespace.lsl,
        command=command,
    )


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line.

    Raises:
        ConfigError: An option is unknown or has no usable value.
        SystemExit: After `--help` or `--version`.
    """
    parser = build_parser()
    namespace, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(_explain_unknown(parser, unknown[0]))
    return namespace


def _add_sources(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--video", nargs="+", type=Path, metavar="FILE", default=[])
    group.add_argument("--images", nargs="+", type=Path, metavar="FOLDER", default=[])
    group.add_argument(
        "--camera",
        type=_camera,
        metavar="N|NAME",
        help="index or part of the name, see --list-cameras (the window's default: 0)",
    )
    group.add_argument(
        "--camera-size", type=_size, metavar="WxH", help="picture size asked of the camera"
    )
    group.add_argument(
        "--synthetic", action="store_true", help="a moving test picture without a face"
    )
    group.add_argument(
        "--start", type=_time, metavar="SECONDS", help="from this time of the source on"
    )
    group.add_argument(
        "--duration", type=_positive, metavar="SECONDS", help="only this much of the source's time"
    )
    group.add_argument(
        "--every", type=_count, metavar="N", help="only every N-th frame (default: 1, all)"
    )


def _add_outputs(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--export",
        nargs="+",
        choices=EXPORT_FORMATS,
        metavar="FORMAT",
        help="one or more of: csv, jsonl, parquet, video (annotated MP4), plot (PNG timeline)",
    )
    group.add_argument("--out", type=Path, metavar="FOLDER", help="default: the current folder")
    group.add_argument("--overwrite", action="store_true", help="replace files that are there")
    group.add_argument(
        "--jobs",
        type=_count,
        metavar="N",
        help="analyse N files at the same time, each in a process of its own (default: 1)",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="leave out files that were analysed to their end with these same options, and "
        "analyse those again whose run was broken off",
    )
    group.add_argument(
        "--columns",
        choices=COLUMN_SETS,
        help="full adds 52 blendshapes and 478 landmarks (default: basic)",
    )
    group.add_argument(
        "--lsl",
        action="store_true",
        help="offer the estimates to LSL receivers on the local network (needs the extra [lsl])",
    )


def _add_analysis(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="ONNX from lanet-train (default: the shipped one)",
    )
    group.add_argument(
        "--engine",
        "--backend",
        default="auto",
        metavar="NAME",
        help="runtime, see --doctor (default: auto)",
    )
    group.add_argument("--precision", choices=PRECISIONS, help="default: the runtime's own choice")
    group.add_argument("--device", metavar="NAME", help="as the runtime names it, e.g. CPU, GPU")
    group.add_argument(
        "--threads",
        type=_count,
        metavar="N",
        help="CPU threads of the runtime",
    )
    group.add_argument(
        "--tracker",
        choices=TRACKERS,
        default=DEFAULT_TRACKER,
        help="what finds and measures the faces (default: %(default)s)",
    )
    group.add_argument(
        "--tracker-device",
        metavar="NAME",
        help="of the tracker openvino, e.g. CPU, GPU, NPU (default: CPU)",
    )
    group.add_argument(
        "--max-faces",
        type=_count,
        default=DEFAULT_MAX_FACES,
        metavar="N",
        help="faces looked for in a frame (default: %(default)s)",
    )
    group.add_argument(
        "--min-quality",
        type=_share,
        metavar="0..1",
        help="below it an estimate is not reliable (default: the model's)",
    )
    group.add_argument(
        "--max-uncertainty",
        type=_share,
        metavar="0..1",
        help="above it an estimate is not reliable (default: the model's)",
    )
    group.add_argument(
        "--disagreement",
        action="store_true",
        help="fill the column of that name from a small test-time ensemble; slower",
    )
    group.add_argument(
        "--smooth",
        nargs="?",
        const=DEFAULT_SMOOTHING_S,
        type=_positive,
        metavar="SECONDS",
        help="add columns with smoothed probabilities; the raw ones stay "
        f"(time constant {DEFAULT_SMOOTHING_S:g} s unless given)",
    )
    group.add_argument(
        "--prior",
        default=FITTED,
        metavar="fitted|balanced|FILE",
        help="how frequent the classes are taken to be: as the model was fitted (default), all "
        "alike, or as a CSV (class,share) or JSON says; adds columns, the raw ones stay",
    )


def _add_information(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--list-cameras", action="store_true", help="name the cameras and exit")
    group.add_argument("--doctor", action="store_true", help="check this installation and exit")
    group.add_argument("--json", action="store_true", help="--doctor as JSON")
    group.add_argument(
        "--clear-cache", action="store_true", help="remove the compiled engines and exit"
    )
    group.add_argument("--quiet", action="store_true", help="no progress, no summary")
    group.add_argument(
        "--log-level",
        choices=LOG_LEVELS,
        default="error",
        help="info shows which engine runs and why (default: %(default)s)",
    )
    group.add_argument("--version", action="version", version=f"lanet-live {__version__}")


def _sources(namespace: argparse.Namespace) -> tuple[SourceConfig, ...]:
    sources = [SourceConfig("video", path=path) for path in namespace.video]
    sources += [SourceConfig("images", path=path) for path in namespace.images]
    if namespace.camera is not None:
        sources.append(
            SourceConfig("camera", camera=namespace.camera, size_wh=namespace.camera_size)
        )
    if namespace.synthetic:
        sources.append(SourceConfig("synthetic"))
    return tuple(sources)


def _prior(text: str) -> PriorConfig:
    if text in (FITTED, BALANCED):
        return PriorConfig(text, text)
    path = Path(text)
    if not path.is_file():
        raise ConfigError(f"--prior takes fitted, balanced or a file, and there is no file {path}.")
    # Imported here: it brings numpy, which `--help` must not wait for.
    from lanet_live.expression.prior import read_prior_file

    return read_prior_file(path)


def _export(namespace: argparse.Namespace) -> ExportConfig | None:
    if namespace.export is None:
        for name in ("out", "columns", "start", "duration", "every", "overwrite", "jobs", "resume"):
            value = getattr(namespace, name)
            if value is not None and value is not False:
                raise ConfigError(f"--{name} works together with --export only.")
        return None
    return ExportConfig(
        formats=tuple(dict.fromkeys(namespace.export)),
        out_dir=namespace.out or Path(),
        overwrite=namespace.overwrite,
        columns=namespace.columns or "basic",
        start_s=namespace.start,
        end_s=None if namespace.duration is None else (namespace.start or 0) + namespace.duration,
        every_n=namespace.every or 1,
        n_jobs=namespace.jobs or 1,
        resume=namespace.resume,
    )


def _explain_unknown(parser: argparse.ArgumentParser, argument: str) -> str:
    if not argument.startswith("-"):
        return f"it is not clear what {argument} is; name a file with --video {argument}"
    known = list(parser._option_string_actions)
    close = difflib.get_close_matches(argument.split("=")[0], known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"there is no option {argument}{hint}"


def _number(check: Callable[[float], bool], meaning: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and check(value)):
            raise argparse.ArgumentTypeError(f"{text!r} is not {meaning}")
        return value

    return parse


_time = _number(lambda value: True, "a time in seconds")
_positive = _number(lambda value: value > 0, "a number above 0")
_share = _number(lambda value: 0 <= value <= 1, "a number from 0 to 1")


def _count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000")
    return int(text)


def _camera(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size like 1280x720")
    return int(width), int(height)
