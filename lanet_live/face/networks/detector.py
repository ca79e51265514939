"""The face detector, run by itself."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.mesh import FaceDetection
from lanet_live.face.networks.anchors import INPUT_SIZE_PX, decode_detections
from lanet_live.face.networks.bundle import FaceNetworks

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# As MediaPipe's detector task has it.
_MAX_OVERLAP: Final = 0.3
# Positions are rounded to this part of a pixel.
_STEPS: Final = 32


class NetworkDetector:
    """Finds faces wider than about an eighth of a picture; see `FaceModels.open_detector`."""

    def __init__(
        self,
        networks: FaceNetworks,
        *,
        min_confidence: float = 0.5,
        max_overlap: float = _MAX_OVERLAP,
    ) -> None:
        self._networks = networks
        self._min_confidence = min_confidence
        self._max_overlap = max_overlap

    def detect(self, image_bgr: U8Array) -> tuple[FaceDetection, ...]:
        """Find faces, the surest first.

        Args:
            image_bgr: (H, W, 3) uint8.
        """
        picture, scale, corner = fit_into_square(image_bgr, INPUT_SIZE_PX)
        points, scores = decode_detections(
            *self._networks.detect(picture),
            min_score=self._min_confidence,
            max_overlap=self._max_overlap,
        )
        points = points * np.float32(scale) + corner
        return tuple(
            FaceDetection(
                box_xyxy_px=points_of_one[:2].ravel(),
                keypoints_px=points_of_one[2:],
                score=float(score),
            )
            for points_of_one, score in zip(points, scores, strict=True)
        )

    def close(self) -> None:
        """Do nothing: the networks belong to who opened them."""


def fit_into_square(image_bgr: U8Array, size_px: int) -> tuple[U8Array, float, F32Array]:
    """Show a whole picture in the middle of a square, black around it.

    Bilinear, one sample a pixel from corner to corner, in whole numbers that round halves up, as
    MediaPipe does it. OpenCV 5 rounds halves to even; the detector's scores for small enlarged
    pictures, whose samples are often halves, would then differ by up to 0.007.

    Returns:
        The square (S, S, 3) uint8; pixels of the picture to one of the square; where the square's
        corner lies in the picture, (2,).
    """
    height, width = image_bgr.shape[:2]
    scale = max(width, height) / size_px
    corner = np.array([width, height], dtype=np.float32) / 2 - scale * size_px / 2
    steps = scale * np.arange(size_px) * _STEPS
    x, x_share = np.divmod(np.rint(corner[0] * _STEPS + steps), _STEPS)
    y, y_share = np.divmod(np.rint(corner[1] * _STEPS + steps), _STEPS)
    total = np.full((size_px, size_px, 3), 0.5, dtype=np.float32)  # Floats hold these sums exactly.
    places = np.empty((size_px, size_px, 2), dtype=np.int16)
    for down, row_weights in ((0, _STEPS - y_share), (1, y_share)):
        for right, column_weights in ((0, _STEPS - x_share), (1, x_share)):
            places[:, :, 0], places[:, :, 1] = x + right, (y + down)[:, None]
            neighbours = cv2.remap(
                image_bgr, places, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT
            )
            weights = (row_weights[:, None] * column_weights / _STEPS**2).astype(np.float32)
            total += neighbours * weights[:, :, None]
    return total.astype(np.uint8), scale, corner
