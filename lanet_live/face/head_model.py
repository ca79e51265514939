"""The head that head pose is measured against, in three dimensions.

The positions are the mean of the landmarks MediaPipe finds on FER+ Valid, with their depth, each
face turned upright by MediaPipe's own head rotation, made symmetric and brought to unit size. So a
head looking straight ahead here is one looking straight ahead for MediaPipe. The points are those
of the alignment template, which expressions move little.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# (MediaPipe landmark index, x to the right, y down, z away from the viewer), centred, with a root
# mean square radius of 1.
_POINTS: Final = (
    (2, 0.0000, 0.3180, -0.4680),
    (6, 0.0000, -0.2631, -0.4450),
    (10, 0.0000, -1.0671, -0.2976),
    (33, -0.6595, -0.3249, -0.0772),
    (54, -0.8659, -0.8284, 0.1361),
    (55, -0.1970, -0.5270, -0.3548),
    (61, -0.3827, 0.6686, -0.1796),
    (67, -0.5147, -1.0255, -0.1882),
    (98, -0.2343, 0.2926, -0.3553),
    (105, -0.6203, -0.6909, -0.2612),
    (132, -0.9666, 0.3533, 0.6360),
    (133, -0.2635, -0.3002, -0.1530),
    (150, -0.5752, 1.0413, 0.1450),
    (152, 0.0000, 1.2713, -0.1326),
    (162, -0.9988, -0.4974, 0.4754),
    (168, 0.0000, -0.3815, -0.3802),
    (172, -0.8100, 0.7838, 0.4122),
    (176, -0.3356, 1.1965, -0.0437),
    (234, -1.0084, -0.0805, 0.6701),
    (263, 0.6595, -0.3249, -0.0772),
    (284, 0.8659, -0.8284, 0.1361),
    (285, 0.1970, -0.5270, -0.3548),
    (291, 0.3827, 0.6686, -0.1796),
    (297, 0.5147, -1.0255, -0.1882),
    (327, 0.2343, 0.2926, -0.3553),
    (334, 0.6203, -0.6909, -0.2612),
    (361, 0.9666, 0.3533, 0.6360),
    (362, 0.2635, -0.3002, -0.1530),
    (379, 0.5752, 1.0413, 0.1450),
    (389, 0.9988, -0.4974, 0.4754),
    (397, 0.8100, 0.7838, 0.4122),
    (400, 0.3356, 1.1965, -0.0437),
    (454, 1.0084, -0.0805, 0.6701),
)

HEAD_INDICES: Final[NDArray[np.intp]] = np.array([p[0] for p in _POINTS], dtype=np.intp)
HEAD_POINTS: Final[NDArray[np.float64]] = np.array([p[1:] for p in _POINTS], dtype=np.float64)
HEAD_INDICES.setflags(write=False)
HEAD_POINTS.setflags(write=False)
