"""Steady landmarks: the One-Euro filter (Casiez et al. 2012) over the points of one mesh.

MediaPipe smooths with it when it follows one face through a video, with these constants; the same
is done here for every face that is followed. Speed is measured in sizes of the face, so that one
near the camera is smoothed like one far away.
"""

from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

F32Array = NDArray[np.float32]

_LEAST_CUTOFF_HZ: Final = 0.05
_CUTOFF_PER_SPEED: Final = 80.0
_SPEED_CUTOFF_HZ: Final = 1.0


class OneEuroFilter:
    """Smooths an array over time: still points strongly, moving ones hardly."""

    def __init__(self) -> None:
        self._raw: F32Array | None = None
        self._smoothed: F32Array | None = None
        self._speed: F32Array | None = None
        self._last_s = 0.0

    def update(self, values: F32Array, *, now_s: float, scale: float) -> F32Array:
        """Return the smoothed values.

        Args:
            values: Any shape, always the same.
            now_s: Time; if it does not grow, the values are returned as they are.
            scale: What the values are measured by, > 0.
        """
        if self._raw is None or self._smoothed is None or self._speed is None:
            self._raw = self._smoothed = values
            self._speed = np.zeros_like(values)
            self._last_s = now_s
            return values
        period_s = now_s - self._last_s
        if period_s <= 0:
            return values
        self._last_s = now_s
        speed = (values - self._raw) * np.float32(1.0 / (scale * period_s))
        self._raw = values
        share = np.float32(_share(_SPEED_CUTOFF_HZ, period_s))
        self._speed = self._speed + share * (speed - self._speed)
        cutoff_hz = np.float32(_LEAST_CUTOFF_HZ) + np.float32(_CUTOFF_PER_SPEED) * np.abs(
            self._speed
        )
        turns = np.float32(2 * pi * period_s) * cutoff_hz
        self._smoothed = self._smoothed + turns / (1 + turns) * (values - self._smoothed)
        return self._smoothed


def face_size(landmarks_px: F32Array) -> float:
    """Return the mean of width and height of a mesh (478, 2)."""
    return max(float(np.ptp(landmarks_px, axis=0).mean()), 1.0)


def _share(cutoff_hz: float, period_s: float) -> float:
    """Return the weight of the newest value in a low pass of first order."""
    turns = 2 * pi * cutoff_hz * period_s
    return turns / (1 + turns)
