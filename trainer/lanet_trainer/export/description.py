"""Give an exported model another description: name and thresholds. The network stays as it is."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import onnx

from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_engines.spec import METADATA_KEY, ModelSpec
from lanet_trainer.errors import ConfigError

REPORT_KIND: Final = "reliability"


def read_reliability(path: Path) -> dict[str, Any]:
    """Read a report of `lanet-train reliability`.

    Raises:
        ConfigError: There is no such file, or it is something else.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"The report of reliability '{path}' cannot be read: {error}") from error
    if not isinstance(report, dict) or report.get("kind") != REPORT_KIND:
        raise ConfigError(f"'{path}' is no report of 'lanet-train reliability'.")
    return report


def apply_reliability(model: ModelFile, report: Mapping[str, Any]) -> ModelSpec:
    """Return a model's description with the thresholds of a reliability report.

    Args:
        model: The file the report was measured on.
        report: As `read_reliability` reads it.

    Raises:
        ConfigError: It is damaged, or was measured on another model.
    """
    try:
        measured_on = str(report["model_details"]["sha256"])
        thresholds = report["thresholds"]
        evidence = {
            "data": f"{report['dataset']} {report['split']}",
            "n_pictures": report["n_pictures"],
            "measured_on_sha256": measured_on,
            **{name: thresholds[name] for name in ("coverage", "error", "error_of_all")},
        }
        spec = replace(
            model.spec,
            min_quality=float(thresholds["min_quality"]),
            max_uncertainty=float(thresholds["max_uncertainty"]),
            provenance={**model.spec.provenance, "thresholds_chosen_on": evidence},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"The report of reliability is damaged: {error}.") from error
    if measured_on != model.sha256:
        raise ConfigError(
            f"The report was measured on another model than '{model.path}'; measure this one."
        )
    return spec


def write_described(model: ModelFile, spec: ModelSpec, path: Path) -> None:
    """Write a checked model with another description.

    Args:
        model: What is described.
        spec: Goes into the file; labels, size and preprocessing must be those of the model.
        path: The `.onnx` file, which may be the model's own; it appears only when it was right.

    Raises:
        ConfigError: The file cannot be written, or the model keeps its weights in other files.
        EngineError: The file is not readable again.
    """
    if path.suffix != ".onnx":
        raise ConfigError(f"The model's file must end in .onnx, got '{path}'.")
    if model.external_files:
        raise ConfigError(f"'{model.path}' keeps its weights in other files; export it as one.")
    content = onnx.load_from_string(model.content)
    kept = [(entry.key, entry.value) for entry in content.metadata_props]
    del content.metadata_props[:]
    for key, value in kept:
        entry = content.metadata_props.add()
        entry.key, entry.value = key, spec.to_json() if key == METADATA_KEY else value
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            draft = Path(folder) / path.name
            draft.write_bytes(content.SerializeToString())
            read_model_file(draft)
            draft.replace(path)
    except OSError as error:
        raise ConfigError(f"The model cannot be written to '{path}': {error}") from error
