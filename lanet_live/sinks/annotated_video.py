"""The frames with what was measured on them, as an MP4 that plays even after a crash."""

import math
from pathlib import Path

from lanet_live.drawing.overlay import draw_result
from lanet_live.records import Frame, FrameResult
from lanet_live.sinks.mp4 import Mp4Writer


class AnnotatedVideoSink:
    """Draws each result and appends it to an MP4, which appears with the first one.

    Args:
        path: The MP4 file.
        overwrite: Replace a file that is there.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        self._overwrite = overwrite
        self._video: Mp4Writer | None = None

    def write(self, result: FrameResult) -> None:
        """Draw and encode one result."""
        picture = draw_result(result)
        if self._video is None:
            self._video = Mp4Writer(self.path, picture.shape, overwrite=self._overwrite)
        self._video.append(picture, _time_of(result.frame))

    def close(self) -> None:
        """Write out what the encoder holds and close the file."""
        if self._video is not None:
            video, self._video = self._video, None
            video.close()


def _time_of(frame: Frame) -> float:
    """Return when a frame is shown; the pictures of a folder, without time, change every second."""
    return frame.timestamp_s if math.isfinite(frame.timestamp_s) else float(frame.index)
