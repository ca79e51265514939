"""Head pose in OpenFace's signs.

Rotation about axes that point right, down and away from the viewer (right-handed), in radians,
R = Rx @ Ry @ Rz. Zero is a face turned straight to the camera. Positive Rx: it looks down. Positive
Ry: it turns to the left of the picture (the person's right). Positive Rz: it leans clockwise as
seen on the screen.

The pose is fitted to the landmarks and their depth without perspective, so it does not depend on
where in the frame the face is, nor on the lens, which is unknown. MediaPipe's own head transform
assumes a lens, and changes by ten degrees and more when the same face is shown in another part of
the picture or cut out of it.
"""

from math import asin, atan2

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.head_model import HEAD_INDICES, HEAD_POINTS

F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]


def head_pose(landmarks_px: F32Array, depth_px: F32Array) -> F32Array:
    """Fit the head's rotation (Kabsch 1976).

    Args:
        landmarks_px: (478, 2), frame pixels.
        depth_px: (478,), the same unit, growing away from the viewer.

    Returns:
        Rx, Ry, Rz in radians, (3,) float32.
    """
    points = np.column_stack([landmarks_px[HEAD_INDICES], depth_px[HEAD_INDICES]]).astype(
        np.float64
    )
    points -= points.mean(axis=0)
    left, _, right = np.linalg.svd(points.T @ HEAD_POINTS)  # (3, 3) each
    # The nearest proper rotation: a reflection would fit a face turned inside out.
    left[:, 2] *= np.sign(np.linalg.det(left @ right))
    return rotation_to_euler(left @ right)


def rotation_to_euler(rotation: F64Array) -> F32Array:
    """Split R = Rx @ Ry @ Rz into (Rx, Ry, Rz), radians, (3,) float32."""
    (r00, r01, r02), (_, _, r12), (_, _, r22) = rotation.tolist()
    pitch = atan2(-r12, r22)
    yaw = asin(max(-1.0, min(1.0, r02)))
    roll = atan2(-r01, r00)
    return np.array([pitch, yaw, roll], dtype=np.float32)


def euler_to_rotation(pose_rad: F32Array | F64Array) -> F64Array:
    """Compose R = Rx @ Ry @ Rz, (3, 3)."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(pose_rad), np.sin(pose_rad)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    rotation: F64Array = about_x @ about_y @ about_z
    return rotation
