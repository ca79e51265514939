"""Figures of a classifier whose answers are distributions. Pure functions on arrays.

Logarithms are natural. Probabilities and uncertainty come from `lanet_live.expression.uncertainty`,
the arithmetic of the app. Intervals are percentile bootstraps over images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from lanet_live.expression.uncertainty import entropy_nats, normalised_entropy

F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]

ECE_BINS = 15
N_RESAMPLES = 1000
_SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class Judged:
    """Predictions beside what people said, for the images a figure is taken over.

    Attributes:
        probabilities: (N, C), each row sums to 1; a row of NaN stands for a missed face.
        labels: (N,), the class by the label rule.
        votes: Shares of the votes over the classes, (N, C), each row sums to 1; None without votes.
    """

    probabilities: F64Array
    labels: I64Array
    votes: F64Array | None = None

    def take(self, index: I64Array) -> "Judged":
        """Return the chosen images, in that order, repeated where the index repeats."""
        votes = None if self.votes is None else self.votes[index]
        return Judged(self.probabilities[index], self.labels[index], votes)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which images have a prediction, (N,)."""
        return np.asarray(np.isfinite(self.probabilities).all(axis=1))

    @property
    def predicted(self) -> I64Array:
        """The most probable class, (N,); -1 for a missed face."""
        filled = np.nan_to_num(self.probabilities, nan=0.0)
        return np.where(self.answered, filled.argmax(axis=1), -1).astype(np.int64)

    @property
    def uncertainty(self) -> F64Array:
        """Entropy of each prediction / ln C, (N,); NaN for a missed face."""
        values = np.full(len(self.labels), np.nan)
        values[self.answered] = normalised_entropy(self.probabilities[self.answered])
        return values

    @property
    def is_correct(self) -> NDArray[np.bool_]:
        """Whether the most probable class is the label, (N,); a missed face is not correct."""
        correct: NDArray[np.bool_] = np.equal(self.predicted, self.labels)
        return correct


def accuracy(judged: Judged) -> float:
    """Return the share of images whose most probable class is the label."""
    return float(judged.is_correct.mean())


def confusion(judged: Judged) -> I64Array:
    """Count labels (rows) against predictions (columns), (C, C + 1); last column: missed faces."""
    n_classes = judged.probabilities.shape[1]
    counts = np.zeros((n_classes, n_classes + 1), dtype=np.int64)
    np.add.at(counts, (judged.labels, judged.predicted), 1)
    return counts


def class_recall(judged: Judged) -> F64Array:
    """Return the recall of every class, (C,); NaN for a class without images."""
    counts = confusion(judged)
    with np.errstate(invalid="ignore"):
        recall: F64Array = np.diagonal(counts) / counts.sum(axis=1)
    return recall


def mean_class_accuracy(judged: Judged) -> float:
    """Return the mean recall over the classes that have images."""
    return float(np.nanmean(class_recall(judged)))


def macro_f1(judged: Judged) -> float:
    """Return the mean F1 over the classes that occur as label or prediction."""
    counts = confusion(judged)
    hits = np.diagonal(counts).astype(np.float64)
    total = counts.sum(axis=1) + counts[:, :-1].sum(axis=0)
    return float((2 * hits[total > 0] / total[total > 0]).mean())


