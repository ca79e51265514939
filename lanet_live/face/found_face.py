"""What a search of one picture yields."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FoundFace:
    """One face in one picture.

    Attributes:
        score: Confidence of the landmarks, 0 to 1: the detector's score of a closer look, lowered
            as its key points and the landmarks disagree.
        landmarks_px: (478, 2) float32, continuous pixels of the picture.
        blendshapes: (52,) float32 in the order of `lanet_live.face.mesh.BLENDSHAPE_NAMES`; None
            when they were not asked for.
        pose_rad: (3,) float32: Rx, Ry, Rz as in `lanet_live.face.pose`.
    """

    score: float
    landmarks_px: F32Array
    blendshapes: F32Array | None
    pose_rad: F32Array
