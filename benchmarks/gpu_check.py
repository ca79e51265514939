"""Build, run, compare and time the TensorRT engine on this machine's NVIDIA GPU, in one command.

    python benchmarks/gpu_check.py [MODEL.onnx] [--crops CROPS.npy] [--json report.json]

Needs pip install 'lanet-live[tensorrt,onnxruntime]' and a driver. For fp32 and fp16 it compiles the
model anew, opens it twice (with and without kept kernels), compares its answers with ONNX Runtime
in fp32 on the CPU, checks that calls take no GPU memory, and times batches of 1, 2, 8 and 16.
Ends with 0 when everything holds, 1 when something does not, 2 when there is no GPU to check.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lanet_engines.base import Engine, U8Array
from lanet_engines.building.parity import make_probe_crops
from lanet_engines.errors import EngineError
from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_engines.onnxruntime.engine import open_reference
from lanet_engines.openvino.calibration import read_crops
from lanet_engines.options import OpenOptions
from lanet_engines.parity import ParityReport, compare
from lanet_engines.tensorrt.engine import Machine, find_machine, open_model

TOLERANCES = {"fp32": (1e-4, 1.0), "fp16": (2e-2, 0.995)}  # max |dp|, top-1 agreement
BATCHES = (1, 2, 8, 16)
N_CALLS = 200
MAX_LEAK_BYTES = 8 * 1024**2
DEFAULT_MODEL = Path(__file__).resolve().parents[1] / "assets" / "models" / "lanet-live.onnx"


@dataclass(frozen=True, slots=True)
class Check:
    """What was found for one precision; times in seconds and milliseconds."""

    precision: str
    first_open_s: float
    second_open_s: float
    parity: ParityReport
    median_ms: dict[int, float]
    p95_ms: dict[int, float]
    leak_bytes: int
    failures: tuple[str, ...]


def main() -> int:
    """Check everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--crops", type=Path, help=".npy of uint8 crops (N, S, S, 3)")
    parser.add_argument("--device", help="e.g. cuda:1")
    parser.add_argument("--json", type=Path, help="write the findings here too")
    args = parser.parse_args()
    try:
        machine = find_machine(args.device)
        model = read_model_file(args.model)
        crops = read_crops(args.crops, model.spec) if args.crops else make_probe_crops(model.spec)
    except EngineError as error:
        print(f"gpu_check: {error}", file=sys.stderr)
        return 2
    tensorrt = machine.tensorrt
    print(
        f"{machine.gpu.name} ({machine.gpu.capability}), {tensorrt.package} {tensorrt.version}, "
        f"{model.spec.name}, {len(crops)} crops from {args.crops or 'smooth random pictures'}"
    )
    checks = []
    for precision in TOLERANCES:
        with tempfile.TemporaryDirectory() as folder:
            checks.append(check_precision(machine, model, crops, precision, Path(folder)))
        print(describe(checks[-1]))
    if args.json:
        args.json.write_text(json.dumps([asdict(check) for check in checks], indent=2) + "\n")
    return 1 if any(check.failures for check in checks) else 0


def check_precision(
    machine: Machine, model: ModelFile, crops: U8Array, precision: str, folder: Path
) -> Check:
    """Build, run, compare and time in one precision."""
    options = OpenOptions(
        precision=precision, device=f"cuda:{machine.gpu.index}", cache_folder=folder / "cache"
    )
    started_s = time.perf_counter()
    open_model(model, options).close()
    first_open_s = time.perf_counter() - started_s
    started_s = time.perf_counter()
    engine = open_model(model, options)
    second_open_s = time.perf_counter() - started_s
    reference = open_reference(model)
    parity = compare(engine, reference, crops)
    reference.close()
    times_ms = {n: time_calls(engine, crops, n) for n in BATCHES}
    leak_bytes = measure_leak(machine, engine, crops)
    engine.close()
    max_abs_dp, top1_agreement = TOLERANCES[precision]
    problems = (
        (parity.max_abs_dp > max_abs_dp, f"max |dp| above {max_abs_dp}"),
        (parity.top1_agreement < top1_agreement, f"top-1 agreement below {top1_agreement:.1%}"),
        (leak_bytes > MAX_LEAK_BYTES, f"{N_CALLS} calls took {leak_bytes} bytes of GPU memory"),
    )
    return Check(
        precision=precision,
        first_open_s=first_open_s,
        second_open_s=second_open_s,
        parity=parity,
        median_ms={n: float(np.median(ms)) for n, ms in times_ms.items()},
        p95_ms={n: float(np.percentile(ms, 95)) for n, ms in times_ms.items()},
        leak_bytes=leak_bytes,
        failures=tuple(text for is_wrong, text in problems if is_wrong),
    )


def time_calls(engine: Engine, crops: U8Array, n: int) -> list[float]:
    """Milliseconds of each call with a batch of n, after a warm-up."""
    batch = np.resize(crops, (n, *crops.shape[1:]))
    for _ in range(20):
        engine.infer(batch)
    times_ms = []
    for _ in range(N_CALLS):
        started_s = time.perf_counter()
        engine.infer(batch)
        times_ms.append((time.perf_counter() - started_s) * 1000)
    return times_ms


def measure_leak(machine: Machine, engine: Engine, crops: U8Array) -> int:
    """Bytes of GPU memory that further calls of one batch size take; a new size may take some."""
    batch = np.resize(crops, (BATCHES[-1], *crops.shape[1:]))
    _, free_before, _ = machine.cuda.cudaMemGetInfo()
    for _ in range(N_CALLS):
        engine.infer(batch)
    _, free_after, _ = machine.cuda.cudaMemGetInfo()
    return int(free_before - free_after)


def describe(check: Check) -> str:
    """One precision in a few lines."""
    times = ", ".join(
        f"batch {n}: {check.median_ms[n]:.2f} ({check.p95_ms[n]:.2f})" for n in check.median_ms
    )
    state = "; ".join(check.failures) or "all checks hold"
    return (
        f"{check.precision}: first start {check.first_open_s:.1f} s, "
        f"second {check.second_open_s:.1f} s\n"
        f"  against {check.parity.sentence}\n"
        f"  ms a call, median (95 %): {times}\n"
        f"  {state}"
    )


if __name__ == "__main__":
    sys.exit(main())