def expected_calibration_error(judged: Judged) -> float:
    """Return the mean |confidence - accuracy| over 15 bins of equal width, weighted by count.

    Bins are open on the left, closed on the right. Missed faces have no confidence and are left
    out.
    """
    answered = judged.answered
    if not answered.any():
        return float("nan")
    confidence = judged.probabilities[answered].max(axis=1)
    correct = judged.is_correct[answered].astype(np.float64)
    bins = np.clip(np.ceil(confidence * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def negative_log_likelihood(judged: Judged) -> float:
    """Return the mean of -ln p(label) over answered images; p is kept from 0 by 1e-12."""
    answered = judged.answered
    chosen = judged.probabilities[answered, judged.labels[answered]]
    return float(-np.log(np.maximum(chosen, _SMALLEST_PROBABILITY)).mean())


def jensen_shannon(first: F64Array, second: F64Array) -> F64Array:
    """Return the divergence of each pair of rows, (N,), from 0 to ln 2."""
    middle = (first + second) / 2
    divergence: F64Array = entropy_nats(middle) - (entropy_nats(first) + entropy_nats(second)) / 2
    return np.maximum(divergence, 0.0)


def js_to_votes(judged: Judged) -> float:
    """Return the mean divergence between predictions and votes; a missed face counts ln 2."""
    votes = _votes(judged)
    answered = judged.answered
    values = np.full(len(votes), np.log(2))
    values[answered] = jensen_shannon(judged.probabilities[answered], votes[answered])
    return float(values.mean())


def uncertainty_correlation(judged: Judged) -> float:
    """Return Spearman's rank correlation of the uncertainty and the entropy of the votes."""
    answered = judged.answered
    theirs = entropy_nats(_votes(judged)[answered])
    return spearman(judged.uncertainty[answered], theirs)


def spearman(first: F64Array, second: F64Array) -> float:
    """Return the rank correlation, ties at their mean rank; NaN when one side is constant."""
    ranks = np.stack([rankdata(first), rankdata(second)])
    if np.ptp(ranks, axis=1).min(initial=np.inf) == 0 or ranks.shape[1] < 2:
        return float("nan")
    return float(np.corrcoef(ranks)[0, 1])


def risk_coverage(is_correct: NDArray[np.bool_], doubt: F64Array) -> tuple[F64Array, F64Array]:
    """Return coverage and risk when images are answered in order of growing doubt.

    Images of equal doubt are answered together: their errors are spread evenly over them.

    Args:
        is_correct: (N,).
        doubt: (N,), NaN counts as the greatest doubt.

    Returns:
        Coverage (k / N for k = 1…N) and the share of errors among the k images, each (N,).
    """
    n_images = len(doubt)
    doubt = np.where(np.isnan(doubt), np.inf, doubt)
    _, group = np.unique(doubt, return_inverse=True)
    errors = (~is_correct).astype(np.float64)
    mean_error = np.bincount(group, weights=errors) / np.bincount(group)
    in_order = mean_error[np.sort(group)]
    answered = np.arange(1, n_images + 1)
    return answered / n_images, np.cumsum(in_order) / answered


def area_under_risk_coverage(judged: Judged, doubt: F64Array | None = None) -> float:
    """Return the mean risk over all coverages; the doubt is the uncertainty unless given."""
    doubt = judged.uncertainty if doubt is None else doubt
    return float(risk_coverage(judged.is_correct, doubt)[1].mean())


def without_class(judged: Judged, class_index: int) -> Judged:
    """Drop a class: its images leave, and so does its share of predictions and votes.

    Images all of whose votes were for the class leave as well.
    """
    kept = judged.labels != class_index
    votes = judged.votes
    if votes is not None:
        kept &= votes[:, class_index] < 1
        votes = _renormalised(np.delete(votes[kept], class_index, axis=1))
    labels = judged.labels[kept]
    return Judged(
        _renormalised(np.delete(judged.probabilities[kept], class_index, axis=1)),
        labels - (labels > class_index),
        votes,
    )


Metric = Callable[[Judged], float]

METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "mean_class_accuracy": mean_class_accuracy,
    "macro_f1": macro_f1,
    "ece": expected_calibration_error,
    "nll": negative_log_likelihood,
    "aurc": area_under_risk_coverage,
}
VOTE_METRICS: dict[str, Metric] = {
    "js": js_to_votes,
    "spearman_uncertainty_votes": uncertainty_correlation,
}


def metrics_for(judged: Judged) -> dict[str, Metric]:
    """Return the figures that can be taken: those on votes only where there are votes."""
    return METRICS if judged.votes is None else METRICS | VOTE_METRICS


def bootstrap_intervals(
    judged: Judged, *, seed: int = 0, n_resamples: int = N_RESAMPLES
) -> dict[str, tuple[float, float]]:
    """Return the 95 % percentile interval of every figure, recall of each class included.

    Args:
        judged: The images; resampled with replacement, all figures on the same resamples.
        seed: Of the private generator.
        n_resamples: How often.

    Returns:
        Name -> (low, high); the recall of class i is called "recall/i".
    """
    generator = np.random.default_rng(seed)
    metrics = metrics_for(judged)
    values: dict[str, list[float]] = {name: [] for name in metrics}
    recalls = []
    for _ in range(n_resamples):
        sample = judged.take(generator.integers(0, len(judged.labels), len(judged.labels)))
        recalls.append(class_recall(sample))
        for name, metric in metrics.items():
            values[name].append(metric(sample))
    for i, column in enumerate(np.stack(recalls).T):
        values[f"recall/{i}"] = column.tolist()
    return {name: _percentiles(column) for name, column in values.items()}


def _percentiles(values: list[float]) -> tuple[float, float]:
    finite = np.array(values)[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)


def _votes(judged: Judged) -> F64Array:
    if judged.votes is None:
        raise ValueError("this figure needs votes")
    return judged.votes


def _renormalised(rows: F64Array) -> F64Array:
    """Make rows sum to 1; a row of zeros becomes uniform."""
    total = rows.sum(axis=1, keepdims=True)
    uniform = np.full_like(rows, 1 / rows.shape[1])
    result: F64Array = np.where(total == 0, uniform, rows / np.where(total == 0, 1.0, total))
    return result
