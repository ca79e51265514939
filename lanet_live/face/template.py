"""The canonical face every crop is aligned to.

The positions are the Procrustes mean of the landmarks MediaPipe finds on FER+ Valid, made
symmetric about the vertical axis. The points were chosen because expressions move them little:
face outline, eye corners, brow centres, bridge and base of the nose; the mouth corners hold the
scale when the head turns. A change here needs new training crops and a new model, so the template
carries an id, and every model file names the id it was trained with.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

TEMPLATE_ID: Final = "mesh33-v1"

# (MediaPipe landmark index, x, y) in unit crop coordinates: (0, 0) is the top left corner of the
# crop, (1, 1) its bottom right corner. Forehead to chin spans 0.03 to 0.97.
_POINTS: Final = (
    (2, 0.5000, 0.5962),
    (6, 0.5000, 0.3595),
    (10, 0.5000, 0.0300),
    (33, 0.2355, 0.3230),
    (54, 0.1480, 0.1110),
    (55, 0.4189, 0.2520),
    (61, 0.3499, 0.7277),
    (67, 0.2930, 0.0426),
    (98, 0.4035, 0.5817),
    (105, 0.2505, 0.1828),
    (132, 0.1080, 0.5737),
    (133, 0.3950, 0.3366),
    (150, 0.2655, 0.8689),
    (152, 0.5000, 0.9700),
    (162, 0.0949, 0.2341),
    (168, 0.5000, 0.3098),
    (172, 0.1707, 0.7557),
    (176, 0.3630, 0.9378),
    (234, 0.0899, 0.3965),
    (263, 0.7645, 0.3230),
    (284, 0.8520, 0.1110),
    (285, 0.5811, 0.2520),
    (291, 0.6501, 0.7277),
    (297, 0.7070, 0.0426),
    (327, 0.5965, 0.5817),
    (334, 0.7495, 0.1828),
    (361, 0.8920, 0.5737),
    (362, 0.6050, 0.3366),
    (379, 0.7345, 0.8689),
    (389, 0.9051, 0.2341),
    (397, 0.8293, 0.7557),
    (400, 0.6370, 0.9378),
    (454, 0.9101, 0.3965),
)

TEMPLATE_INDICES: Final[NDArray[np.intp]] = np.array([p[0] for p in _POINTS], dtype=np.intp)
TEMPLATE_UNIT: Final[NDArray[np.float64]] = np.array([p[1:] for p in _POINTS], dtype=np.float64)
TEMPLATE_INDICES.setflags(write=False)
TEMPLATE_UNIT.setflags(write=False)
