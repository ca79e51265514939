"""Thresholds of the `reliable` rule, chosen from trials.

An estimate is reliable when its quality is at least one threshold and its uncertainty at most the
other. Of all pairs the one is taken that calls the most estimates reliable while

1. their error is at most a share (one half) of the error of all estimates,
2. in no kind of trial, clean or spoiled, it is greater than the error of all estimates by more than
   chance explains (one-sided binomial test, 5 %), and
3. the hundred of the lowest quality err no more often than estimates on clean pictures do.

With several data sets all three hold in each of them, and the mean of their shares is what is made
large: a rule must not be paid for by those who resemble the smaller set.

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


def choose_thresholds(*domains: Trials, error_share: float = DEFAULT_ERROR_SHARE) -> Thresholds:
    """Choose the thresholds on trials that all have a face, of one data set or of several.

    Raises:
        DataError: No pair meets the conditions.
    """
    known = [_Domain.of(trials, error_share) for trials in domains]
    best: tuple[float, float, Thresholds] | None = None
    for min_quality in _MIN_QUALITIES:
        for max_uncertainty in _MAX_UNCERTAINTIES:
            thresholds = Thresholds(float(min_quality), float(max_uncertainty))
            met = [thresholds.are_met(domain.trials) for domain in known]
            share = float(np.mean([own.mean() for own in met]))
            if not share:
                continue
            wrong = float(
                np.mean([(own & d.is_wrong).mean() for own, d in zip(met, known, strict=True)])
            )
            if best is not None and (share, -wrong) <= best[:2]:
                continue
            if all(domain.bears(own) for own, domain in zip(met, known, strict=True)):
                best = (share, -wrong, thresholds)
    if best is None:
        raise DataError(
            f"No thresholds bring the error to {error_share:.0%} of that of all estimates, and "
            "below it in every kind of trial; the model or the sample is too small."
        )
    return best[2]


@dataclass(frozen=True, slots=True)
class _Domain:
    """Trials of one data set, with what the conditions compare them to."""

    trials: Trials
    is_wrong: BoolArray
    kinds: tuple[BoolArray, ...]
    clean_error: float
    error_share: float

    @classmethod
    def of(cls, trials: Trials, error_share: float) -> "_Domain":
        kinds = tuple(trials.is_kind(kind) for kind in sorted(set(trials.kind)))
        clean_error = trials.where(trials.is_kind(CLEAN)).error
        return cls(trials, ~trials.is_correct, kinds, clean_error, error_share)

    def bears(self, met: BoolArray) -> bool:
        """Tell whether the three conditions hold for the estimates that are called reliable."""
        limit = self.trials.error
        n_met, n_wrong = int(met.sum()), int((met & self.is_wrong).sum())
        if not n_met or n_wrong > self.error_share * limit * n_met:
            return False
        if not all(_is_bearable(met & kind, self.is_wrong, limit) for kind in self.kinds):
            return False
        return not _lowest_error(self.trials, met) > self.clean_error


def cross_check(trials: Trials, *others: Trials, error_share: float, seed: int = 0) -> Outcome:
    """Choose on one half of the pictures and measure on the other, both ways.

    Args:
        trials: What is measured.
        others: Further data sets the thresholds are chosen on as well, a half of each.
        error_share: As in `choose_thresholds`.
        seed: Of the halves.

    Raises:
        DataError: No pair meets the conditions on a half.
    """
    domains = (trials, *others)
    generator = np.random.default_rng(seed)
    first = []
    for domain in domains:
        pictures = np.unique(domain.image)
        half = generator.permutation(pictures)[: len(pictures) // 2]
        first.append(np.isin(domain.image, half))
    met = np.zeros(len(trials), dtype=bool)
    for is_second in (False, True):
        halves = [
            domain.where(own != is_second) for domain, own in zip(domains, first, strict=True)
        ]
        thresholds = choose_thresholds(*halves, error_share=error_share)
        is_measured = first[0] == is_second
        met[is_measured] = thresholds.are_met(trials.where(is_measured))
    return Outcome(float(met.mean()), trials.where(met).error, trials.error)


def _lowest_error(trials: Trials, met: BoolArray) -> float:
    """Error of the reliable estimates that have the lowest quality."""
    positions = np.flatnonzero(met)
    lowest = positions[np.argsort(trials.quality[positions], kind="stable")[:_N_LOWEST]]
    return float((~trials.is_correct[lowest]).mean())


def _is_bearable(met: BoolArray, is_wrong: BoolArray, limit: float) -> bool:
    n_met, n_wrong = int(met.sum()), int((met & is_wrong).sum())
    return n_wrong <= limit * n_met or float(binom.sf(n_wrong - 1, n_met, limit)) >= _CHANCE
