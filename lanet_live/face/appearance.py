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

from lanet_live.face.alignment import estimate_frame_to_crop

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

_CHIP_SIZE_PX: Final = 24
_SHADING_SIGMA_PX: Final = 3.0
_REPLICATE: Final = cv2.BORDER_REPLICATE
# Grey levels, root mean square. A flatter chip (darkness, glare) shows noise, not a person.
_LEAST_CONTRAST: Final = 1.5

# Rows and columns of the pixels that stand for the scene.
_GRID: Final = (36, 64)
# Mean change of their means in grey levels. Cuts reach 70 and more, a swinging camera 15.
_CUT_CHANGE: Final = 25.0


def face_chip(image_bgr: U8Array, landmarks_px: F32Array) -> F32Array | None:
    """Return the aligned face without shading, of unit norm, (576,); None when it is flat.

    It is taken of every face in every frame, so the frame is sampled in four points a cell, without
    regard to aliasing, and the green channel stands for brightness.
    """
    side_px = 2 * _CHIP_SIZE_PX
    matrix = estimate_frame_to_crop(landmarks_px, size_px=side_px)
    matrix[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5  # warpAffine counts from pixel centres.
    samples = cv2.warpAffine(
        image_bgr, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR, borderMode=_REPLICATE
    )
    size_wh = (_CHIP_SIZE_PX, _CHIP_SIZE_PX)
    face = cv2.resize(samples, size_wh, interpolation=cv2.INTER_AREA)[:, :, 1].astype(np.float32)
    detail = (face - cv2.GaussianBlur(face, (0, 0), _SHADING_SIGMA_PX)).ravel()
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
        """Return whether this frame belongs to another shot than the one before; False at first."""
        thumbnail = _thumbnail(image_bgr)
        last, self._last = self._last, thumbnail
        return last is not None and float(np.abs(thumbnail - last).mean()) > _CUT_CHANGE


def _thumbnail(image_bgr: U8Array) -> F32Array:
    """Return means of 4 by 4 pixels of a grid, green channel: quick, and blind to fine texture."""
    height, width = image_bgr.shape[:2]
    rows = (np.arange(_GRID[0]) * height) // _GRID[0]
    columns = (np.arange(_GRID[1]) * width) // _GRID[1]
    samples = image_bgr[rows[:, None], columns, 1]
    blocks = samples.reshape(_GRID[0] // 4, 4, _GRID[1] // 4, 4)
    means: F32Array = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means
