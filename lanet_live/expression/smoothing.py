"""Steadier probabilities for the eye. Never a replacement for the raw ones.

An exponential mean over the source's own time: a gap of any length weighs as much as it lasted, so
variable frame rates and dropped frames are handled. A convex combination, so the result sums to 1.
"""

import math

import numpy as np
from numpy.typing import NDArray

F64Array = NDArray[np.float64]

DEFAULT_TIME_CONSTANT_S = 0.25
# A face that was gone for longer starts afresh: what it showed before says little about now.
MAX_GAP_S = 1.0


class ProbabilitySmoother:
    """Exponential mean per face.

    Args:
        time_constant_s: After this time a step has covered 63 % of its way.
    """

    def __init__(self, time_constant_s: float) -> None:
        if not (math.isfinite(time_constant_s) and time_constant_s > 0):
            raise ValueError(f"time_constant_s must be positive, got {time_constant_s}")
        self.time_constant_s = time_constant_s
        self._states: dict[int, tuple[float, F64Array]] = {}

    def update(self, face_id: int, timestamp_s: float, probabilities: F64Array) -> F64Array:
        """Take in one distribution and return the smoothed one.

        Args:
            face_id: Whose it is.
            timestamp_s: The frame's presentation time; going backwards starts afresh.
            probabilities: (C,), sums to 1.

        Returns:
            (C,) float64, sums to 1.
        """
        last = self._states.get(face_id)
        smoothed = probabilities
        if last is not None and 0 <= timestamp_s - last[0] <= MAX_GAP_S:
            gain = -math.expm1(-(timestamp_s - last[0]) / self.time_constant_s)
            smoothed = last[1] + gain * (probabilities - last[1])
        self._states[face_id] = (timestamp_s, smoothed)
        return smoothed

    def forget_gone(self, timestamp_s: float) -> None:
        """Drop the state of faces that could not be continued at this time."""
        self._states = {
            face_id: state
            for face_id, state in self._states.items()
            if abs(timestamp_s - state[0]) <= MAX_GAP_S
        }
