"""Say aloud how frequent each class is taken to be, and change it.

A calibrated probability holds where the classes are as frequent as where it was calibrated: the
model's `class_shares`, π. Where they are π' instead, and the faces of a class look the same, Bayes'
rule gives

    p'(c | x) ∝ p(c | x) · π'(c) / π(c).

If π' is not known, it can be estimated from the probabilities alone by the EM algorithm of Saerens,
Latinne & Decaestecker (Neural Computation 14, 2002): starting from π, the probabilities are
corrected to the present shares and their mean gives the next ones, until nothing changes. That is
the maximum-likelihood estimate, given that the probabilities are calibrated.
"""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lanet_engines.spec import ModelSpec
from lanet_live.config import BALANCED, FITTED, PriorConfig
from lanet_live.errors import ConfigError
from lanet_live.records import F64Array

_COLUMNS: Final = ["class", "share"]
_MAX_CHARS: Final = 100_000
# What rounding to two decimals may leave of a sum of 1, over eight classes.
_SUM_TOLERANCE: Final = 0.05
_MAX_ITERATIONS: Final = 10_000
_CONVERGED: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Prior:
    """Shares to correct to, for one model.

    Attributes:
        name: "balanced", or the file's.
        shares: Of each class, (C,), summing to 1.
        ratio: What the probabilities are multiplied by before they are renormalised, (C,).
    """

    name: str
    shares: F64Array
    ratio: F64Array

    def correct(self, probabilities: F64Array) -> F64Array:
        """Return the probabilities under these shares, (..., C), each row summing to 1."""
        return reweigh(probabilities, self.ratio)


def reweigh(probabilities: F64Array, ratio: F64Array) -> F64Array:
    """Multiply each class and renormalise: Bayes' correction for π' / π.

    Args:
        probabilities: (..., C), each row sums to 1.
        ratio: (C,), all above 0.

    Returns:
        (..., C), each row sums to 1.
    """
    weights = probabilities * ratio
    corrected: F64Array = weights / weights.sum(axis=-1, keepdims=True)
    return corrected


def resolve_prior(config: PriorConfig, spec: ModelSpec) -> Prior | None:
    """Fit a choice of the user to a model; None leaves the probabilities as they are fitted.

    Raises:
        ConfigError: The model does not say which shares it assumes, or has other classes.
    """
    if config.kind == FITTED:
        return None
    if spec.class_shares is None:
        raise ConfigError(
            f"The model {spec.name} does not say which class shares its probabilities assume, so "
            "they cannot be corrected to others; leave --prior at fitted, or export it with "
            "--class-shares."
        )
    n_classes = len(spec.labels)
    shares = np.full(n_classes, 1 / n_classes)
    if config.kind != BALANCED:
        given = dict(config.shares)
        if set(given) != set(spec.labels):
            odd = sorted(set(given) ^ set(spec.labels))
            raise ConfigError(
                f"The class shares in {config.name} must name the model's classes, "
                f"{', '.join(spec.labels)}; see {', '.join(odd)}."
            )
        shares = np.array([given[label] for label in spec.labels])
    return Prior(config.name, shares, shares / np.array(spec.class_shares))


def read_prior_file(path: Path) -> PriorConfig:
    """Read shares from a CSV with the columns class,share or a JSON object of class and share.

    Shares that sum to 1 but for their rounding are brought to 1.

    Raises:
        ConfigError: The file cannot be read, or does not hold shares.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_MAX_CHARS + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"The class shares in {path} cannot be read: {reason}.") from error
    if len(text) > _MAX_CHARS:
        raise ConfigError(f"{path} is too long to hold class shares.")
    try:
        given = _from_json(text) if path.suffix.lower() == ".json" else _from_csv(text)
    except (ValueError, csv.Error, RecursionError) as error:
        raise ConfigError(f"The class shares in {path} are not usable: {error}.") from error
    return check_shares(given, name=path.name)


def check_shares(given: Mapping[str, Any], *, name: str) -> PriorConfig:
    """Turn classes and shares from outside into a choice, their rounding evened out.

    Raises:
        ConfigError: A share is no number above 0 and at most 1, or they do not sum to 1.
    """
    try:
        shares = {label: _share(label, value) for label, value in given.items()}
    except ValueError as error:
        raise ConfigError(f"The class shares in {name} are not usable: {error}.") from error
    total = math.fsum(shares.values())
    if abs(total - 1) > _SUM_TOLERANCE:
        raise ConfigError(f"The class shares in {name} sum to {total:.3g} instead of 1.")
    return PriorConfig("file", name, tuple((k, share / total) for k, share in shares.items()))


def write_prior_file(path: Path, shares: Mapping[str, float]) -> None:
    """Write shares as `read_prior_file` reads them, a CSV.

    Raises:
        OSError: It cannot be written.
    """
    text = io.StringIO()
    rows = [_COLUMNS, *([label, f"{share:.6f}"] for label, share in shares.items())]
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")


def estimate_shares(probabilities: F64Array, class_shares: F64Array) -> F64Array:
    """Estimate how frequent the classes are, by EM (Saerens et al. 2002, equation 2.9).

    Args:
        probabilities: Calibrated where the classes have `class_shares`, (N, C), N at least 1.
        class_shares: (C,), all above 0.

    Returns:
        (C,), summing to 1.

    Raises:
        ValueError: There is nothing to estimate from.
    """
    if not len(probabilities):
        raise ValueError("there are no probabilities to estimate class shares from")
    likelihoods = probabilities / class_shares  # (N, C), up to a factor of each row
    shares = class_shares / class_shares.sum()
    for _ in range(_MAX_ITERATIONS):
        weights = likelihoods * shares
        following = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)
        step = float(np.abs(following - shares).max())
        shares = following
        if step < _CONVERGED:
            break
    return np.asarray(shares / shares.sum())


def _from_csv(text: str) -> dict[str, Any]:
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    if not rows or [cell.strip() for cell in rows[0]] != _COLUMNS:
        raise ValueError("its first line must be class,share")
    if any(len(row) != len(_COLUMNS) for row in rows):
        raise ValueError("every line must hold a class and its share")
    named = {row[0].strip(): row[1] for row in rows[1:]}
    if len(named) != len(rows) - 1:
        raise ValueError("a class is named twice")
    return named


def _from_json(text: str) -> dict[str, Any]:
    values = json.loads(text)
    if not isinstance(values, dict) or not values:
        raise ValueError("it must be an object of classes and their shares")
    return values


def _share(label: str, value: Any) -> float:
    try:
        share = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the share of {label} is not a number") from error
    if isinstance(value, bool) or not 0 < share <= 1:
        raise ValueError(f"the share of {label} must be above 0 and at most 1")
    return share
