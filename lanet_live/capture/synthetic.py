"""A moving pattern without a face: needs no file and no camera, and is the same every time."""

import math
import threading
import time
from typing import Final

import numpy as np

from lanet_live.capture.base import SourceFacts, SourceReport
from lanet_live.records import Frame, U8Array

_NAME: Final = "synthetic"
_SHIFT_PX: Final = 3  # The background moves by this much a frame.
_TURN_FRAMES: Final = 100  # The disc is back where it was after this many.


class SyntheticSource:
    """Makes frames of a drifting gradient with a circling disc.

    Args:
        n_frames: How many; None never ends.
        size_wh: Of the picture.
        fps: Frame i has the time i / fps.
        is_live: Hand out each frame only when its time has come, as a camera does.
    """

    def __init__(
        self,
        n_frames: int | None = 250,
        *,
        size_wh: tuple[int, int] = (640, 360),
        fps: float = 25.0,
        is_live: bool = False,
    ) -> None:
        if fps <= 0 or min(size_wh) < 1 or (n_frames is not None and n_frames < 0):
            raise ValueError(f"no such pattern: {n_frames} frames, {size_wh}, {fps} fps")
        self._n_frames = n_frames
        self._size_wh = size_wh
        self._fps = fps
        self._is_live = is_live
        self._index = 0
        self._started_s = 0.0
        self._closed = threading.Event()
        self._background = _draw_background(size_wh)
        self._disc = _draw_disc(min(size_wh) // 4)

    def open(self) -> SourceFacts:
        """Start the clock."""
        self._started_s = time.perf_counter()
        return SourceFacts(
            source_id=_NAME,
            kind="synthetic",
            width_px=self._size_wh[0],
            height_px=self._size_wh[1],
            nominal_fps=self._fps,
            n_frames_expected=self._n_frames,
            duration_s=None if self._n_frames is None else self._n_frames / self._fps,
            is_live=self._is_live,
            has_independent_frames=False,
            details={},
        )

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end."""
        if self._index == self._n_frames or self._closed.is_set():
            return None
        timestamp_s = self._index / self._fps
        if self._is_live:
            self._closed.wait(self._started_s + timestamp_s - time.perf_counter())
        frame = Frame(
            image_bgr=self._draw(self._index),
            index=self._index,
            timestamp_s=timestamp_s,
            captured_at_s=time.perf_counter(),
            source_id=_NAME,
        )
        self._index += 1
        return frame

    def report(self) -> SourceReport:
        """Report how many frames were made."""
        return SourceReport(n_decoded=self._index)

    def close(self) -> None:
        """Make no more frames; releases a waiting `read`. May be called twice, from any thread."""
        self._closed.set()

    def _draw(self, index: int) -> U8Array:
        width, height = self._size_wh
        image = np.roll(self._background, index * _SHIFT_PX, axis=1)
        side = self._disc.shape[0]
        angle = 2 * math.pi * index / _TURN_FRAMES
        x = round((width - side) * (0.5 + 0.5 * math.cos(angle)))
        y = round((height - side) * (0.5 + 0.5 * math.sin(angle)))
        image[y : y + side, x : x + side][self._disc] = (60, 160, 250)
        image.flags.writeable = False
        return image


def _draw_background(size_wh: tuple[int, int]) -> U8Array:
    """A gradient that closes on itself from right to left, (H, W, 3)."""
    width, height = size_wh
    wave = 127.5 + 127.5 * np.cos(2 * np.pi * np.arange(width) / width)
    ramp = np.linspace(0, 255, height)
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = wave[None, :]
    image[..., 1] = ramp[:, None]
    image[..., 2] = (wave[None, :] + ramp[:, None]) / 2
    return image


def _draw_disc(diameter_px: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Mask of a disc, (D, D)."""
    offset = np.arange(diameter_px) - (diameter_px - 1) / 2
    mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]] = (
        offset[:, None] ** 2 + offset[None, :] ** 2 <= (diameter_px / 2) ** 2
    )
    return mask
