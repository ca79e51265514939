"""Correct for how a person's resting face looks to the model.

Some faces look a little sad or angry to the model while they rest. A few seconds of the neutral
face show by how much, and the correction takes exactly that away.

The arithmetic, with natural logarithms and one neutral class n:

- The log-odds of class k against neutral are l_k = ln p_k - ln p_n.
- Over the capture their median is m_k. A neutral face should show at most `REST_SHARE` of every
  other class, i.e. log-odds r = ln(REST_SHARE / (1 - (C - 1) REST_SHARE)).
- The offset of class k is o_k = min(max(0, m_k - r), MAX_OFFSET), and 0 for neutral. It is never
  negative: the correction takes away what rest already shows and adds no expression. It is
  bounded, so that a smile during the capture cannot suppress happiness permanently.
- Corrected probabilities are softmax(ln p - o). With an offset of zero they are the raw ones.

The median is used, since blinks and a word spoken last a few frames only. Raw values stay what they
are everywhere; corrected ones are shown and stored beside them.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from lanet_live.errors import ConfigError
from lanet_live.records import F64Array

NEUTRAL: Final = "neutral"
REST_SHARE: Final = 0.02
# A factor of 55 in the odds: enough for a resting face that looks half sad, half neutral.
MAX_OFFSET: Final = 4.0
MIN_SAMPLES: Final = 20
# Log-odds that vary more than this (interquartile range) are not a face at rest.
_MAX_SPREAD: Final = 2.0
_SMALLEST: Final = 1e-6
_MAX_JSON_CHARS: Final = 100_000
_MAX_NAME_CHARS: Final = 60
_SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class BaselineProfile:
    """The resting face of one person, as one model sees it.

    Attributes:
        name: Of the person.
        labels: Classes of the model, (C,).
        offsets: Taken off the log-odds of each class, (C,); 0 for neutral, never negative.
        n_samples: Frames of the capture.
        model_sha256: Of the model it was captured with; it fits no other.
        captured_at: ISO date and time.
    """

    name: str
    labels: tuple[str, ...]
    offsets: tuple[float, ...]
    n_samples: int
    model_sha256: str
    captured_at: str

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.offsets):
            raise ConfigError("The baseline profile has not one offset per class.")
        if not all(math.isfinite(o) and 0 <= o <= MAX_OFFSET for o in self.offsets):
            raise ConfigError(f"The baseline profile has an offset outside 0 to {MAX_OFFSET}.")
        if not 0 < len(self.name) <= _MAX_NAME_CHARS:
            raise ConfigError(f"A baseline profile needs a name of 1 to {_MAX_NAME_CHARS} letters.")

    def correct(self, probabilities: F64Array) -> F64Array:
        """Return the corrected probabilities, (..., C), summing to 1."""
        return correct(probabilities, np.array(self.offsets))

    def to_json(self) -> str:
        """Write the profile as JSON text."""
        return json.dumps({"schema_version": _SCHEMA_VERSION, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "BaselineProfile":
        """Read a profile from untrusted JSON text.

        Raises:
            ConfigError: It is not a profile of this version.
        """
        if len(text) > _MAX_JSON_CHARS:
            raise ConfigError("The baseline profile is too long to be real.")
        try:
            values = json.loads(text)
            return _profile_from(values)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(f"The baseline profile is not readable: {error}.") from error


@dataclass(frozen=True, slots=True)
class BaselineMeasurement:
    """What a capture gave.

    Attributes:
        labels: Classes of the model, (C,).
        offsets: Per class, (C,).
        n_samples: Frames it is made from.
        warnings: Sentences for the user: what makes it doubtful.
    """

    labels: tuple[str, ...]
    offsets: F64Array
    n_samples: int
    warnings: tuple[str, ...]


def correct(probabilities: F64Array, offsets: F64Array) -> F64Array:
    """Take offsets off the log-odds and renormalise.

    Args:
        probabilities: (..., C), each summing to 1.
        offsets: (C,).

    Returns:
        (..., C), each summing to 1.
    """
    weights = probabilities * np.exp(-offsets)
    corrected: F64Array = weights / weights.sum(axis=-1, keepdims=True)
    return corrected


def measure_baseline(probabilities: F64Array, labels: tuple[str, ...]) -> BaselineMeasurement:
    """Find the offsets of a resting face.

    Args:
        probabilities: Raw, one row per usable frame of the capture, (N, C).
        labels: Class names, (C,).

    Raises:
        ConfigError: The model has no neutral class, or there are too few frames.
    """
    if NEUTRAL not in labels:
        raise ConfigError("This model has no class 'neutral', so there is no baseline to measure.")
    n_samples = len(probabilities)
    if n_samples < MIN_SAMPLES:
        raise ConfigError(
            f"Only {n_samples} usable frames of the face were seen, {MIN_SAMPLES} are needed. "
            "Look at the camera in good light and try again."
        )
    neutral = labels.index(NEUTRAL)
    logs = np.log(np.maximum(probabilities, _SMALLEST))
    log_odds = logs - logs[:, [neutral]]  # (N, C)
    rest = math.log(REST_SHARE / (1 - (len(labels) - 1) * REST_SHARE))
    excess = np.median(log_odds, axis=0) - rest
    offsets = np.clip(excess, 0.0, MAX_OFFSET)
    offsets[neutral] = 0.0
    return BaselineMeasurement(
        labels, offsets, n_samples, _judge(log_odds, excess, offsets, labels)
    )


def _judge(
    log_odds: F64Array, excess: F64Array, offsets: F64Array, labels: tuple[str, ...]
) -> tuple[str, ...]:
    """Say what makes a capture doubtful."""
    warnings = []
    matters = offsets > 0
    spread = np.subtract(*np.percentile(log_odds, [75, 25], axis=0))
    if (spread[matters] > _MAX_SPREAD).any():
        warnings.append("The face moved during the capture; hold it still and try again.")
    neutral = labels.index(NEUTRAL)
    is_cut = (excess > MAX_OFFSET) & (np.arange(len(labels)) != neutral)
    if is_cut.any():
        names = " and ".join(label for label, cut in zip(labels, is_cut, strict=True) if cut)
        warnings.append(
            f"The face showed so much {names} that it can only be corrected in part; "
            "was it at rest?"
        )
    return tuple(warnings)


def _profile_from(values: dict[str, Any]) -> BaselineProfile:
    if values["schema_version"] != _SCHEMA_VERSION:
        raise ValueError(f"schema version {values['schema_version']} is not known")
    texts = (values["name"], values["model_sha256"], values["captured_at"], *values["labels"])
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a name is not text")
    return BaselineProfile(
        name=values["name"],
        labels=tuple(values["labels"]),
        offsets=tuple(float(offset) for offset in values["offsets"]),
        n_samples=int(values["n_samples"]),
        model_sha256=values["model_sha256"],
        captured_at=values["captured_at"],
    )
