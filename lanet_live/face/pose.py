"""Head pose in OpenFace's convention.

Rotations about the axes of a camera that looks along +z with x to the right and y down
(right-handed), R = Rx @ Ry @ Rz in radians, zero for a face looking straight out of the picture.
Positive Rx: the face looks down. Positive Ry: it turns to the left of the picture (the person's
right). Positive Rz: it leans clockwise as seen on the screen.
"""

from math import asin, atan2, hypot, radians, tan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.views import View

F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]

# MediaPipe: x right, y up, z towards the viewer; half a turn about x leads to OpenFace's axes, for
# the head's own axes and for the camera's alike.
_MEDIAPIPE_TO_OPENFACE: Final = np.array([1.0, -1.0, -1.0])
_AXIS_FLIPS: Final = np.outer(_MEDIAPIPE_TO_OPENFACE, _MEDIAPIPE_TO_OPENFACE)
# MediaPipe's geometry stage assumes a camera of this vertical angle, centred on what it is given.
_VERTICAL_ANGLE_RAD: Final = radians(63.0)


def head_pose(
    head_transform: F32Array | F64Array, *, view: View, frame_size_wh: tuple[int, int]
) -> F32Array:
    """Return the head's rotation as the camera of the whole frame sees it.

    MediaPipe takes the part of the frame it is shown for a whole picture. A face beside that part's
    centre is thought to be seen at an angle; here that angle is replaced by the one under which the
    camera of the frame, of the same vertical angle, sees it. For the whole frame nothing changes.

    Args:
        head_transform: MediaPipe's facial transformation matrix, (4, 4).
        view: The part of the frame MediaPipe was given.
        frame_size_wh: Of the frame.

    Returns:
        Rx, Ry, Rz in radians, (3,) float32.
    """
    rotation = _rotation_of(head_transform)
    ray_in_view = _MEDIAPIPE_TO_OPENFACE * head_transform[:3, 3].astype(np.float64)
    slope_x, slope_y = ray_in_view[:2] / ray_in_view[2]
    focal_in_view_px = _focal_px(view.height)
    width, height = frame_size_wh
    x_px = slope_x * focal_in_view_px + view.x + (view.width - width) / 2
    y_px = slope_y * focal_in_view_px + view.y + (view.height - height) / 2
    ray_in_frame = np.array([x_px, y_px, _focal_px(height)])
    return rotation_to_euler(_turn_to(ray_in_frame) @ _turn_to(ray_in_view).T @ rotation)


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


def _rotation_of(head_transform: F32Array | F64Array) -> F64Array:
    """Return the rotation in MediaPipe's transform, without its scale, in OpenFace's axes."""
    linear = head_transform[:3, :3].astype(np.float64) * _AXIS_FLIPS
    rotation: F64Array = linear / np.cbrt(np.linalg.det(linear))
    return rotation


def _focal_px(height_px: int) -> float:
    return height_px / 2 / tan(_VERTICAL_ANGLE_RAD / 2)


def _turn_to(ray: F64Array) -> F64Array:
    """Return the smallest rotation that carries the viewing axis (0, 0, 1) onto a ray, (3, 3)."""
    x, y, z = ray.tolist()
    length = hypot(x, y, z)
    x, y, z = x / length, y / length, z / length
    # Rodrigues' formula for the axis (0, 0, 1) x ray.
    return np.array(
        [
            [1 - x * x / (1 + z), -x * y / (1 + z), x],
            [-x * y / (1 + z), 1 - y * y / (1 + z), y],
            [-x, -y, z],
        ]
    )
