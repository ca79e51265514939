"""The face detector, run by itself."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.mesh import FaceDetection
from lanet_live.face.networks.anchors import INPUT_SIZE_PX, decode_detections
from lanet_live.face.networks.bundle import FaceNetworks

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# As MediaPipe's detector task has it.
_MAX_OVERLAP = 0.3


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
        self._picture = np.zeros((INPUT_SIZE_PX, INPUT_SIZE_PX, 3), dtype=np.uint8)

    def detect(self, image_bgr: U8Array) -> tuple[FaceDetection, ...]:
        """Find faces, the surest first.

        Args:
            image_bgr: (H, W, 3) uint8.
        """
        height, width = image_bgr.shape[:2]
        # The whole picture in the middle of the square, the rest black.
        scale = max(width, height) / INPUT_SIZE_PX
        corner = np.array([width, height], dtype=np.float32) / 2 - scale * INPUT_SIZE_PX / 2
        to_picture = np.array([[scale, 0.0, corner[0]], [0.0, scale, corner[1]]])
        cv2.warpAffine(
            image_bgr,
            to_picture,
            (INPUT_SIZE_PX, INPUT_SIZE_PX),
            dst=self._picture,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
        points, scores = decode_detections(
            *self._networks.detect(self._picture),
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
