"""Play a source as if it were live."""

import math
import threading
import time
from dataclasses import replace
from typing import Final

from lanet_live.capture.base import FrameSource, SourceFacts, SourceReport
from lanet_live.records import Frame

# Behind by more than this, playing goes on from here instead of rushing to catch up.
_MAX_LAG_S: Final = 0.1
# A longer gap between two time stamps is not waited for: a viewer would think it hangs.
_MAX_WAIT_S: Final = 10.0
_PICTURE_S: Final = 1.0


class PacedSource:
    """Hands out the frames of another source at the pace of their time stamps.

    A reader that is slower, or pauses, slows the playing down; nothing is left out. Pictures
    without time follow each other at one a second. Live sources pass through.

    Args:
        source: Where the frames come from.
        speed: 2 plays twice as fast.
        stop: Set it from any thread to end a wait; the frames then come without waiting.
    """

    def __init__(
        self, source: FrameSource, *, speed: float = 1.0, stop: threading.Event | None = None
    ) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed must be positive, not {speed}")
        self._source = source
        self._speed = speed
        self._stop = stop or threading.Event()
        self._is_live = False
        self._last_timestamp_s: float | None = None
        self._due_s = 0.0

    def open(self) -> SourceFacts:
        """Open the source."""
        facts = self._source.open()
        self._is_live = facts.is_live
        return facts

    def read(self) -> Frame | None:
        """Return the next frame when its time has come, or None at the end.

        `Frame.captured_at_s` is when it was handed out, as it is for a camera.
        """
        frame = self._source.read()
        if frame is None or self._is_live:
            return frame
        self._wait_for(frame.timestamp_s)
        return replace(frame, captured_at_s=time.perf_counter())

    def report(self) -> SourceReport:
        """Report what has happened so far."""
        return self._source.report()

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _wait_for(self, timestamp_s: float) -> None:
        now_s = time.perf_counter()
        if self._last_timestamp_s is None:
            step_s = 0.0
        elif math.isnan(timestamp_s):
            step_s = _PICTURE_S
        else:
            step_s = timestamp_s - self._last_timestamp_s
        self._last_timestamp_s = timestamp_s
        self._due_s += step_s / self._speed
        if not now_s - _MAX_LAG_S <= self._due_s <= now_s + _MAX_WAIT_S:
            self._due_s = now_s
        self._stop.wait(max(0.0, self._due_s - now_s))
