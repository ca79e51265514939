"""Judge predictions: which images a figure is taken over, and every figure with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanet_trainer.errors import DataError
from lanet_trainer.evaluation.predictions import Predictions
from lanet_trainer.metrics import (
    ECE_BINS,
    N_RESAMPLES,
    Judged,
    bootstrap_intervals,
    class_recall,
    confusion,
    metrics_for,
    risk_coverage,
    without_class,
)

# Dropped for the second reading that part of the literature uses.
SEVENTH_CLASS_OUT = "contempt"


@dataclass(frozen=True, slots=True)
class Answers:
    """The annotators' answers for the images of a split.

    Attributes:
        sample_ids: As in the predictions.
        labels: Class names, (C,).
        label: (N,) int64; -1 where the label rule leaves an image out.
        votes: Counts or shares over the classes, (N, C); None without votes.
    """

    sample_ids: tuple[str, ...]
    labels: tuple[str, ...]
    label: NDArray[np.int64]
    votes: NDArray[np.float64] | None


def judge(
    predictions: Predictions,
    answers: Answers,
    *,
    left_out: Sequence[str] = (),
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Any]:
    """Measure predictions on the images that have a label.

    Args:
        predictions: Of the split, in its order.
        answers: Of the split.
        left_out: Images to leave out, e.g. copies of training images.
        seed: Of the bootstrap.
        n_resamples: Of the bootstrap.

    Returns:
        Plain values for JSON: all classes, and without contempt where there is that class.

    Raises:
        DataError: Predictions and split do not belong together, or no image has a label.
    """
    judged = select_judged(predictions, answers, left_out=left_out)
    readings = {f"{len(answers.labels)} classes": (judged, answers.labels)}
    if SEVENTH_CLASS_OUT in answers.labels:
        position = answers.labels.index(SEVENTH_CLASS_OUT)
        rest = tuple(name for name in answers.labels if name != SEVENTH_CLASS_OUT)
        readings[f"{len(rest)} classes"] = (without_class(judged, position), rest)
    return {
        name: _measure(part, labels, seed=seed, n_resamples=n_resamples)
        for name, (part, labels) in readings.items()
    }


def select_judged(
    predictions: Predictions, answers: Answers, *, left_out: Sequence[str] = ()
) -> Judged:
    """Put predictions beside answers, for the images that have a label."""
    if predictions.sample_ids != answers.sample_ids:
        raise DataError("The predictions are not those of this split.")
    if set(predictions.labels) != set(answers.labels):
        raise DataError(
            f"The model knows the classes {', '.join(predictions.labels)}, the data "
            f"{', '.join(answers.labels)}."
        )
    away = set(left_out)
    is_in = np.array([name not in away for name in answers.sample_ids])
    chosen = np.flatnonzero((answers.label >= 0) & is_in)
    if not len(chosen):
        raise DataError("No image of the split has a label.")
    order = [predictions.labels.index(name) for name in answers.labels]
    votes = None if answers.votes is None else _shares(answers.votes[chosen], answers.label[chosen])
    return Judged(predictions.probabilities[chosen][:, order], answers.label[chosen], votes)


def _shares(votes: NDArray[np.float64], label: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn counts into shares; an image without a vote for any class counts as its label."""
    total = votes.sum(axis=1, keepdims=True).astype(np.float64)
    onehot = np.eye(votes.shape[1])[label]
    return np.where(total > 0, votes / np.maximum(total, 1e-9), onehot)


def _measure(
    judged: Judged, labels: tuple[str, ...], *, seed: int, n_resamples: int
) -> dict[str, Any]:
    """Take every figure with its interval."""
    intervals = bootstrap_intervals(judged, seed=seed, n_resamples=n_resamples)
    counts = np.bincount(judged.labels, minlength=len(labels))
    recall = class_recall(judged)
    coverage, risk = risk_coverage(judged.is_correct, judged.uncertainty)
    steps = np.unique(np.linspace(0, len(coverage) - 1, 101).astype(int))
    return {
        "n_images": len(judged.labels),
        "n_missed_faces": int((~judged.answered).sum()),
        "metrics": {
            name: _with_interval(metric(judged), intervals[name])
            for name, metric in metrics_for(judged).items()
        },
        "recall": {
            name: {
                "n_images": int(counts[i]),
                **_with_interval(recall[i], intervals[f"recall/{i}"]),
            }
            for i, name in enumerate(labels)
        },
        "confusion": {
            "labels": list(labels),
            "rows_are": "label",
            "columns_are": "prediction, then missed face",
            "counts": confusion(judged).tolist(),
        },
        "risk_coverage": {
            "coverage": coverage[steps].tolist(),
            "risk": risk[steps].tolist(),
        },
        "conventions": {
            "ece_bins": ECE_BINS,
            "logarithm": "natural",
            "interval": f"95 % percentile bootstrap, {n_resamples} resamples, seed {seed}",
            "uncertainty": "entropy of the calibrated probabilities / ln C",
        },
    }


def _with_interval(value: float, interval: tuple[float, float]) -> dict[str, float | None]:
    numbers = {"value": value, "low": interval[0], "high": interval[1]}
    return {
        name: float(number) if np.isfinite(number) else None for name, number in numbers.items()
    }
