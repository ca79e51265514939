"""Writes the video of a reviewed recording with what was measured drawn on it.

The drawing is that of the command line's annotated video. Its frames are those of the table, at the
table's times; an excluded range is one dark card that says so.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.drawing.history import MAX_GAP_S
from lanet_live.drawing.overlay import draw_card, draw_result
from lanet_live.errors import ConfigError, SinkError
from lanet_live.records import U8Array
from lanet_live.review.edits import Edits
from lanet_live.review.export_table import ExportSpan
from lanet_live.review.export_watch import ExportWatch
from lanet_live.review.frame_rows import result_of
from lanet_live.review.recording import Recording
from lanet_live.review.reviewed import Reviewed, review
from lanet_live.review.seekable_video import SeekableVideo
from lanet_live.sinks.mp4 import Mp4Writer
from lanet_live.sinks.output_file import published

SUFFIX: Final = ".mp4"


def export_video(
    path: Path,
    recording: Recording,
    edits: Edits,
    *,
    span: ExportSpan | None = None,
    watch: ExportWatch | None = None,
) -> int:
    """Write the annotated video; returns the number of frames whose picture the video lacks.

    Args:
        path: Ends with `.mp4`; a file that is there is replaced.
        recording: What was opened, with its video.
        edits: In force.
        span: Which part; everything when None.
        watch: Called with the progress.

    Raises:
        ConfigError: There is no video, or the path is not usable.
        SourceError: The video cannot be read.
        SinkError: It cannot be written, or no frame has a picture.
        ExportCancelled: It was stopped; nothing is left of it.
    """
    video_path = recording.video_path
    if video_path is None:
        raise ConfigError("This recording has no video; choose it first in the File menu.")
    if path.suffix.lower() != SUFFIX:
        raise ConfigError(f"{path.name} must end with {SUFFIX}.")
    if path.resolve() == video_path.resolve():
        raise ConfigError(f"{path} is the recording's own video, which is never changed.")
    reviewed = review(recording, edits)
    frames = _frames_in(recording, span or ExportSpan())
    watch = watch or ExportWatch()
    with published(path, overwrite=True) as part:
        pictures = _Pictures(recording, reviewed, edits)
        try:
            written = _write(part, pictures, frames, watch)
        finally:
            pictures.close()
        watch.finish()
        if not written:
            raise SinkError(f"{video_path.name} has no picture of this recording's time.")
    return len(frames) - written


def _frames_in(recording: Recording, span: ExportSpan) -> list[NDArray[np.int64]]:
    """Return the rows of every frame of a span, frame by frame."""
    table = recording.table
    is_inside = np.ones(len(table), dtype=bool)
    if span.start_s is not None:
        is_inside &= table.time_s >= span.start_s
    if span.end_s is not None:
        is_inside &= table.time_s <= span.end_s
    rows = np.flatnonzero(is_inside)
    if not len(rows):
        return []
    return np.split(rows, np.flatnonzero(np.diff(table.frame[rows])) + 1)


class _Pictures:
    """The drawn pictures of a recording, frame by frame."""

    def __init__(self, recording: Recording, reviewed: Reviewed, edits: Edits) -> None:
        assert recording.video_path is not None
        self._recording = recording
        self._reviewed = reviewed
        self._edits = edits
        self._video = SeekableVideo(recording.video_path)
        facts = self._video.open()
        self._size_wh = (facts.width_px, facts.height_px)
        self._excluded_since_s: float | None = None

    def close(self) -> None:
        """Close the video."""
        self._video.close()

    def draw(self, rows: NDArray[np.int64]) -> Iterator[tuple[float, U8Array]]:
        """Yield moment and picture of a frame; nothing within an excluded range after its card."""
        table = self._recording.table
        time_s = float(table.time_s[rows[0]])
        excluded = self._excluded_at(time_s)
        if excluded is not None:
            if excluded[0] != self._excluded_since_s:
                self._excluded_since_s = excluded[0]
                text = f"Excluded: {excluded[0]:.2f} s to {excluded[1]:.2f} s"
                yield time_s, draw_card(self._size_wh, text)
            return
        video_s = time_s + self._recording.video_shift_s
        frame = self._video.read_at(video_s)
        # The last picture of a video that ends early is not that of later frames.
        if frame is not None and video_s - frame.timestamp_s <= MAX_GAP_S:
            frame = replace(frame, index=int(table.frame[rows[0]]), timestamp_s=time_s)
            result = result_of(frame, table, self._reviewed, rows)
            yield time_s, draw_result(result, names=self._edits.names)

    def is_excluded(self, rows: NDArray[np.int64]) -> bool:
        """Whether a frame lies in an excluded range."""
        return bool(self._reviewed.is_excluded[rows[0]])

    def _excluded_at(self, time_s: float) -> tuple[float, float] | None:
        ranges = self._edits.excluded_s
        return next((span for span in ranges if span[0] <= time_s <= span[1]), None)


def _write(
    path: Path, pictures: _Pictures, frames: list[NDArray[np.int64]], watch: ExportWatch
) -> int:
    """Write the pictures; returns of how many frames there is one, or a card."""
    writer: Mp4Writer | None = None
    n_written = 0
    try:
        for n_done, rows in enumerate(frames):
            watch.step(n_done, len(frames))
            drawn = list(pictures.draw(rows))
            n_written += bool(drawn) or pictures.is_excluded(rows)
            for time_s, picture in drawn:
                if writer is None:
                    writer = Mp4Writer(path, picture.shape, overwrite=True)
                writer.append(picture, time_s)
    finally:
        if writer is not None:
            writer.close()
    return n_written
