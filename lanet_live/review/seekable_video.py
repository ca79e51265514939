"""A video file from which any frame can be had by its time."""

import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from lanet_live.capture.video_file import VideoFileSource
from lanet_live.errors import SourceLost
from lanet_live.records import Frame

# Time stamps of table and container are rounded differently: to microseconds and to ticks.
_TOLERANCE_S: Final = 0.002
# Decoding on is cheaper than seeking for about this long.
_NEAR_S: Final = 0.7
_CACHE_BYTES: Final = 96_000_000
_MAX_BACKWARD_SEEKS: Final = 4


class SeekableVideo(VideoFileSource):
    """Reads frames by time; the last ones read are kept. Used by one thread.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._kept: OrderedDict[float, tuple[float, Frame]] = OrderedDict()
        self._held: Any = None  # decoded, but later than what was asked for
        self._position_s = float("inf")

    def read_at(self, time_s: float) -> Frame | None:
        """Return the frame on show at a moment; the first one before the beginning.

        Args:
            time_s: In the video's own time.

        Raises:
            SourceLost: The file cannot be read there.
        """
        for key, (until_s, frame) in self._kept.items():
            if key - _TOLERANCE_S <= time_s < until_s - _TOLERANCE_S:
                self._kept.move_to_end(key)
                return frame
        if not self._position_s <= time_s < self._position_s + _NEAR_S:
            self._seek(time_s)
        return self._decode_up_to(time_s)

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._held = None
        self._kept.clear()
        super().close()

    def _seek(self, time_s: float) -> None:
        """Go to the last key frame at or before a moment."""
        import av

        self._first = self._held = None
        back_s = 0.0
        for attempt in range(_MAX_BACKWARD_SEEKS):
            ticks = int((time_s - back_s + _TOLERANCE_S) / self._stream.time_base)
            try:
                self._container.seek(ticks, stream=self._stream, backward=True)
            except av.FFmpegError as error:
                raise SourceLost(f"{self._path.name} cannot be read at {time_s:.1f} s.") from error
            self._pictures = self._decode()
            self._held = next(self._pictures, None)
            # Some containers land behind the moment: then from further back.
            is_behind = self._held is not None and self._time_of(self._held) > time_s
            if not is_behind or time_s - back_s < 0:
                return
            back_s += 1.0 * 3**attempt

    def _decode_up_to(self, time_s: float) -> Frame | None:
        """Decode to the last picture not later than a moment; only that one is converted."""
        shown, self._held = self._held, None
        if shown is None:
            shown = next(self._pictures, None)
        if shown is None:
            self._position_s = float("inf")
            return None
        following = next(self._pictures, None)
        while following is not None and self._time_of(following) <= time_s + _TOLERANCE_S:
            shown, following = following, next(self._pictures, None)
        self._held = following
        shown_s = self._time_of(shown)
        until_s = float("inf") if following is None else self._time_of(following)
        self._position_s = until_s
        frame = self._frame_of(shown, shown_s)
        self._keep(shown_s, until_s, frame)
        return frame

    def _time_of(self, picture: Any) -> float:
        return float(picture.pts * picture.time_base) if picture.pts is not None else 0.0

    def _frame_of(self, picture: Any, time_s: float) -> Frame:
        return Frame(
            image_bgr=self._to_bgr(picture),
            index=-1,
            timestamp_s=time_s,
            captured_at_s=time.perf_counter(),
            source_id=self._path.name,
        )

    def _keep(self, shown_s: float, until_s: float, frame: Frame) -> None:
        self._kept[shown_s] = (until_s, frame)
        n_bytes = sum(kept.image_bgr.nbytes for _, kept in self._kept.values())
        while n_bytes > _CACHE_BYTES and len(self._kept) > 1:
            _, (_, oldest) = self._kept.popitem(last=False)
            n_bytes -= oldest.image_bgr.nbytes
