"""Thresholds of the `reliable` rule, chosen from trials.

An estimate is reliable when its quality is at least one threshold and its uncertainty at most the
other. Of all pairs the one is taken that calls the most estimates reliable while

1. their error is at most a share (one half) of the error of all estimates,
2. in no kind of trial, clean or spoiled, it is greater than the error of all estimates by more than
   chance explains (one-sided binomial test, 5 %), and
3. the hundred of the lowest quality err no more often than estimates on clean pictures do.

The last two are why quality counts: an answer on a spoiled picture may be sure and wrong.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from lanet_trainer.errors import DataError
from lanet_trainer.evaluation.degradations import CLEAN
from lanet_trainer.evaluation.reliability import Trials

BoolArray = NDArray[np.bool_]

DEFAULT_ERROR_SHARE: Final = 0.5
_CHANCE: Final = 0.05
_N_LOWEST: Final = 100
_MIN_QUALITIES: Final = np.round(np.arange(0.0, 0.96, 0.05), 2)
_MAX_UNCERTAINTIES: Final = np.round(np.arange(0.10, 1.001, 0.01), 2)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The rule. Both are stored in `ModelSpec`."""

    min_quality: float
    max_uncertainty: float

    def are_met(self, trials: Trials) -> BoolArray:
        """Return which estimates are reliable, (N,)."""
        met: BoolArray = (trials.quality >= self.min_quality) & (
            trials.uncertainty <= self.max_uncertainty
        )
        return met


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule does to trials.

    Attributes:
        coverage: Share of the estimates that are reliable.
        error: Share of wrong answers among them; NaN without any.
        error_of_all: Among all estimates.
    """

    coverage: float
    error: float
    error_of_all: float


def apply_thresholds(trials: Trials, thresholds: Thresholds) -> Outcome:
    """Measure a rule on trials that all have a face."""
    met = thresholds.are_met(trials)
    return Outcome(float(met.mean()), trials.where(met).error, trials.error)


def choose_thresholds(trials: Trials, *, error_share: float = DEFAULT_ERROR_SHARE) -> Thresholds:
    """Choose the thresholds on trials that all have a face.

    Raises:
        DataError: No pair meets the conditions.
    """
    is_wrong = ~trials.is_correct
    limit = trials.error
    kinds = [trials.is_kind(kind) for kind in sorted(set(trials.kind))]
    clean_error = trials.where(trials.is_kind(CLEAN)).error
    best: tuple[int, int, Thresholds] | None = None
    for min_quality in _MIN_QUALITIES:
        for max_uncertainty in _MAX_UNCERTAINTIES:
            thresholds = Thresholds(float(min_quality), float(max_uncertainty))
            met = thresholds.are_met(trials)
            n_met, n_wrong = int(met.sum()), int((met & is_wrong).sum())
            if not n_met or n_wrong > error_share * limit * n_met:
                continue
            if best is not None and (n_met, -n_wrong) <= best[:2]:
                continue
            if not all(_is_bearable(met & kind, is_wrong, limit) for kind in kinds):
                continue
            if not _lowest_error(trials, met) > clean_error:
                best = (n_met, -n_wrong, thresholds)
    if best is None:
        raise DataError(
            f"No thresholds bring the error to {error_share:.0%} of that of all estimates, and "
            "below it in every kind of trial; the model or the sample is too small."
        )
    return best[2]


def cross_check(trials: Trials, *, error_share: float, seed: int = 0) -> Outcome:
    """Choose on one half of the pictures and measure on the other, both ways.

    Raises:
        DataError: No pair meets the conditions on a half.
    """
    pictures = np.unique(trials.image)
    half = np.random.default_rng(seed).permutation(pictures)[: len(pictures) // 2]
    is_first = np.isin(trials.image, half)
    met = np.zeros(len(trials), dtype=bool)
    for is_chosen_on in (is_first, ~is_first):
        thresholds = choose_thresholds(trials.where(is_chosen_on), error_share=error_share)
        met[~is_chosen_on] = thresholds.are_met(trials.where(~is_chosen_on))
    return Outcome(float(met.mean()), trials.where(met).error, trials.error)


def _lowest_error(trials: Trials, met: BoolArray) -> float:
    """Error of the reliable estimates that have the lowest quality."""
    positions = np.flatnonzero(met)
    lowest = positions[np.argsort(trials.quality[positions], kind="stable")[:_N_LOWEST]]
    return float((~trials.is_correct[lowest]).mean())


def _is_bearable(met: BoolArray, is_wrong: BoolArray, limit: float) -> bool:
    n_met, n_wrong = int(met.sum()), int((met & is_wrong).sum())
    return n_wrong <= limit * n_met or float(binom.sf(n_wrong - 1, n_met, limit)) >= _CHANCE
