"""Make faces unrecognisable in stored pictures.

A face the tracker misses cannot be blurred. So that a face does not show for the frames in which
it is lost, the last place of every face stays blurred for `LINGER_S`.
"""

from typing import Final

import cv2
import numpy as np

from lanet_live.records import F32Array, FrameResult, U8Array

LINGER_S: Final = 1.0
# The landmarks end at the hairline; hair and ears identify a person, too.
_MARGIN: Final = 0.3
# A face is reduced to this many cells across before it is smoothed over.
_CELLS: Final = 7


class FaceBlur:
    """Blurs the faces of frames given in order. Used by one thread."""

    def __init__(self) -> None:
        self._boxes: dict[int, tuple[float, F32Array]] = {}  # face id -> last seen, box

    def apply(self, result: FrameResult) -> U8Array:
        """Return a copy of the frame with every face blurred, (H, W, 3) uint8."""
        now_s = result.frame.timestamp_s
        for track in result.tracks:
            self._boxes[track.face_id] = (now_s, track.box_xyxy_px)
        self._boxes = {
            face_id: (seen_s, box)
            for face_id, (seen_s, box) in self._boxes.items()
            if 0 <= now_s - seen_s <= LINGER_S
        }
        picture = result.frame.image_bgr.copy()
        for _, box in self._boxes.values():
            _blur_box(picture, box)
        return picture


def _blur_box(picture: U8Array, box_xyxy_px: F32Array) -> None:
    """Blur an ellipse around a box, in place."""
    height, width = picture.shape[:2]
    left, top, right, bottom = (float(value) for value in box_xyxy_px)
    grow_x, grow_y = _MARGIN * (right - left), _MARGIN * (bottom - top)
    x0, x1 = max(0, int(left - grow_x)), min(width, int(np.ceil(right + grow_x)))
    y0, y1 = max(0, int(top - grow_y)), min(height, int(np.ceil(bottom + grow_y)))
    if x1 <= x0 or y1 <= y0:
        return
    part = picture[y0:y1, x0:x1]
    coarse = cv2.resize(part, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(coarse, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    mask = np.zeros((y1 - y0, x1 - x0), dtype=np.uint8)
    center = (round((left + right) / 2 - x0), round((top + bottom) / 2 - y0))
    axes = (round((right - left) / 2 + grow_x), round((bottom - top) / 2 + grow_y))
    cv2.ellipse(mask, center, axes, 0, 0, 360, 255, cv2.FILLED)
    part[mask > 0] = smooth[mask > 0]
