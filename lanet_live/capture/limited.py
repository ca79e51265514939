"""Only the first part of another source."""

from dataclasses import replace

from lanet_live.capture.base import FrameSource, SourceFacts, SourceReport
from lanet_live.records import Frame


class LimitedSource:
    """Ends a source after some of its own time; that end is a normal one.

    Args:
        source: Where the frames come from.
        duration_s: Frames this much later than the first one, and all after them, are left out.
    """

    def __init__(self, source: FrameSource, duration_s: float) -> None:
        self._source = source
        self._duration_s = duration_s
        self._first_s: float | None = None
        self._n_beyond = 0

    def open(self) -> SourceFacts:
        """Open the source."""
        return self._source.open()

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end or when the time is over."""
        if self._n_beyond:
            return None
        frame = self._source.read()
        if frame is None:
            return None
        if self._first_s is None:
            self._first_s = frame.timestamp_s
        if frame.timestamp_s - self._first_s < self._duration_s:
            return frame
        self._n_beyond = 1
        return None

    def report(self) -> SourceReport:
        """Tell what happened so far; the frame that marked the end is not counted."""
        report = self._source.report()
        return replace(report, n_decoded=report.n_decoded - self._n_beyond)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
