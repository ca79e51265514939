"""Predictions for the images of a split.

The probabilities come out of `lanet_live.expression`, the arithmetic of the app, with the views and
the temperature the model brings along.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanet_engines.base import Engine, U8Array
from lanet_live.config import EstimatorConfig
from lanet_live.expression.estimator import ExpressionEstimator
from lanet_live.expression.uncertainty import normalised_entropy
from lanet_live.records import AlignedFace, Quality

F64Array = NDArray[np.float64]


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
    """Run an engine on every crop, as the app does.

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


def from_probabilities(
    sample_ids: Sequence[str], labels: Sequence[str], probabilities: F64Array, *, model: str
) -> Predictions:
    """Wrap probabilities, adding the app's uncertainty."""
    answered = np.isfinite(probabilities).all(axis=1)
    uncertainty = np.full(len(sample_ids), np.nan)
    uncertainty[answered] = normalised_entropy(probabilities[answered])
    return Predictions(tuple(sample_ids), tuple(labels), probabilities, uncertainty, model)
