"""Is one column of a table better than another? A paired test over the seeds they share."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paired:
    """Differences between two columns of one row, seed by seed.

    Attributes:
        n_seeds: Seeds that both have.
        mean: Of the differences, first less second.
        std: Their standard deviation; None for one seed.
        p: Two-sided p-value of the paired t-test; None for one seed, or where all differences are
            equal.
    """

    n_seeds: int
    mean: float
    std: float | None
    p: float | None


def compare_paired(first: dict[int, float], second: dict[int, float]) -> Paired | None:
    """Compare two columns; each maps a seed to a figure. None if they share no seed."""
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    differences = [first[seed] - second[seed] for seed in seeds]
    std = statistics.stdev(differences) if len(seeds) > 1 else None
    return Paired(
        n_seeds=len(seeds),
        mean=statistics.mean(differences),
        std=std,
        p=_t_test(differences) if std else None,
    )


def _t_test(differences: Sequence[float]) -> float:
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(differences, 0.0).pvalue)
