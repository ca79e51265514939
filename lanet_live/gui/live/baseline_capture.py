"""Gathers a person's resting face over a few seconds of the source's time."""

from typing import Final

import numpy as np

from lanet_live.expression.baseline import BaselineMeasurement, measure_baseline
from lanet_live.gui.bridge import Moment
from lanet_live.records import F64Array

CAPTURE_S: Final = 4.0
# A face that does not show for this long is not going to be measured.
GIVE_UP_S: Final = 12.0


class BaselineCapture:
    """Collects the usable frames of one face until there are enough.

    Args:
        face_id: Whose.
        start_s: Begin, in the source's time.
        min_quality: Frames of lower quality are left out.
    """

    def __init__(self, face_id: int, start_s: float, min_quality: float) -> None:
        self.face_id = face_id
        self._start_s = start_s
        self._now_s = start_s
        self._min_quality = min_quality
        self._rows: list[F64Array] = []
        self._seen_s = 0.0
        self._last_s: float | None = None
        self._labels: tuple[str, ...] = ()

    @property
    def progress(self) -> float:
        """Share of the seconds gathered, 0 to 1."""
        return min(1.0, self._seen_s / CAPTURE_S)

    @property
    def is_done(self) -> bool:
        """Enough was gathered."""
        return self._seen_s >= CAPTURE_S

    @property
    def is_given_up(self) -> bool:
        """It took too long; the face was away or not usable."""
        return not self.is_done and self._now_s - self._start_s > GIVE_UP_S

    def take(self, moment: Moment) -> None:
        """Take in one frame."""
        self._now_s = moment.timestamp_s
        usable = [
            estimate
            for estimate in moment.estimates
            if estimate.face_id == self.face_id and estimate.quality.value >= self._min_quality
        ]
        if not usable or self.is_done:
            self._last_s = None
            return
        self._rows.append(usable[0].probabilities)
        self._labels = usable[0].labels
        if self._last_s is not None:
            self._seen_s += moment.timestamp_s - self._last_s
        self._last_s = moment.timestamp_s

    def measure(self) -> BaselineMeasurement:
        """Return what was gathered.

        Raises:
            ConfigError: There is too little of it, or the model knows no neutral face.
        """
        rows = np.array(self._rows) if self._rows else np.empty((0, len(self._labels)))
        return measure_baseline(rows, self._labels or ("neutral",))
