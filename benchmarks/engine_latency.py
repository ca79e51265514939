"""What the engines cost beyond their runtimes, and what taking uint8 crops saves.

    python benchmarks/engine_latency.py [MODEL.onnx] [--precision fp32] [--calls 300] [--threads 2]

For each CPU runtime and batches of 1 and 8, on the same crops in the same run:

  raw      the runtime alone on the engine's own compiled model, memory bound beforehand, one
           synchronous inference after another, as the runtimes' benchmark tools do it
  engine   `Engine.infer`
  numpy    the model as exported behind `lanet_engines.preprocessing`: what folding replaces

Two at a time take turns, in random order, so that a busy machine disturbs both alike: "overhead" is
engine / raw - 1 of one such run, "uint8 gain" is numpy / engine of another. The times are medians;
the ratios are of the fastest tenth of the calls, which other work on the machine disturbs least.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lanet_engines.base import U8Array
from lanet_engines.building.parity import make_probe_crops
from lanet_engines.errors import EngineError
from lanet_engines.onnx_model.file import INPUT_NAME, OUTPUT_NAME, ModelFile, read_model_file
from lanet_engines.onnx_model.folding import FOLDED_INPUT_NAME
from lanet_engines.onnxruntime import engine as onnxruntime_engine
from lanet_engines.openvino import engine as openvino_engine
from lanet_engines.options import PRECISIONS, OpenOptions
from lanet_engines.preprocessing import preprocess

BATCHES = (1, 8)
DEFAULT_MODEL = Path(__file__).resolve().parents[1] / "assets" / "models" / "lanet-live.onnx"
Call = Callable[[], object]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    options = OpenOptions(precision=args.precision, threads=args.threads)
    print(f"{'runtime':<12} {'batch':>5} {'raw ms':>8} {'engine ms':>10} {'numpy ms':>9} "
          f"{'overhead':>9} {'uint8 gain':>11} {'ms a face':>10}")  # fmt: skip
    try:
        model = read_model_file(args.model)
        for name, prepare in (("openvino", prepare_openvino), ("onnxruntime", prepare_onnxruntime)):
            for n in BATCHES:
                print_row(
                    name, n, prepare(model, make_probe_crops(model.spec, n=n), options), args.calls
                )
    except EngineError as error:
        print(f"engine_latency: {error}", file=sys.stderr)
        return 2
    return 0


def print_row(name: str, n: int, calls: dict[str, Call], n_calls: int) -> None:
    """Time the calls in turn and print one line."""
    against_raw = time_in_turn(calls, ("engine", "raw"), n_calls)
    against_numpy = time_in_turn(calls, ("engine", "numpy"), n_calls)
    engine_ms, raw_ms = (statistics.median(against_raw[key]) for key in ("engine", "raw"))
    print(
        f"{name:<12} {n:>5} {raw_ms:>8.3f} {engine_ms:>10.3f} "
        f"{statistics.median(against_numpy['numpy']):>9.3f} "
        f"{fastest_ms(against_raw['engine']) / fastest_ms(against_raw['raw']) - 1:>+9.1%} "
        f"{fastest_ms(against_numpy['numpy']) / fastest_ms(against_numpy['engine']):>11.3f} "
        f"{engine_ms / n:>10.3f}"
    )


def fastest_ms(times_ms: list[float]) -> float:
    """The time that a tenth of the calls stay below."""
    return statistics.quantiles(times_ms, n=10)[0]


def time_in_turn(
    calls: dict[str, Call], names: tuple[str, ...], n_calls: int
) -> dict[str, list[float]]:
    """Milliseconds of each call of those named, in random order from round to round."""
    dice = random.Random(0)
    times_ms: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        for _ in range(10):
            calls[name]()
    for _ in range(n_calls):
        for name in dice.sample(names, len(names)):
            started_s = time.perf_counter()
            calls[name]()
            times_ms[name].append((time.perf_counter() - started_s) * 1000)
    return times_ms


def prepare_openvino(model: ModelFile, crops: U8Array, options: OpenOptions) -> dict[str, Call]:
    """OpenVINO's three ways."""
    # Not above: `lanet_engines` must come first and keep OpenVINO's reports back.
    import openvino as ov

    engine = openvino_engine.open_model(model, options)
    raw = engine.compiled.create_infer_request()
    raw.set_input_tensor(ov.Tensor(crops, shared_memory=True))
    core = ov.Core()
    properties = {
        name: engine.compiled.get_property(name)
        for name in ("PERFORMANCE_HINT", "INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS")
    }
    unfolded = core.compile_model(openvino_engine.read_network(core, model), "CPU", properties)
    floats = unfolded.create_infer_request()

    def run_numpy() -> object:
        planes = preprocess(crops, model.spec)
        floats.set_input_tensor(ov.Tensor(planes, shared_memory=True))
        floats.infer()
        return floats.get_output_tensor().data.copy()

    return {"raw": raw.infer, "engine": lambda: engine.infer(crops), "numpy": run_numpy}


def prepare_onnxruntime(model: ModelFile, crops: U8Array, options: OpenOptions) -> dict[str, Call]:
    """ONNX Runtime's three ways; it runs fp32 whatever the precision asked for."""
    engine = onnxruntime_engine.open_model(model, OpenOptions(threads=options.threads))
    binding = engine.session.io_binding()
    binding.bind_cpu_input(FOLDED_INPUT_NAME, crops)
    logits = np.zeros((len(crops), len(model.spec.labels)), dtype=np.float32)
    binding.bind_output(OUTPUT_NAME, "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
    reference = onnxruntime_engine.open_reference(model, threads=options.threads)

    def run_numpy() -> object:
        feed = {INPUT_NAME: preprocess(crops, model.spec)}
        return reference.session.run([OUTPUT_NAME], feed)

    return {
        "raw": lambda: engine.session.run_with_iobinding(binding),
        "engine": lambda: engine.infer(crops),
        "numpy": run_numpy,
    }


if __name__ == "__main__":
    sys.exit(main())
