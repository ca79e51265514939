"""Where to look for faces: overlapping views of a frame, and one candidate per face out of them.

The detector shrinks whatever it is given to 128 px and misses faces narrower than about a tenth of
it, so a group in a wide frame is found only when it looks at parts of the frame one by one.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.agreement import keypoint_disagreement, landmark_confidence
from lanet_live.face.landmarker import FaceDetector
from lanet_live.face.matching import box_iou, contained_share, landmark_box

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# A tile overlaps its neighbour by at least this share of its side: a face on the seam that is too
# wide for the overlap is wide enough to be found in the next larger view.
_TILE_OVERLAP: Final = 0.25
# A frame this close to a square is one view; two tiles would be nearly the same picture twice.
_SQUARE_ASPECT: Final = 1.1
# Tiles of half the short side pay only while the faces they add are not too small to read: the
# smallest face found is about a tenth of a tile, and 48 px is what the expression model learnt on.
_MIN_FINE_TILE_PX: Final = 480
# Two boxes that overlap like this, or of which one lies this far inside the other, are one face.
_SAME_FACE_IOU: Final = 0.3
_SAME_FACE_CONTAINED: Final = 0.7
# A closer look shows the landmarks' box in a square this many times as wide.
_CLOSE_ZOOM_OUT: Final = 2.0


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of a frame, in whole pixels."""

    x: int
    y: int
    width: int
    height: int

    def cut(self, image: U8Array) -> U8Array:
        """Return this part of an image, without copying."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]

    @property
    def offset_px(self) -> F32Array:
        """Its top left corner in the frame, (2,)."""
        return np.array([self.x, self.y], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something the detector takes for a face.

    Attributes:
        box_xyxy_px: Brow to chin, square, frame pixels, (4,) float32.
        keypoints_px: As in `FaceDetection`, frame pixels, (6, 2) float32.
        score: The detector's confidence, 0 to 1.
    """

    box_xyxy_px: F32Array
    keypoints_px: F32Array
    score: float


def coarse_views(size_wh: tuple[int, int]) -> tuple[View, ...]:
    """Return the whole frame and, unless it is square, square tiles of its short side."""
    width, height = size_wh
    whole = View(0, 0, width, height)
    if max(size_wh) <= _SQUARE_ASPECT * min(size_wh):
        return (whole,)
    return (whole, *_tiles(size_wh, min(size_wh)))


def fine_views(size_wh: tuple[int, int]) -> tuple[View, ...]:
    """Return square tiles of half the short side; none when the frame is small."""
    side = min(size_wh) // 2
    return _tiles(size_wh, side) if side >= _MIN_FINE_TILE_PX else ()


def square_view_around(box_xyxy: F32Array, size_wh: tuple[int, int], *, zoom_out: float) -> View:
    """Return a square around a box, `zoom_out` times as wide, cut at the frame's border."""
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    half = zoom_out * float((box_xyxy[2:] - box_xyxy[:2]).max()) / 2
    low = np.clip(np.floor(centre - half), 0, np.array(size_wh) - 1).astype(int)
    high = np.clip(np.ceil(centre + half), low + 1, size_wh).astype(int)
    return View(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))


def search(detector: FaceDetector, image_bgr: U8Array, views: tuple[View, ...]) -> list[Candidate]:
    """Run the detector on views of one frame.

    Returns:
        One candidate per face, best score first.
    """
    found = [
        Candidate(
            box_xyxy_px=detection.box_xyxy_px + np.tile(view.offset_px, 2),
            keypoints_px=detection.keypoints_px + view.offset_px,
            score=detection.score,
        )
        for view in views
        for detection in detector.detect(view.cut(image_bgr))
    ]
    return drop_duplicates(found)


def look_closer(detector: FaceDetector, image_bgr: U8Array, landmarks_px: F32Array) -> float:
    """Run the detector close around a mesh.

    In a wide view a face is a few of the detector's pixels, and its key points are coarse; seen
    close, they lie within 0.03 of a face from good landmarks.

    Returns:
        Confidence of the landmarks, 0 to 1 (see `lanet_live.face.agreement`); 0 when the detector,
        at its own threshold, sees no face there or another one.
    """
    size_wh = (image_bgr.shape[1], image_bgr.shape[0])
    view = square_view_around(landmark_box(landmarks_px), size_wh, zoom_out=_CLOSE_ZOOM_OUT)
    return max(
        (
            landmark_confidence(c.score, keypoint_disagreement(c.keypoints_px, landmarks_px))
            for c in search(detector, image_bgr, (view,))
        ),
        default=0.0,
    )


def drop_duplicates(candidates: list[Candidate]) -> list[Candidate]:
    """Keep the best-scored candidate of each face, best first."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.score):
        if not any(is_same_face(candidate.box_xyxy_px, other.box_xyxy_px) for other in kept):
            kept.append(candidate)
    return kept


def is_same_face(a_xyxy: F32Array, b_xyxy: F32Array) -> bool:
    """Tell whether two boxes in one frame belong to one face."""
    return (
        box_iou(a_xyxy, b_xyxy) >= _SAME_FACE_IOU
        or contained_share(a_xyxy, b_xyxy) >= _SAME_FACE_CONTAINED
    )


def _tiles(size_wh: tuple[int, int], side: int) -> tuple[View, ...]:
    return tuple(
        View(x, y, side, side)
        for y in _tile_starts(size_wh[1], side)
        for x in _tile_starts(size_wh[0], side)
    )


def _tile_starts(length: int, side: int) -> list[int]:
    overlap = _TILE_OVERLAP * side
    count = max(1, ceil((length - overlap) / (side - overlap)))
    return [round(i * (length - side) / max(1, count - 1)) for i in range(count)]
