"""Every engine and precision against ONNX Runtime in fp32, on real crops, with its accuracy.

    python benchmarks/engine_parity.py MODEL.onnx --data PREPARED [--split valid] [--json out.json]
    python benchmarks/engine_parity.py MODEL.onnx --crops crops.npy [--labels labels.npy]

With --data (a folder made by lanet-train prepare) the crops are those of the split, cut as the app
cuts them, and int8 is calibrated on 500 crops of the train split. With --crops they come from a
.npy file; int8 then needs --calibration. Accuracy is over the samples that have a label.

The rows marked "graph" are what TensorRT is given, computed by ONNX Runtime on the CPU: they show
what the precision costs, not what a GPU does. Ends with 1 if a promise of docs/engines.md breaks.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lanet_engines.base import Engine, U8Array
from lanet_engines.build_request import BuildRequest
from lanet_engines.building.build import build_engine
from lanet_engines.errors import BackendUnavailable, EngineError
from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_engines.onnxruntime.engine import open_graph, open_reference
from lanet_engines.openvino.calibration import read_crops
from lanet_engines.parity import answer, compare
from lanet_engines.registry import open_engine
from lanet_engines.spec import ModelSpec
from lanet_engines.storage.cache import EngineCache
from lanet_engines.tensorrt.build import prepare_onnx

N_CALIBRATION = 500
# Promised in docs/engines.md: name -> (max |dp|, top-1 agreement).
PROMISES = {
    "openvino fp32": (1e-4, 1.0),
    "onnxruntime fp32": (1e-4, 1.0),
    "openvino bf16": (1.0, 0.995),
    "openvino int8": (1.0, 0.985),
}


@dataclass(frozen=True, slots=True)
class Material:
    """Crops to compare on, their labels (-1: none) and crops to calibrate int8 with."""

    crops: U8Array
    labels: NDArray[np.int64] | None
    calibration: Path | None
    source: str


@dataclass(frozen=True, slots=True)
class Row:
    """One engine in one precision."""

    name: str
    n: int
    max_abs_dp: float
    top1_agreement: float
    accuracy: float | None
    keeps_promise: bool


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, help="folder made by lanet-train prepare")
    parser.add_argument("--split", default="valid")
    parser.add_argument(
        "--count", type=int, help="only so many samples of the split, evenly spaced"
    )
    parser.add_argument("--crops", type=Path, help=".npy of uint8 crops (N, S, S, 3)")
    parser.add_argument("--labels", type=Path, help=".npy of class numbers (N,), -1 for none")
    parser.add_argument("--calibration", type=Path, help=".npy of crops for int8")
    parser.add_argument("--json", type=Path, help="write the table here too")
    args = parser.parse_args()
    if (args.data is None) == (args.crops is None):
        parser.error("give --data or --crops")
    try:
        with tempfile.TemporaryDirectory() as folder:
            # A copy: the file may be replaced while this runs.
            copied = shutil.copy(read_model_file(args.model).path, folder)
            model = read_model_file(Path(copied))
            rows = measure(model, load_material(args, model.spec, Path(folder)), Path(folder))
    except EngineError as error:
        print(f"engine_parity: {error}", file=sys.stderr)
        return 2
    if args.json:
        values = {"model_sha256": model.sha256, "rows": [asdict(row) for row in rows]}
        args.json.write_text(json.dumps(values, indent=2) + "\n")
    return 0 if all(row.keeps_promise for row in rows) else 1


def load_material(args: argparse.Namespace, spec: ModelSpec, folder: Path) -> Material:
    """Cut the crops of a prepared split, or read them from files."""
    if args.data is None:
        labels = np.load(args.labels, allow_pickle=False) if args.labels else None
        return Material(read_crops(args.crops, spec), labels, args.calibration, args.crops.name)
    from lanet_trainer.datasets.prepared import open_prepared
    from lanet_trainer.training.loader import EvalLoader

    dataset = open_prepared(args.data)
    split = dataset.split(args.split)
    if args.count is not None and args.count < len(split):
        split = split.select(np.linspace(0, len(split) - 1, args.count).astype(int))
    loader = EvalLoader(split, size_px=spec.input_size_px)
    crops = np.concatenate([crops for _, crops in loader])
    to_model = np.array([spec.labels.index(name) for name in split.class_names])
    labels = np.where(split.label >= 0, to_model[split.label], -1)
    train = dataset.split("train")
    chosen = np.random.default_rng(0).choice(len(train), N_CALIBRATION, replace=False)
    loader = EvalLoader(train.select(np.sort(chosen)), size_px=spec.input_size_px)
    calibration = folder / "calibration.npy"
    np.save(calibration, np.concatenate([crops for _, crops in loader]))
    return Material(crops, labels, args.calibration or calibration, f"{dataset.name} {split.name}")


def measure(model: ModelFile, material: Material, folder: Path) -> list[Row]:
    """Compare every engine that opens here; print a line for each."""
    print(f"{model.spec.name}, {len(material.crops)} crops of {material.source}")
    print(f"{'engine':<24} {'max |dp|':>9} {'top-1':>9} {'accuracy':>9}")
    reference = open_reference(model)
    rows = []
    for name, engine in open_engines(model, material, folder):
        report = compare(engine, reference, material.crops)
        accuracy = measure_accuracy(engine, material)
        engine.close()
        max_abs_dp, agreement = PROMISES.get(name, (np.inf, 0.0))
        keeps = report.max_abs_dp <= max_abs_dp and report.top1_agreement >= agreement
        rows.append(Row(name, report.n, report.max_abs_dp, report.top1_agreement, accuracy, keeps))
        shown = "" if accuracy is None else f"{accuracy:.2%}"
        print(
            f"{name:<24} {report.max_abs_dp:>9.1e} {report.top1_agreement:>9.2%} {shown:>9}"
            f"{'' if keeps else '  BREAKS ITS PROMISE'}"
        )
    reference.close()
    return rows


def measure_accuracy(engine: Engine, material: Material) -> float | None:
    """Share of labelled crops whose most probable class is the label."""
    if material.labels is None:
        return None
    is_judged = material.labels >= 0
    answers = answer(engine, material.crops[is_judged]).argmax(axis=1)
    return float((answers == material.labels[is_judged]).mean())


def open_engines(
    model: ModelFile, material: Material, folder: Path
) -> Iterator[tuple[str, Engine]]:
    """Open one engine after another; say why one is left out."""
    yield "reference", open_reference(model)
    for backend in ("onnxruntime", "openvino", "tensorrt"):
        for precision in ("fp32",) if backend == "onnxruntime" else ("fp32", "bf16", "fp16"):
            try:
                yield (
                    f"{backend} {precision}",
                    open_engine(model.path, backend=backend, precision=precision),
                )
            except BackendUnavailable as error:
                print(f"{backend + ' ' + precision:<24} left out: {error}")
    if material.calibration is not None:
        request = BuildRequest("openvino", "int8", calibration=material.calibration)
        entry = build_engine(model, request, cache=EngineCache(folder / "cache"))
        yield "openvino int8", open_engine(entry.folder)
    for precision in ("fp32", "fp16"):
        yield (
            f"tensorrt {precision} graph",
            open_graph(model, prepare_onnx(model, precision), precision),
        )


if __name__ == "__main__":
    sys.exit(main())
