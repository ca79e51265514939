"""Measure a run, a model file, an engine or a table of predictions on one split."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lanet_engines.base import Engine
from lanet_engines.registry import open_engine
from lanet_live.face.template import TEMPLATE_ID
from lanet_trainer.datasets.prepared import PreparedDataset, PreparedSplit, open_prepared
from lanet_trainer.errors import ConfigError, DataError
from lanet_trainer.evaluation.end_to_end import EndToEndBatches
from lanet_trainer.evaluation.judging import Answers, judge
from lanet_trainer.evaluation.prediction_table import (
    image_names,
    read_predictions,
    write_predictions,
)
from lanet_trainer.evaluation.predictions import Predictions, predict
from lanet_trainer.training.fit import plain_command
from lanet_trainer.training.loader import EvalLoader
from lanet_trainer.training.run_folder import choose_weights, library_versions, source_commit
from lanet_trainer.training.torch_engine import TorchEngine


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What is measured, on what, and how.

    Attributes:
        model: Run folder, `.onnx`, compiled engine, or `.csv` of predictions.
        data: Prepared data set.
        split: "valid", "test" or "train".
        is_end_to_end: Whole pictures through the app's face search, tracker and alignment.
        n_sampled: Measure only so many images, drawn from those with a label; None: all.
        weights: Of a run: "best", "last", or None for best where there is one.
        backend: Runtime for a model file.
        rule: Label rule instead of the data set's own for this split, or None.
        duplicates_of: Also measure without the images that are pixel for pixel in this split.
        n_resamples: Of the bootstrap.
        seed: Of the bootstrap and of the draw.
    """

    model: Path
    data: str
    split: str
    is_end_to_end: bool = False
    n_sampled: int | None = None
    weights: str | None = None
    backend: str = "auto"
    rule: str | None = None
    duplicates_of: str | None = None
    n_resamples: int = 1000
    seed: int = 0


def evaluate(options: EvaluateOptions) -> tuple[dict[str, Any], Predictions]:
    """Measure a model.

    Returns:
        The report as plain values, and the predictions for every image of the split.

    Raises:
        ConfigError: The model cannot be opened or does not fit the data.
        DataError: The split or the table of predictions is not as expected.
        EngineError: The model file or its runtime is unusable.
    """
    dataset = open_prepared(options.data, rule=options.rule)
    split = open_split(dataset, options)
    predictions, model = _predict(options, split)
    report: dict[str, Any] = {
        "model": predictions.model,
        "model_details": model,
        "dataset": dataset.name,
        "split": options.split,
        "label_rule": _rule(dataset, options.split),
        "crops": "whole images, end to end" if options.is_end_to_end else "direct crops",
        "n_images_in_split": len(split),
        "n_sampled": options.n_sampled,
        "command": plain_command(sys.argv),
        "libraries": library_versions(),
        "commit": source_commit(),
    }
    copies: dict[str, str] = {}
    if options.duplicates_of is not None:
        copies = find_copies(split, dataset.split(options.duplicates_of))
        report["copies"] = {"of_split": options.duplicates_of, "images": copies}
    report["readings"] = _readings(options, predictions, split, copies)
    return report, predictions


def open_split(dataset: PreparedDataset, options: EvaluateOptions) -> PreparedSplit:
    """Open the split that is measured, or the part of it that was asked for.

    Raises:
        DataError: There is no such split, or it has fewer images with a label.
    """
    split = dataset.split(options.split)
    if options.n_sampled is None:
        return split
    return draw_sample(split, options.n_sampled, seed=options.seed)


def draw_sample(split: PreparedSplit, n_sampled: int | None, *, seed: int) -> PreparedSplit:
    """Draw images with a label, in the order of the split; None takes all of them.

    Raises:
        DataError: The split has fewer.
    """
    labelled = np.flatnonzero(split.label >= 0)
    if n_sampled is None:
        return split.select(labelled)
    if not 0 < n_sampled <= len(labelled):
        raise DataError(
            f"Between 1 and {len(labelled)} images of the split '{split.name}' can be sampled, "
            f"not {n_sampled}."
        )
    generator = np.random.default_rng(seed)
    return split.select(np.sort(generator.choice(labelled, n_sampled, replace=False)))


