"""Crops of whole pictures through the app's own face search, tracker and alignment."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.alignment import align_face
from lanet_live.face.tracker import FaceTracker
from lanet_live.records import FaceTrack, Frame
from lanet_trainer.datasets.chips import to_bgr
from lanet_trainer.surroundings import surround

U8Array = NDArray[np.uint8]


class Pictures(Protocol):
    """Pictures in order; a `PreparedSplit` is one."""

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Their names."""
        ...

    def __len__(self) -> int: ...

    def image(self, position: int) -> U8Array:
        """Return a picture, (H, W) or (H, W, 3) BGR, uint8."""
        ...


class EndToEndBatches:
    """Crops of the faces that the app finds in the pictures of a split; missed ones are left out.

    Attributes:
        n_missed: Pictures without a face, after iterating.
    """

    def __init__(self, split: Pictures, *, size_px: int, batch_size: int = 64) -> None:
        self._split = split
        self._size_px = size_px
        self._batch_size = batch_size
        self.n_missed = 0

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], U8Array]]:
        """Yield positions in the split, (B,), and their crops, (B, S, S, 3) uint8 BGR."""
        self.n_missed = 0
        index: list[int] = []
        crops: list[U8Array] = []
        tracker = FaceTracker(has_independent_frames=True)
        try:
            for position in range(len(self._split)):
                crop = self._find(tracker, position)
                if crop is None:
                    self.n_missed += 1
                    continue
                index.append(position)
                crops.append(crop)
                if len(index) == self._batch_size:
                    yield np.array(index), np.stack(crops)
                    index, crops = [], []
        finally:
            tracker.close()
        if index:
            yield np.array(index), np.stack(crops)

    def _find(self, tracker: FaceTracker, position: int) -> U8Array | None:
        picture, _ = surround(to_bgr(self._split.image(position)))
        seconds = float(position)
        frame = Frame(picture, position, seconds, seconds, self._split.sample_ids[position])
        tracks = tracker.update(frame)
        if not tracks:
            return None
        largest = max(tracks, key=_area)
        crop, _ = align_face(picture, largest.landmarks_px, size_px=self._size_px)
        return crop


def _area(track: FaceTrack) -> float:
    left, top, right, bottom = track.box_xyxy_px
    return float((right - left) * (bottom - top))
