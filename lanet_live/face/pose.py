"""Head pose in OpenFace's convention.

Rotations about the axes of a camera that looks along +z with x to the right and y down
(right-handed), R = Rx @ Ry @ Rz in radians, zero for a face looking straight into the camera.
Positive Rx: the face looks down. Positive Ry: it turns to the left of the picture (the person's
right). Positive Rz: it leans clockwise as seen on the screen.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]

# MediaPipe: x right, y up, z towards the viewer; half a turn about x leads to OpenFace's axes, for
# the head's own axes and for the camera's alike.
_MEDIAPIPE_TO_OPENFACE: Final = np.diag([1.0, -1.0, -1.0])


def head_rotation(head_transform: F32Array | F64Array) -> F64Array:
    """Return the rotation in MediaPipe's head transform, in OpenFace's axes, (3, 3)."""
    linear = head_transform[:3, :3].astype(np.float64)
    # The transform carries a uniform scale; the nearest rotation drops it.
    left, _, right = np.linalg.svd(linear)
    nearest = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
    rotation: F64Array = _MEDIAPIPE_TO_OPENFACE @ nearest @ _MEDIAPIPE_TO_OPENFACE
    return rotation


def rotation_to_euler(rotation: F64Array) -> F32Array:
    """Split R = Rx @ Ry @ Rz into (Rx, Ry, Rz), radians, (3,) float32."""
    pitch = np.arctan2(-rotation[1, 2], rotation[2, 2])
    yaw = np.arcsin(np.clip(rotation[0, 2], -1.0, 1.0))
    roll = np.arctan2(-rotation[0, 1], rotation[0, 0])
    return np.array([pitch, yaw, roll], dtype=np.float32)


def euler_to_rotation(pose_rad: F32Array | F64Array) -> F64Array:
    """Compose R = Rx @ Ry @ Rz, (3, 3)."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(pose_rad), np.sin(pose_rad)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    rotation: F64Array = about_x @ about_y @ about_z
    return rotation
