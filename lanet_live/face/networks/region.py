"""The square part of a picture that a face network looks at, and the way there and back.

The rules are those of MediaPipe's graph: from a detection, its box turned with the line between the
eyes; from landmarks, their bounding box turned with the outer corners of the eyes, squared to its
longer side; both 1.5 times as wide.
"""

from dataclasses import dataclass
from math import atan2, cos, sin
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]

_ZOOM_OUT: Final = 1.5
_OUTER_EYE_CORNERS: Final = (33, 263)


@dataclass(frozen=True, slots=True)
class Region:
    """A turned square.

    Attributes:
        centre_px: (x, y) in pixels of the picture.
        side_px: Of the square.
        rotation_rad: Clockwise on screen.
    """

    centre_px: tuple[float, float]
    side_px: float
    rotation_rad: float

    def to_picture(self, size_px: int) -> F64Array:
        """Return the affine map from a crop of `size_px` to the picture, (2, 3)."""
        scale = self.side_px / size_px
        cosine, sine = scale * cos(self.rotation_rad), scale * sin(self.rotation_rad)
        half = size_px / 2
        x, y = self.centre_px
        return np.array(
            [
                [cosine, -sine, x - half * (cosine - sine)],
                [sine, cosine, y - half * (sine + cosine)],
            ]
        )


def region_of_detection(box_xyxy_px: F32Array, keypoints_px: F32Array) -> Region:
    """Return where to look for the landmarks of a face the detector has found.

    Args:
        box_xyxy_px: (4,).
        keypoints_px: (6, 2), right eye and left eye first.
    """
    x0, y0, x1, y1 = box_xyxy_px.tolist()
    return Region(
        centre_px=((x0 + x1) / 2, (y0 + y1) / 2),
        side_px=_ZOOM_OUT * max(x1 - x0, y1 - y0),
        rotation_rad=_angle(keypoints_px[0], keypoints_px[1]),
    )


def region_of_landmarks(landmarks_px: F32Array) -> Region:
    """Return where to look for a face in the next picture.

    Args:
        landmarks_px: (478, 2), as the network gave them, unsmoothed.
    """
    (x0, y0), (x1, y1) = landmarks_px.min(axis=0).tolist(), landmarks_px.max(axis=0).tolist()
    start, end = _OUTER_EYE_CORNERS
    return Region(
        centre_px=((x0 + x1) / 2, (y0 + y1) / 2),
        side_px=_ZOOM_OUT * max(x1 - x0, y1 - y0),
        rotation_rad=_angle(landmarks_px[start], landmarks_px[end]),
    )


def cut_region(image_bgr: U8Array, region: Region, crop: U8Array) -> None:
    """Sample a region; outside the picture its border pixels are repeated.

    Bilinear, one sample a pixel, from corner to corner as MediaPipe samples: the networks' answers
    shift by half a pixel of the crop otherwise.

    Args:
        image_bgr: (H, W, 3) uint8.
        region: In it.
        crop: (S, S, 3) uint8, written to.
    """
    size_px = crop.shape[0]
    cv2.warpAffine(
        image_bgr,
        region.to_picture(size_px),
        (size_px, size_px),
        dst=crop,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _angle(start: F32Array, end: F32Array) -> float:
    return atan2(float(end[1] - start[1]), float(end[0] - start[0]))
