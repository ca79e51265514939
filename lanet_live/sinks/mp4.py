"""Pictures with their time stamps as an MP4 that plays even after a crash.

The MP4 is fragmented: it has no index at its end, and everything up to the last fragment, at most
a second long, plays. Frames keep their time stamps, so variable frame rates stay as they were.
"""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lanet_live.errors import SinkError
from lanet_live.records import U8Array
from lanet_live.sinks.output_file import sink_error

_TIME_BASE = Fraction(1, 90_000)
_FRAGMENT_S = Fraction(1, 2)
# Of every MP4 written here.
MUXER_OPTIONS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont",
    "flush_packets": "1",
    # Else a video that starts at 3 s would be moved to start at 0.
    "avoid_negative_ts": "disabled",
}
# The first one this PyAV offers. Without reordering or look-ahead, so that a frame leaves the
# encoder at once.
_CODECS = {
    "libx264": {"preset": "veryfast", "crf": "21", "tune": "zerolatency", "forced-idr": "1"},
    "mpeg4": {"qscale": "4"},
}


class Mp4Writer:
    """Appends pictures with their time stamps to a fragmented MP4.

    Args:
        path: The file.
        shape: Of the first picture, (H, W, 3); later ones are brought to its size.
        overwrite: Replace a file that is there.

    Raises:
        SinkError: The file cannot be created.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], *, overwrite: bool) -> None:
        import av

        self._path = path
        # yuv420p wants even sides; a column or row is repeated where one is missing.
        self._size_wh = (shape[1] + shape[1] % 2, shape[0] + shape[0] % 2)
        self._last_pts: int | None = None
        self._last_key_pts = 0
        self._shift_s = 0.0
        try:
            self._file = io.FileIO(path, "w" if overwrite else "x")
        except OSError as error:
            raise sink_error(path, error) from error
        self._container: Any = av.open(
            self._file, "w", format="mp4", container_options=MUXER_OPTIONS
        )
        self._stream = self._add_stream()

    def append(self, picture: U8Array, timestamp_s: float) -> None:
        """Encode one picture."""
        import av

        frame = av.VideoFrame.from_ndarray(_fit(picture, self._size_wh), format="bgr24")
        frame.time_base = _TIME_BASE
        if self._last_pts is None:
            # MP4 cannot hold moments before 0; such a video is moved to start there.
            self._shift_s = max(0.0, -timestamp_s)
        pts = round((timestamp_s + self._shift_s) / _TIME_BASE)
        # Two frames cannot share a moment; a source that repeats one gets the next tick.
        frame.pts = pts if self._last_pts is None else max(pts, self._last_pts + 1)
        is_key = (
            self._last_pts is None or frame.pts - self._last_key_pts >= _FRAGMENT_S / _TIME_BASE
        )
        if is_key:
            # A key frame begins a new fragment and sends the one before to the file.
            frame.pict_type = av.video.frame.PictureType.I
            self._last_key_pts = frame.pts
        self._last_pts = frame.pts
        self._mux(frame)

    def close(self) -> None:
        """Write out what the encoder holds and close the file."""
        import av

        try:
            self._mux(None)
            self._container.close()
        except (OSError, av.FFmpegError) as error:
            raise self._sink_error(error) from error
        finally:
            self._file.close()

    def _add_stream(self) -> Any:
        import av

        codec = next(name for name in _CODECS if name in av.codecs_available)
        stream = self._container.add_stream(codec, options=_CODECS[codec])
        stream.width, stream.height = self._size_wh
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TIME_BASE
        return stream

    def _mux(self, frame: Any) -> None:
        import av

        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, av.FFmpegError) as error:
            raise self._sink_error(error) from error

    def _sink_error(self, error: Exception) -> SinkError:
        if isinstance(error, OSError):
            return sink_error(self._path, error)
        return SinkError(f"{self._path} cannot be encoded: {error}.")


def _fit(picture: U8Array, size_wh: tuple[int, int]) -> U8Array:
    """Bring a picture to the video's size; only the first one's can be had."""
    height, width = picture.shape[:2]
    if (width, height) == size_wh:
        return picture
    if size_wh[0] - width in (0, 1) and size_wh[1] - height in (0, 1):
        missing = (size_wh[1] - height, size_wh[0] - width)
        padded: U8Array = cv2.copyMakeBorder(
            picture, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE
        )
        return padded
    scale = min(size_wh[0] / width, size_wh[1] / height)
    resized = cv2.resize(picture, (max(1, round(width * scale)), max(1, round(height * scale))))
    canvas = np.zeros((size_wh[1], size_wh[0], 3), dtype=np.uint8)
    canvas[: resized.shape[0], : resized.shape[1]] = resized
    return canvas
