"""Write an inference network as one ONNX file that brings its own description, and prove it."""

import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from lanet_engines.onnx_model.file import INPUT_NAME, OUTPUT_NAME, read_model_file
from lanet_engines.registry import open_engine
from lanet_engines.spec import METADATA_KEY, ModelSpec
from lanet_trainer.datasets.prepared import open_prepared
from lanet_trainer.errors import ConfigError, TrainerError
from lanet_trainer.evaluation.calibration import F64Array, fit_offsets, fit_temperature
from lanet_trainer.evaluation.predictions import mean_logits
from lanet_trainer.training.loader import EvalLoader
from lanet_trainer.training.run_folder import choose_weights, load_network
from lanet_trainer.training.torch_engine import TorchEngine
from lanet_trainer.training.training_data import vote_shares

# Read by OpenVINO, ONNX Runtime and TensorRT alike.
OPSET = 18
# Largest difference of a logit, relative to the largest logit: float32 sums in another order.
TOLERANCE = 1e-4
_N_PROBES = 5


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What goes into the model's description.

    Attributes:
        weights: "best" or "last"; None takes the best epoch where one was chosen.
        name: Shown to the user; None: method, backbone and size.
        ensemble: Views averaged for every estimate, as in `ModelSpec`.
        calibration_data: Prepared data set whose validation split the temperature is fitted on.
        calibration_measure: "js" or "nll" against the votes, "label" for the cross-entropy against
            the label, "label+offsets" for that with an offset a class, which the file's network
            then adds to its logits. None takes "js", or "label" where there are no votes.
        max_uncertainty: Default threshold; None: that of `ModelSpec`.
        min_quality: Likewise.
    """

    weights: str | None = None
    name: str | None = None
    ensemble: str = "none"
    calibration_data: str | None = None
    calibration_measure: str | None = None
    max_uncertainty: float | None = None
    min_quality: float | None = None


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written.

    Attributes:
        spec: In the file.
        size_bytes: Of the file.
        difference: Largest difference of a logit, relative to the largest logit.
        tolerance: What was allowed.
    """

    spec: ModelSpec
    size_bytes: int
    difference: float
    tolerance: float


def export_run(folder: Path, path: Path, options: ExportOptions) -> ExportSummary:
    """Export the inference network of a run.

    Raises:
        ConfigError: There is no such run or file, no such weights, or a prediction depends on
            the batch.
        CheckpointError: The run's files are damaged.
        TrainerError: The file does not compute what the network computes.
    """
    if path.suffix != ".onnx":
        raise ConfigError(f"The model's file must end in .onnx, got '{path}'.")
    weights = options.weights or choose_weights(folder)
    network, spec = load_network(folder, weights=weights)
    if getattr(network, "depends_on_batch", False):
        raise ConfigError(
            f"The network of '{folder}' predicts with the mean of the batch it sees (eval_mean = "
            "batch), so that faces would change each other's result; train it with running or none."
        )
    changes: dict[str, Any] = {"ensemble": options.ensemble}
    for field in ("name", "max_uncertainty", "min_quality"):
        if getattr(options, field) is not None:
            changes[field] = getattr(options, field)
    spec = replace(spec, **changes)
    if options.calibration_data is not None:
        network, spec = calibrate(
            network, spec, options.calibration_data, options.calibration_measure
        )
    difference = export_onnx(network, spec, path)
    return ExportSummary(spec, path.stat().st_size, difference, TOLERANCE)


class OffsetLogits(nn.Module):
    """A network whose logits are moved by a constant of each class."""

    offsets: Tensor

    def __init__(self, network: nn.Module, offsets: F64Array) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("offsets", torch.as_tensor(offsets, dtype=torch.float32))

    def forward(self, image: Tensor) -> Tensor:
        """Crops (N, 3, S, S) -> logits (N, C)."""
        logits: Tensor = self.network(image) + self.offsets
        return logits


def calibrate(
    network: nn.Module, spec: ModelSpec, data: str, measure: str | None = None
) -> tuple[nn.Module, ModelSpec]:
    """Fit temperature, and offsets if asked for, on the validation split.

    Args:
        network: Of the run.
        spec: Its description so far.
        data: Prepared data set.
        measure: As in `ExportOptions`.

    Returns:
        The network, with its offsets if there are any, and the description with the temperature.
    """
    dataset = open_prepared(data)
    if dataset.labels != spec.labels:
        raise ConfigError(f"The data set {dataset.name} has other classes than the model.")
    split = dataset.split("valid")
    split = split.select(np.flatnonzero(split.label >= 0))
    batches = EvalLoader(split, size_px=spec.input_size_px)
    logits = mean_logits(TorchEngine(network, spec), batches)
    measure = measure or ("label" if split.votes is None else "js")
    is_by_label = split.votes is None or measure.startswith("label")
    fitted_on: dict[str, Any] = {"data": f"{dataset.name} valid", "n_images": len(split)}
    fitted_on |= {"targets": "labels" if is_by_label else "votes"}
    fitted_on |= {"measure": "js" if measure == "js" else "nll"}
    if measure == "label+offsets":
        offsets, temperature = fit_offsets(logits, split.label)
        network = OffsetLogits(network, offsets).eval()
        fitted_on["offsets"] = [round(float(value), 4) for value in offsets]
    else:
        targets = np.eye(len(spec.labels))[split.label] if is_by_label else vote_shares(split)
        temperature = fit_temperature(logits, targets, measure=fitted_on["measure"])
    provenance = {**spec.provenance, "temperature_fitted_on": fitted_on}
    return network, replace(spec, temperature=temperature, provenance=provenance)


def export_onnx(network: nn.Module, spec: ModelSpec, path: Path) -> float:
    """Write the network and its description; check the file against the network.

    Args:
        network: In evaluation mode, on the CPU.
        spec: Goes into the file.
        path: The `.onnx` file; it appears only when everything was right.

    Returns:
        The largest difference of a logit between file and network, relative to the largest logit.

    Raises:
        ConfigError: The file cannot be written.
        TrainerError: The file does not compute what the network computes.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            draft = Path(folder) / path.name
            _write(network, spec, draft)
            difference = measure_difference(network, spec, draft)
            if difference > TOLERANCE:
                raise TrainerError(
                    f"The exported model differs from the network by {difference:.1e} of its "
                    f"largest logit ({TOLERANCE:.0e} is allowed); '{path}' was not written."
                )
            draft.replace(path)
    except OSError as error:
        raise ConfigError(f"The model cannot be written to '{path}': {error}") from error
    return difference


def _write(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    side = spec.input_size_px
    example = torch.zeros(2, 3, side, side)
    with warnings.catch_warnings():
        # The exporter warns of its own internals; what it wrote is checked below.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            path,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    del model.metadata_props[:]
    for node in model.graph.node:
        # The exporter notes down where each operator came from, with paths of this machine.
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del value.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, spec.to_json()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def measure_difference(network: nn.Module, spec: ModelSpec, path: Path) -> float:
    """Run random crops through network and file; return the largest relative difference."""
    side = spec.input_size_px
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 256, (_N_PROBES, side, side, 3), dtype=np.uint8)
    wanted = TorchEngine(network, spec).infer(crops)
    # Compared as text: a file knows no tuples.
    if read_model_file(path).spec.to_json() != spec.to_json():
        raise TrainerError("The exported model does not carry the description it was given.")
    engine = open_engine(path, backend="onnxruntime")
    try:
        found = np.concatenate([engine.infer(crops[:1]), engine.infer(crops[1:])])
    finally:
        engine.close()
    return float(np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max()))
