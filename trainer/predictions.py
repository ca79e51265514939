"""Predictions for the images of a split: from an engine, or from a table.

The probabilities come out of `lanet_live.expression`, the arithmetic of the app, with the views and
the temperature the model brings along.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.base import Engine, U8Array
from lanet_live.config import EstimatorConfig
from lanet_live.expression.estimator import ExpressionEstimator
from lanet_live.expression.uncertainty import normalised_entropy
from lanet_live.records import AlignedFace, Quality
from trainer.errors import DataError

F64Array = NDArray[np.float64]

_IMAGE_COLUMN = "image"
_SUM_TOLERANCE = 1e-2


@dataclass(frozen=True, slots=True)
class Predictions:
    """One distribution per image.

    Attributes:
        sample_ids: As in the prepared split.
        labels: Class names, (C,).
        probabilities: (N, C); a row of NaN where no face was found.
        uncertainty: (N,), 0 to 1; NaN where no face was found.
        model: What made them, e.g. "openvino fp32, lanet-resnet18-96" or a file's name.
    """

    sample_ids: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: F64Array
    uncertainty: F64Array
    model: str


def predict(
    engine: Engine, batches: Iterable[tuple[NDArray[np.int64], U8Array]], sample_ids: Sequence[str]
) -> Predictions:
    """Ask an engine about every crop, as the app does.

    Args:
        engine: Any runtime, or a run's network.
        batches: Positions in the split, (B,), and their crops, (B, S, S, 3) uint8.
        sample_ids: Of the whole split.
    """
    spec = engine.spec
    estimator = ExpressionEstimator(engine, EstimatorConfig())
    probabilities = np.full((len(sample_ids), len(spec.labels)), np.nan)
    uncertainty = np.full(len(sample_ids), np.nan)
    for index, crops in batches:
        faces = [_as_face(crop) for crop in crops]
        for position, estimate in zip(index, estimator.estimate(crops[0], faces), strict=True):
            probabilities[position] = estimate.probabilities
            uncertainty[position] = estimate.uncertainty
    model = f"{spec.name}, {engine.info.backend} {engine.info.precision}"
    return Predictions(tuple(sample_ids), spec.labels, probabilities, uncertainty, model)


def mean_logits(engine: Engine, batches: Iterable[tuple[NDArray[np.int64], U8Array]]) -> F64Array:
    """Return the logits averaged over the views the model is used with, (N, C)."""
    is_mirrored = engine.spec.ensemble == "mirror"
    rows = []
    for _, crops in batches:
        logits = engine.infer(crops).astype(np.float64)
        if is_mirrored:
            logits = (logits + engine.infer(np.ascontiguousarray(crops[:, :, ::-1]))) / 2
        rows.append(logits)
    return np.concatenate(rows)


def _as_face(crop_bgr: U8Array) -> AlignedFace:
    """Wrap a crop that is aligned already; nothing is sampled again from its frame."""
    return AlignedFace(0, crop_bgr, np.eye(2, 3), Quality(1.0))


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write `image,<class>,…`, a row for every image; a missed face leaves its cells empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([_IMAGE_COLUMN, *predictions.labels])
        for sample_id, row in zip(predictions.sample_ids, predictions.probabilities, strict=True):
            writer.writerow([sample_id, *("" if np.isnan(p) else f"{p:.6f}" for p in row)])


def read_predictions(path: Path, sample_ids: Sequence[str], labels: Sequence[str]) -> Predictions:
    """Read a table of predictions for the images of a split.

    Args:
        path: A CSV with the column `image` and one column per class, in any order.
        sample_ids: The split's; each needs a row. Rows of other images are left aside.
        labels: The split's class names; each needs a column.

    Raises:
        DataError: A column or a row is missing, an image occurs twice, or a row is no
            distribution.
    """
    wanted = {sample_id: position for position, sample_id in enumerate(sample_ids)}
    probabilities = np.full((len(sample_ids), len(labels)), np.nan)
    seen: set[str] = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check_columns(path, reader.fieldnames or (), labels)
            for row in reader:
                name = row[_IMAGE_COLUMN]
                if name in wanted:
                    if name in seen:
                        raise DataError(f"{path} has two rows for the image '{name}'.")
                    seen.add(name)
                    probabilities[wanted[name]] = _read_row(path, reader.line_num, row, labels)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"The predictions in {path} cannot be read: {error}") from error
    missing = [name for name in sample_ids if name not in seen]
    if missing:
        raise DataError(
            f"{path} has no row for {len(missing)} of the split's {len(sample_ids)} images, "
            f"e.g. '{missing[0]}'."
        )
    return from_probabilities(sample_ids, labels, probabilities, model=path.name)


def from_probabilities(
    sample_ids: Sequence[str], labels: Sequence[str], probabilities: F64Array, *, model: str
) -> Predictions:
    """Wrap probabilities, adding the app's uncertainty."""
    answered = np.isfinite(probabilities).all(axis=1)
    uncertainty = np.full(len(sample_ids), np.nan)
    uncertainty[answered] = normalised_entropy(probabilities[answered])
    return Predictions(tuple(sample_ids), tuple(labels), probabilities, uncertainty, model)


def _check_columns(path: Path, columns: Sequence[str], labels: Sequence[str]) -> None:
    missing = [name for name in (_IMAGE_COLUMN, *labels) if name not in columns]
    if missing:
        raise DataError(f"{path} has no column '{missing[0]}'; it needs image,{','.join(labels)}.")


def _read_row(path: Path, line: int, row: dict[str, str | None], labels: Sequence[str]) -> F64Array:
    """Read one distribution; a row of empty cells is a missed face."""
    cells = [(row[label] or "").strip() for label in labels]
    if not any(cells):
        return np.full(len(labels), np.nan)
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError as error:
        raise DataError(f"{path}, line {line}: '{row[_IMAGE_COLUMN]}' has no number.") from error
    if not np.isfinite(values).all() or values.min() < 0 or abs(values.sum() - 1) > _SUM_TOLERANCE:
        raise DataError(
            f"{path}, line {line}: the row of '{row[_IMAGE_COLUMN]}' must be non-negative and sum "
            f"to 1, it sums to {values.sum():.3f}."
        )
    normalised: F64Array = values / values.sum()
    return normalised
