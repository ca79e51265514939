"""Pictures that one face fills: ways to show them anew, and which meshes can be that face.

Turned by a third of a right angle, or with more or less air around it, a face the models miss often
shows itself. Among the answers to so many tries are ears and hands, so that only a mesh about as
large as the picture and about in its middle is believed.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.alignment import estimate_frame_to_crop

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]

# The longer side of what is shown is enlarged to at least this, or the detector sees too little.
_LEAST_SIDE_PX: Final = 288


@dataclass(frozen=True, slots=True)
class Showing:
    """One way to show a picture.

    Attributes:
        pad: Border added on each side, as a share of the picture's shorter side; negative cuts.
        rotation_deg: Clockwise on screen.
    """

    pad: float
    rotation_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class PlausibleFace:
    """Which meshes can be the face that fills a picture.

    Attributes:
        sides: Range of the aligned crop's side, in shorter sides of the picture.
        max_off_centre: How far its centre may lie from the picture's, in longer sides.
        max_roll_rad: How far the head may be tilted.
        max_off_centre_of_side: The same limit in sides of the crop: a small face must lie more in
            the middle than a large one.
    """

    sides: tuple[float, float]
    max_off_centre: float
    max_roll_rad: float
    max_off_centre_of_side: float

    def allows(self, landmarks_px: F32Array | F64Array, size_wh: tuple[int, int]) -> bool:
        """Return whether a mesh, (478, 2), can be the face that fills a picture of this size."""
        try:
            to_crop = estimate_frame_to_crop(landmarks_px, size_px=1)
        except ValueError:
            return False
        rotation = to_crop[:, :2]
        side = 1 / np.sqrt(np.linalg.det(rotation))
        centre = np.linalg.solve(rotation, np.array([0.5, 0.5]) - to_crop[:, 2])
        off_centre = np.abs(centre - np.array(size_wh) / 2).max()
        roll = abs(np.arctan2(rotation[1, 0], rotation[0, 0]))
        return bool(
            self.sides[0] <= side / min(size_wh) <= self.sides[1]
            and off_centre <= self.max_off_centre * max(size_wh)
            and off_centre <= self.max_off_centre_of_side * side
            and roll <= self.max_roll_rad
        )


def show(picture_bgr: U8Array, showing: Showing) -> tuple[U8Array, F64Array]:
    """Pad a picture with its border's pixels, enlarge it if it is small, and turn it.

    Returns:
        What is shown, (H, W, 3) uint8, and the affine map picture -> shown, (2, 3).
    """
    height, width = picture_bgr.shape[:2]
    pad = round(showing.pad * min(width, height))
    scale = max(1.0, _LEAST_SIDE_PX / (max(width, height) + 2 * pad))
    size_wh = (round((width + 2 * pad) * scale), round((height + 2 * pad) * scale))
    centre = (size_wh[0] / 2, size_wh[1] / 2)
    turn = cv2.getRotationMatrix2D(centre, -showing.rotation_deg, 1.0)
    affine = np.hstack(
        [turn[:, :2] * scale, turn[:, 2:] + turn[:, :2] @ np.full((2, 1), pad * scale)]
    )
    matrix = affine.copy()
    matrix[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5  # OpenCV counts from pixel centres.
    shown: U8Array = cv2.warpAffine(
        picture_bgr, matrix, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return shown, affine
