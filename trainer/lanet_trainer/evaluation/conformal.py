"""Sets of possible answers that hold the right one as often as promised.

This is split conformal prediction. A score says how badly a class fits a face; the set holds the
classes whose score is at most a quantile of the scores that right answers had on other labelled
faces. With n of those faces and the quantile ⌈(n+1)(1-α)⌉/n, the set of a new face like them holds
its right class with probability at least 1-α, whatever the model (Vovk et al. 2005; Angelopoulos &
Bates 2023). Three scores:

- LAC, 1 - p_c (Sadinle, Lei & Wasserman 2019): the smallest sets on average. It covers frequent
  classes more than rare ones. With the probability divided by a power of the class's share first,
  rare classes are covered more evenly.
- APS, the probability of the class and all more probable ones (Romano, Sesia & Candès 2020), here
  without its random part: one face must not get one set today and another one tomorrow.
- RAPS, APS and a penalty for every class beyond the first ones (Angelopoulos et al. 2021).

The right class is the label: the class most annotators chose, or the only one named. That is the
question `expression` answers, and the figures of the model card are measured against. How many of
the votes lie within the sets is measured beside it.

The promise is about faces like those fitted on. Over several domains the widest sets are taken,
class by class, so that it holds in each of them (and is exceeded in most).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanet_live.expression.prediction_sets import set_members
from lanet_trainer.errors import DataError

F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class SetFigures:
    """How sets did on labelled faces.

    Attributes:
        n: Faces.
        coverage: Share of sets that hold the label.
        low: Of its 95 % interval (Wilson).
        high: Likewise.
        mean_size: Classes in a set.
        single_share: Share of sets of one class.
        class_coverage: Coverage of the faces of each class, (C,); NaN for a class without one.
        vote_coverage: Share of the votes that lie within the sets; None without votes.
    """

    n: int
    coverage: float
    low: float
    high: float
    mean_size: float
    single_share: float
    class_coverage: F64Array
    vote_coverage: float | None


def conformal_quantile(scores: F64Array, coverage: float) -> float:
    """Return the ⌈(n+1)·coverage⌉-th smallest score; infinity where n is too small for it.

    Args:
        scores: Of the right classes, (N,); the higher, the worse the class fits.
        coverage: Promised, above 0 and below 1.
    """
    if not 0 < coverage < 1:
        raise DataError(f"The coverage must lie above 0 and below 1, not {coverage:g}.")
    # A product that is whole but for its rounding must not be rounded up.
    rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
    return math.inf if rank > len(scores) else float(np.partition(scores, rank - 1)[rank - 1])


def lac_scores(probabilities: F64Array, class_weights: F64Array | None = None) -> F64Array:
    """Return 1 - p of every class, (N, C), p divided by the class's weight first."""
    weights = 1.0 if class_weights is None else class_weights
    return 1 - probabilities / weights


def aps_scores(probabilities: F64Array, *, penalty: float = 0.0, n_free: int = 0) -> F64Array:
    """Return the probability of every class and all before it, (N, C); with a penalty, RAPS.

    Args:
        probabilities: (N, C).
        penalty: Added for every rank beyond the free ones.
        n_free: Ranks without a penalty.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    summed = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1)
    cumulated = np.take_along_axis(summed, rank, axis=1)
    scores: F64Array = cumulated + penalty * np.maximum(0, rank + 1 - n_free)
    return scores


def fit_min_probabilities(
    probabilities: F64Array,
    labels: I64Array,
    coverage: float,
    *,
    class_weights: F64Array | None = None,
) -> F64Array:
    """Fit the thresholds of LAC sets, (C,): a class belongs to the set from its threshold on.

    Args:
        probabilities: Calibrated, (N, C), of faces the model was not trained on.
        labels: Right classes, (N,).
        coverage: Promised, above 0 and below 1.
        class_weights: Thresholds are in proportion to these, (C,); None: all alike.

    Raises:
        DataError: There is no face, or the coverage is none.
    """
    if not len(labels):
        raise DataError("There is no labelled face to fit prediction sets on.")
    weights = np.ones(probabilities.shape[1]) if class_weights is None else class_weights
    scores = lac_scores(probabilities, weights)[np.arange(len(labels)), labels]
    quantile = conformal_quantile(scores, coverage)
    return np.asarray(np.clip(weights * (1 - quantile), 0.0, 1.0))


def fit_over_domains(
    domains: Sequence[tuple[F64Array, I64Array]],
    coverage: float,
    *,
    class_weights: F64Array | None = None,
) -> F64Array:
    """Fit on every domain by itself and take the widest sets: the lowest thresholds, (C,).

    Args:
        domains: Probabilities, (N, C), and labels, (N,), of each.
        coverage: Promised in every domain.
        class_weights: As in `fit_min_probabilities`.
    """
    fits = [fit_min_probabilities(*d, coverage, class_weights=class_weights) for d in domains]
    return np.asarray(np.min(fits, axis=0))


def measure_sets(
    members: BoolArray, labels: I64Array, votes: NDArray[np.floating] | None = None
) -> SetFigures:
    """Measure sets against labels.

    Args:
        members: Which classes belong to each set, (N, C).
        labels: Right classes, (N,), N at least 1.
        votes: Counts or shares, (N, C); faces without a vote are left out of `vote_coverage`.
    """
    is_covered = members[np.arange(len(labels)), labels]
    sizes = members.sum(axis=1)
    low, high = wilson_interval(int(is_covered.sum()), len(labels))
    return SetFigures(
        n=len(labels),
        coverage=float(is_covered.mean()),
        low=low,
        high=high,
        mean_size=float(sizes.mean()),
        single_share=float((sizes == 1).mean()),
        class_coverage=np.array(
            [
                is_covered[labels == k].mean() if (labels == k).any() else np.nan
                for k in range(members.shape[1])
            ]
        ),
        vote_coverage=None if votes is None else _vote_coverage(members, votes),
    )


def measure_thresholds(
    probabilities: F64Array,
    labels: I64Array,
    min_probabilities: F64Array,
    votes: NDArray[np.floating] | None = None,
) -> SetFigures:
    """Measure the sets the app makes with these thresholds; see `measure_sets`."""
    return measure_sets(set_members(probabilities, min_probabilities), labels, votes)


def wilson_interval(n_hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    share, z2 = n_hits / n, _Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def _vote_coverage(members: BoolArray, votes: NDArray[np.floating]) -> float:
    totals = votes.sum(axis=1)
    has_votes = totals > 0
    inside = (votes * members).sum(axis=1)[has_votes] / totals[has_votes]
    return float(inside.mean())
