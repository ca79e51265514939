"""One face as the window shows it: the estimate, its name, and what the user asked to see of it."""

from dataclasses import dataclass

import numpy as np

from lanet_live.records import ExpressionEstimate, F64Array


@dataclass(frozen=True, slots=True)
class FaceReading:
    """What is shown of one face at one moment.

    Attributes:
        name: Given by the user, or "Face 0".
        estimate: As measured.
        shown: What the bars and labels show, (C,), sums to 1: the raw probabilities, the smoothed
            ones, or those corrected by the person's neutral baseline.
        note: How `shown` differs from the raw values, e.g. "baseline-corrected"; empty if it
            does not.
        is_corrected: `shown` is corrected by a baseline or to other class shares.
    """

    name: str
    estimate: ExpressionEstimate
    shown: F64Array
    note: str = ""
    is_corrected: bool = False

    @property
    def face_id(self) -> int:
        """As in the tables."""
        return self.estimate.face_id

    @property
    def top(self) -> tuple[str, float]:
        """The most probable class of `shown` and its probability."""
        best = int(np.argmax(self.shown))
        return self.estimate.labels[best], float(self.shown[best])

    @property
    def answer(self) -> str:
        """What the face shows, in words: the top class, or the classes that remain possible.

        A set stands for the raw values; where a correction is shown, so is its top class.
        """
        label, probability = self.top
        rest = self.estimate.prediction_set
        if len(rest) < 2 or self.is_corrected:
            return f"{label.capitalize()} {probability * 100:.0f} %"
        # Three names are too long for a card.
        others = rest[1] if len(rest) == 2 else f"{len(rest) - 1} others"
        return f"{rest[0].capitalize()} or {others}"

    @property
    def why_unreliable(self) -> str:
        """Why the estimate is not reliable, in words; empty when it is."""
        if self.estimate.is_reliable:
            return ""
        reasons = self.estimate.quality.reasons
        return readable(reasons[0]) if reasons else "ambiguous expression"


def readable(reason: str) -> str:
    """Turn a reason's name into words."""
    return reason.replace("_", " ")


def default_name(face_id: int) -> str:
    """Name of a face nobody has named; the number is the one in the tables."""
    return f"Face {face_id}"
