"""Rank labels by the evidence that they are wrong. Pure functions on arrays.

How far another class beats the label is not enough: a network that never names a rare class beats
all its labels by far. So the difference is weighted with how often labels of this class are beaten
by that one with confidence, in the sense of confident learning (Northcutt, Jiang and Chuang, 2021):
mistakes come in kinds.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_PRECISION_AT: Final = (100, 500, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True)
class Suspects:
    """Every sample, the most suspect label first.

    Attributes:
        order: Positions of the samples, (N,).
        suggested: The most probable other class of each sample, (N,), by position.
        evidence: Probability of that class minus that of the label, -1 to 1, (N,), by position.
            Above 0 the label is contradicted, and the difference is weighted with the share of the
            label's samples that are confidently of that class.
    """

    order: I64Array
    suggested: I64Array
    evidence: F64Array

    @property
    def n_contradicted(self) -> int:
        """How many labels another class beats."""
        return int((self.evidence > 0).sum())


def rank_suspects(distributions: F64Array, labels: I64Array) -> Suspects:
    """Rank labels by how far another class beats them in the distributions.

    Args:
        distributions: (N, C).
        labels: (N,).
    """
    rows = np.arange(len(labels))
    others = distributions.copy()
    others[rows, labels] = -np.inf
    suggested = others.argmax(axis=1)
    evidence = distributions[rows, suggested] - distributions[rows, labels]
    shares = confident_shares(distributions, labels)
    evidence *= np.where(evidence > 0, shares[labels, suggested], 1.0)
    return Suspects(np.argsort(-evidence, kind="stable"), suggested, evidence)


def confident_shares(distributions: F64Array, labels: I64Array) -> F64Array:
    """Return how the samples of each label look with confidence, (C, C); rows sum to 1.

    A sample is confidently of a class whose probability is at least what the samples labelled with
    that class have on average; of several such classes the most probable one counts. One sample is
    added to every pair, so that nothing is certain from a few.
    """
    n_classes = distributions.shape[1]
    usual = np.full(n_classes, np.inf)
    for c in np.unique(labels):
        usual[c] = distributions[labels == c, c].mean()
    is_confident = distributions >= usual
    looks = np.where(is_confident, distributions, -np.inf).argmax(axis=1)
    is_any = is_confident.any(axis=1)
    counts = np.ones((n_classes, n_classes))
    np.add.at(counts, (labels[is_any], looks[is_any]), 1)
    shares: F64Array = counts / counts.sum(axis=1, keepdims=True)
    return shares


def precision_at(order: I64Array, is_flipped: BoolArray) -> dict[int, float]:
    """Return the share of truly flipped labels among the first k, for a few k up to N."""
    hits = np.cumsum(is_flipped[order])
    return {k: float(hits[k - 1] / k) for k in _PRECISION_AT if k <= len(order)}


def average_precision(order: I64Array, is_flipped: BoolArray) -> float:
    """Return the mean of the precision at each flipped label; NaN without any."""
    hits = is_flipped[order]
    if not hits.any():
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def mean_with_interval(values: F64Array) -> dict[str, float]:
    """Return the mean over samples with its 95 % interval by the normal approximation."""
    mean = float(values.mean())
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return {"value": mean, "low": mean - half, "high": mean + half}
