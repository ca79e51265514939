"""Calibrate a model on several data sets at once, and measure it where it was not fitted.

A model that is as sure as it is right at home is too sure elsewhere. So offsets, temperature and
the thresholds of the `reliable` rule are fitted on all data sets together, each with the same
weight however large it is, on clean and on degraded pictures. What is reported is measured on other
persons than those fitted on (halves, both ways), and, for a domain never seen before, with one data
set left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.expression.uncertainty import normalised_entropy, softmax
from lanet_trainer.errors import DataError
from lanet_trainer.evaluation.calibration import fit_offsets, fit_temperature_to_labels
from lanet_trainer.evaluation.degradations import CLEAN
from lanet_trainer.evaluation.found_faces import FoundFaces
from lanet_trainer.evaluation.reliability import Trials
from lanet_trainer.evaluation.shift import Pictures, figures_of
from lanet_trainer.evaluation.thresholds import Thresholds, choose_thresholds
from lanet_trainer.metrics import Judged

F64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

FIGURES: Final[tuple[str, ...]] = (
    "accuracy", "mean_class_accuracy", "js", "spearman_uncertainty_votes", "aurc", "ece",
    "sure_share", "sure_error", "reliable_share", "reliable_error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Domain:
    """The pictures of one data set, clean and degraded, and what a model says of them.

    Attributes:
        faces: The faces found, missed ones included.
        logits: Averaged over the model's views, (N, C); NaN for a missed face.
    """

    faces: FoundFaces
    logits: F64Array

    def where(self, chosen: BoolArray) -> "Domain":
        """Return the chosen pictures."""
        return Domain(self.faces.where(chosen), self.logits[chosen])

    @property
    def is_clean(self) -> BoolArray:
        """Which pictures are not degraded, (N,)."""
        return np.asarray(self.faces.kind == CLEAN)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a calibration is fitted.

    Attributes:
        error_share: Error of reliable estimates, at most this share of that of all.
        with_offsets: Fit offsets of the classes as well as the temperature. They help where the
            class shares of all data sets are alike, and move the home domain where they are not.
    """

    error_share: float
    with_offsets: bool = True


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns logits into probabilities and says which are reliable.

    Attributes:
        offsets: Added to the logits, (C,), summing to 0.
        temperature: probabilities = softmax((logits + offsets) / temperature).
        thresholds: Of the `reliable` rule; None where no pair meets its conditions.
    """

    offsets: F64Array
    temperature: float
    thresholds: Thresholds | None

    def probabilities(self, domain: Domain) -> F64Array:
        """Return the calibrated probabilities, (N, C); NaN for a missed face."""
        return softmax(domain.logits + self.offsets, temperature=self.temperature)

    def answer(self, domain: Domain) -> Pictures:
        """Return what the app would say of the pictures, beside what people said."""
        faces = domain.faces
        votes = faces.votes if np.isfinite(faces.votes).all() else None
        judged = Judged(self.probabilities(domain), faces.label, votes)
        is_reliable = np.zeros(len(faces), dtype=bool)
        if self.thresholds is not None:
            is_reliable = faces.quality >= self.thresholds.min_quality
            is_reliable &= judged.uncertainty <= self.thresholds.max_uncertainty
        return Pictures(judged, is_reliable)


def fit_calibration(domains: Sequence[Domain], rule: Rule) -> Calibration:
    """Fit temperature, and offsets if asked for, on the labels; then choose the thresholds.

    Raises:
        DataError: No face was found in any picture.
    """
    found = [domain.where(domain.faces.is_found) for domain in domains]
    logits = np.concatenate([domain.logits for domain in found])
    labels = np.concatenate([domain.faces.label for domain in found])
    weights = np.concatenate([np.full(len(d.logits), 1 / max(1, len(d.logits))) for d in found])
    if rule.with_offsets:
        offsets, temperature = fit_offsets(logits, labels, weights)
    else:
        offsets = np.zeros(logits.shape[1])
        temperature = fit_temperature_to_labels(logits, labels, weights)
    calibration = Calibration(offsets, temperature, None)
    try:
        thresholds = choose_thresholds(
            *(_trials(domain, calibration) for domain in found), error_share=rule.error_share
        )
    except DataError:
        # The model or the sample is too small for the rule: nothing is called reliable.
        thresholds = None
    return Calibration(offsets, temperature, thresholds)


def cross_fitted(measured: Domain, others: Sequence[Domain], rule: Rule, *, seed: int) -> Pictures:
    """Answer each half of the persons with what was fitted on the other half, of all data sets."""
    domains = (measured, *others)
    generator = np.random.default_rng(seed)
    first = [_half_of_persons(domain.faces, generator) for domain in domains]
    pieces, index = [], []
    for is_second in (False, True):
        halves = [d.where(own != is_second) for d, own in zip(domains, first, strict=True)]
        calibration = fit_calibration(halves, rule)
        is_measured = first[0] == is_second
        pieces.append(calibration.answer(measured.where(is_measured)))
        index.append(np.flatnonzero(is_measured))
    order = np.argsort(np.concatenate(index))
    return _put_together(pieces).take(order)


def measure_calibrations(
    domains: Mapping[str, Domain],
    present: Calibration,
    rule: Rule,
    *,
    n_halvings: int = 5,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure ways to calibrate on every data set, clean and degraded.

    Args:
        domains: Name -> pictures; the first is the model's home.
        present: What the model brings along.
        rule: How to fit.
        n_halvings: Random divisions of the persons the cross-fitted figures are averaged over.
        seed: Of the divisions.

    Returns:
        Way -> data set -> "clean" or "degraded" -> figure -> value.
    """
    names = list(domains)
    home = domains[names[0]]
    seeds = range(seed, seed + n_halvings)
    at_home = fit_calibration([home], rule)
    rows: dict[str, dict[str, list[Pictures]]] = {
        "as it is": {name: [present.answer(domains[name])] for name in names},
        f"fitted on {names[0]}": {
            name: [
                at_home.answer(domains[name])
                if name != names[0]
                else cross_fitted(home, [], rule, seed=s)
                for s in seeds
            ]
            for name in names
        },
    }
    if len(names) > 1:
        rows["fitted on all, on other persons"] = {
            name: [cross_fitted(domains[name], _others(domains, name), rule, seed=s) for s in seeds]
            for name in names
        }
        rows["fitted on all but this one"] = {
            name: [fit_calibration(_others(domains, name), rule).answer(domains[name])]
            for name in names
        }
    return {
        way: {name: _figures(runs, domains[name]) for name, runs in by_domain.items()}
        for way, by_domain in rows.items()
    }


