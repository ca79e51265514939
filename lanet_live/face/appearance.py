"""What a face and a scene look like, small enough to compare frame by frame.

A landmark mesh slides from one person to the next without a jolt when the picture cuts; the pixels
under it do not. A chip is the aligned face at 24 px without its coarse shading, which all faces
share. Measured correlations: one person from frame to frame 0.99, after half a second of talking
and smiling 0.94, while something slides over half the face 0.53; different people (FER+ Valid, all
pairs of 500) median 0.15, 99th percentile 0.51.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.alignment import cut_crop, estimate_frame_to_crop

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

_CHIP_SIZE_PX: Final = 24
_SHADING_SIGMA_PX: Final = 3.0
# Grey levels, root mean square. A flatter chip (darkness, glare) shows noise, not a person.
_LEAST_CONTRAST: Final = 1.5

_THUMBNAIL_SAMPLES: Final = (36, 64)
# Mean change of the thumbnail in grey levels. Cuts between the shared clips reach 80 and more, a
# hand or a swinging camera 13.
_CUT_CHANGE: Final = 25.0


def face_chip(image_bgr: U8Array, landmarks_px: F32Array) -> F32Array | None:
    """Return the aligned grey face without shading, of unit norm, (576,); None when it is flat."""
    frame_to_crop = estimate_frame_to_crop(landmarks_px, size_px=_CHIP_SIZE_PX)
    crop = cut_crop(image_bgr, frame_to_crop, size_px=_CHIP_SIZE_PX)
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.float32)
    detail = (grey - cv2.GaussianBlur(grey, (0, 0), _SHADING_SIGMA_PX)).ravel()
    norm = float(np.linalg.norm(detail))
    if norm < _LEAST_CONTRAST * _CHIP_SIZE_PX:
        return None
    chip: F32Array = detail / norm
    return chip


def chip_similarity(a: F32Array | None, b: F32Array | None) -> float | None:
    """Return the correlation of two chips, -1 to 1; None when one of them shows nothing."""
    if a is None or b is None:
        return None
    return float(a @ b)


class CutDetector:
    """Notices that the whole picture has been replaced."""

    def __init__(self) -> None:
        self._last: F32Array | None = None

    def is_cut(self, image_bgr: U8Array) -> bool:
        """Tell whether this frame belongs to another shot than the one before; False at first."""
        thumbnail = _thumbnail(image_bgr)
        last, self._last = self._last, thumbnail
        return last is not None and float(np.abs(thumbnail - last).mean()) > _CUT_CHANGE


def _thumbnail(image_bgr: U8Array) -> F32Array:
    """Sample the picture on a fixed grid and average pairs: quick, and blind to fine texture."""
    rows, columns = _THUMBNAIL_SAMPLES
    height, width = image_bgr.shape[:2]
    row_index = (np.arange(rows) * height) // rows
    column_index = (np.arange(columns) * width) // columns
    samples = image_bgr[row_index[:, None], column_index[None, :]].astype(np.float32)
    pooled: F32Array = samples.reshape(rows // 2, 2, columns // 2, 2, 3).mean(axis=(1, 3))
    return pooled  # (18, 32, 3)
