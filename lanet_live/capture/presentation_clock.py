"""Presentation times in seconds, filled in honestly where the file has none."""

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(slots=True)
class PresentationClock:
    """Turns the decoder's time stamps into seconds and counts those it had to make up.

    A frame without a time stamp is put one frame duration after the one before it.

    Attributes:
        start_s: Time of a first frame that has no time stamp, in seconds.
        frame_s: Duration of a frame for which the file states none, in seconds.
        n_made_up: Frames whose time was made up.
        n_backward: Frames the file puts before the frame shown ahead of them. Their times are
            kept as they are.
    """

    start_s: float
    frame_s: float
    n_made_up: int = 0
    n_backward: int = 0
    _last_s: float | None = field(default=None, init=False)
    _last_frame_s: float = field(default=0.0, init=False)

    def read(self, pts: int | None, *, duration: int | None, time_base: Fraction) -> float:
        """Return the time of the next frame in seconds.

        Args:
            pts: Presentation time in units of `time_base`; None when the file has none.
            duration: Of the frame in the same units; None or 0 when unknown.
            time_base: Length of the unit in seconds.
        """
        if pts is not None:
            time_s = float(pts * time_base)
        else:
            self.n_made_up += 1
            time_s = self.start_s if self._last_s is None else self._last_s + self._last_frame_s
        if self._last_s is not None and time_s < self._last_s:
            self.n_backward += 1
        self._last_s = time_s
        self._last_frame_s = float(duration * time_base) if duration else self.frame_s
        return time_s
