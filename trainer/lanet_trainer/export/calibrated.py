"""Write a model with another calibration: offsets in its graph, the rest in its description."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from lanet_engines.onnx_model.file import OUTPUT_NAME, ModelFile
from lanet_trainer.evaluation.domain_calibration import Calibration
from lanet_trainer.export.description import write_described

_OFFSETS = "offsets"
_RAW_LOGITS = "logits_before_offsets"


def write_calibrated(
    model: ModelFile,
    calibration: Calibration,
    class_shares: NDArray[np.float64],
    report: Mapping[str, Any],
    path: Path,
) -> None:
    """Write a model with the offsets, temperature and thresholds of a calibration.

    Sets of possible answers were fitted to the probabilities as they were, and are dropped.

    Args:
        model: What was calibrated.
        calibration: Offsets come on top of those the model has.
        class_shares: Of the faces it was fitted on, (C,).
        report: Of `lanet-train calibrate`, for the record.
        path: The `.onnx` file, which may be the model's own.

    Raises:
        ConfigError: The file cannot be written.
        EngineError: The file is not readable again.
    """
    spec, thresholds = model.spec, calibration.thresholds
    data = " + ".join(f"{name} {report['split']}" for name in report["data"])
    n_pictures = sum(counts["clean"] + counts["degraded"] for counts in report["data"].values())
    earlier = spec.provenance.get("temperature_fitted_on", {}).get("offsets", 0.0)
    evidence = {"data": data, "n_pictures": n_pictures, "measured_on_sha256": model.sha256}
    provenance = {
        **spec.provenance,
        "temperature_fitted_on": {
            "data": data,
            "n_images": n_pictures,
            "targets": "labels",
            "measure": "nll",
            "offsets": [round(float(v), 4) for v in calibration.offsets + np.array(earlier)],
        },
    }
    if thresholds is not None:
        provenance["thresholds_chosen_on"] = evidence
    described = replace(
        spec,
        temperature=calibration.temperature,
        min_quality=spec.min_quality if thresholds is None else thresholds.min_quality,
        max_uncertainty=spec.max_uncertainty if thresholds is None else thresholds.max_uncertainty,
        class_shares=tuple(class_shares.tolist()),
        prediction_sets=None,
        provenance=provenance,
    )
    content = onnx.load_from_string(model.content)
    add_offsets(content.graph, calibration.offsets)
    write_described(replace(model, content=content.SerializeToString()), described, path)


def add_offsets(graph: onnx.GraphProto, offsets: NDArray[np.float64]) -> None:
    """Add a constant of each class to the logits: to the constant there is, or as a last step."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    last = next(node for node in graph.node if OUTPUT_NAME in node.output)
    constant = next((name for name in last.input if name in tensors), None)
    if last.op_type == "Add" and constant is not None:
        known = numpy_helper.to_array(tensors[constant])
        if known.shape == offsets.shape:
            moved = (known + offsets).astype(known.dtype)
            tensors[constant].CopyFrom(numpy_helper.from_array(moved, constant))
            return
    for position, name in enumerate(last.output):
        if name == OUTPUT_NAME:
            last.output[position] = _RAW_LOGITS
    graph.initializer.append(numpy_helper.from_array(offsets.astype(np.float32), _OFFSETS))
    graph.node.append(helper.make_node("Add", [_RAW_LOGITS, _OFFSETS], [OUTPUT_NAME]))