def class_shares_of(domains: Sequence[Domain], n_classes: int) -> F64Array:
    """Return how frequent each class is where a calibration holds, (C,): mean over the sets."""
    shares = []
    for domain in domains:
        counts = np.bincount(domain.faces.label, minlength=n_classes) + 0.5
        shares.append(counts / counts.sum())
    return np.asarray(np.mean(shares, axis=0), dtype=np.float64)


def _figures(runs: Sequence[Pictures], domain: Domain) -> dict[str, dict[str, float | None]]:
    """Average the figures of several runs on the same pictures, clean and degraded apart."""
    names = domain.faces.class_names.tolist()
    result = {}
    for part, chosen in (("clean", domain.is_clean), ("degraded", ~domain.is_clean)):
        if chosen.any():
            index = np.flatnonzero(chosen)
            values = [figures_of(run.take(index), names) for run in runs]
            result[part] = {
                figure: _mean([value[figure] for value in values])
                for figure in FIGURES
                if figure in values[0]
            }
    return result


def _mean(values: Sequence[float]) -> float | None:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else None


def _others(domains: Mapping[str, Domain], name: str) -> list[Domain]:
    return [domain for other, domain in domains.items() if other != name]


def _half_of_persons(faces: FoundFaces, generator: np.random.Generator) -> BoolArray:
    persons = np.unique(faces.person)
    half = generator.permutation(persons)[: len(persons) // 2]
    return np.isin(faces.person, half)


def _put_together(pieces: Sequence[Pictures]) -> Pictures:
    judged = [piece.judged for piece in pieces]
    votes = None
    if judged[0].votes is not None:
        votes = np.concatenate([part.votes for part in judged if part.votes is not None])
    return Pictures(
        Judged(
            np.concatenate([part.probabilities for part in judged]),
            np.concatenate([part.labels for part in judged]),
            votes,
        ),
        np.concatenate([piece.is_reliable for piece in pieces]),
    )


def _trials(domain: Domain, calibration: Calibration) -> Trials:
    """Return the found faces of a data set as trials of reliability."""
    faces = domain.faces
    probabilities = calibration.probabilities(domain)
    unknown = np.full(len(faces), np.nan)
    return Trials(
        image=np.unique(faces.person, return_inverse=True)[1],
        kind=tuple(faces.kind.tolist()),
        level=np.where(domain.is_clean, -1, 0),
        is_found=faces.is_found,
        is_correct=probabilities.argmax(axis=1) == faces.label,
        uncertainty=normalised_entropy(probabilities),
        disagreement=unknown,
        quality=faces.quality,
        reasons=((),) * len(faces),
    )