def _readings(
    options: EvaluateOptions,
    predictions: Predictions,
    split: PreparedSplit,
    copies: Mapping[str, str],
) -> dict[str, Any]:
    """Measure on all images with a label, and again without the copies where they were sought."""
    votes = None if split.votes is None else split.votes.astype(np.float64)
    answers = Answers(split.sample_ids, split.class_names, split.label, votes)
    measure = partial(
        judge, predictions, answers, seed=options.seed, n_resamples=options.n_resamples
    )
    readings = measure()
    if options.duplicates_of is not None:
        readings |= {
            f"{name}, without copies of {options.duplicates_of} images": reading
            for name, reading in measure(left_out=list(copies)).items()
        }
    return readings


def _rule(dataset: PreparedDataset, split: str) -> str:
    """Name the rule behind a split's labels: a distribution is only ever trained on."""
    is_measured = dataset.rule == "distribution" and split != "train"
    return "majority" if is_measured else dataset.rule


def _predict(options: EvaluateOptions, split: PreparedSplit) -> tuple[Predictions, dict[str, Any]]:
    """Get predictions from whatever the model is."""
    if options.model.suffix.lower() == ".csv":
        if options.is_end_to_end:
            raise ConfigError("--end-to-end needs a model, not a table of predictions.")
        table = read_predictions(
            options.model,
            sample_ids=split.sample_ids,
            names=image_names(split.source_files),
            labels=split.class_names,
        )
        return table, {"file": options.model.name}
    engine = open_model(options.model, weights=options.weights, backend=options.backend)
    try:
        size_px = engine.spec.input_size_px
        batches = (
            EndToEndBatches(split, size_px=size_px)
            if options.is_end_to_end
            else EvalLoader(split, size_px=size_px)
        )
        predictions = predict(engine, batches, split.sample_ids)
    finally:
        engine.close()
    return predictions, model_details(engine)


def model_details(engine: Engine) -> dict[str, Any]:
    """Return what a report says of the model it was measured on."""
    info = engine.info
    return {
        "name": engine.spec.name,
        "backend": info.backend,
        "precision": info.precision,
        "runtime_version": info.runtime_version,
        "sha256": info.model_sha256,
        "temperature": engine.spec.temperature,
        "ensemble": engine.spec.ensemble,
    }


def open_model(model: Path, *, weights: str | None = None, backend: str = "auto") -> Engine:
    """Open a run folder's network, or a model file on a runtime.

    Args:
        model: Run folder, `.onnx` or compiled engine.
        weights: Of a run: "best", "last", or None for best where there is one.
        backend: Runtime for a model file.

    Raises:
        ConfigError: There is nothing of this name, or it was trained on other crops.
    """
    if not model.exists():
        raise ConfigError(f"There is no model at '{model}'.")
    engine: Engine
    if (model / "config.json").is_file():
        engine = TorchEngine.from_run(model, weights=weights or choose_weights(model))
    else:
        engine = open_engine(model, backend=backend)
    if engine.spec.alignment != TEMPLATE_ID:
        alignment = engine.spec.alignment
        engine.close()
        raise ConfigError(
            f"The model was trained on crops of the template {alignment}, the data was prepared "
            f"for {TEMPLATE_ID}."
        )
    return engine


def find_copies(split: PreparedSplit, other: PreparedSplit) -> dict[str, str]:
    """Find the images of a split that are pixel for pixel an image of another one.

    Returns:
        Sample id -> sample id of its first copy in the other split.
    """
    known: dict[bytes, str] = {}
    for position, sample_id in enumerate(other.sample_ids):
        known.setdefault(_fingerprint(other, position), sample_id)
    return _matches(split, known)


def _matches(split: PreparedSplit, known: dict[bytes, str]) -> dict[str, str]:
    copies = {}
    for position, sample_id in enumerate(split.sample_ids):
        original = known.get(_fingerprint(split, position))
        if original is not None:
            copies[sample_id] = original
    return copies


def _fingerprint(split: PreparedSplit, position: int) -> bytes:
    image = split.image(position)
    return hashlib.sha256(str(image.shape).encode() + image.tobytes()).digest()


def write_table(path: Path, predictions: Predictions, options: EvaluateOptions) -> None:
    """Write the predictions for every image of the split that was measured."""
    split = open_split(open_prepared(options.data, rule=options.rule), options)
    write_predictions(path, predictions, image_names(split.source_files))


def headline(report: dict[str, Any], figures: Sequence[str]) -> list[str]:
    """Return one line per reading for the terminal."""
    lines = []
    for name, reading in report["readings"].items():
        parts = []
        for figure in figures:
            value = reading["metrics"].get(figure)
            if value is not None and value["value"] is not None:
                parts.append(f"{figure} {value['value']:.4f}")
        lines.append(f"{name}, {reading['n_images']} images: {', '.join(parts)}")
    return lines
