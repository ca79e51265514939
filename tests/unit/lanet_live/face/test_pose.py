import numpy as np
import pytest

from lanet_live.face.head_model import HEAD_INDICES, HEAD_POINTS
from lanet_live.face.pose import euler_to_rotation, head_pose, rotation_to_euler

POSES = [(0.0, 0.0, 0.0), (0.3, 0.0, 0.0), (0.0, -0.7, 0.0), (0.0, 0.0, 1.2), (-0.4, 0.5, -0.9)]


def project(pose_rad, *, scale=80.0, centre=(300.0, 200.0)) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks and depth of the head model in a pose."""
    turned = HEAD_POINTS @ euler_to_rotation(np.array(pose_rad)).T * scale
    landmarks, depth = np.zeros((478, 2), np.float32), np.zeros(478, np.float32)
    landmarks[HEAD_INDICES] = turned[:, :2] + centre
    depth[HEAD_INDICES] = turned[:, 2] + 17.0
    return landmarks, depth


@pytest.mark.parametrize("pose_rad", POSES)
def test_the_pose_of_the_head_model_is_recovered(pose_rad) -> None:
    assert np.allclose(head_pose(*project(pose_rad)), pose_rad, atol=1e-5)


@pytest.mark.parametrize("pose_rad", POSES)
def test_euler_angles_and_rotation_are_inverse(pose_rad) -> None:
    rotation = euler_to_rotation(np.array(pose_rad))
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert np.allclose(rotation_to_euler(rotation), pose_rad, atol=1e-6)


def test_the_order_is_rx_then_ry_then_rz_as_in_openface() -> None:
    x, y, z = 0.2, 0.5, -0.3
    about = [euler_to_rotation(np.array(p)) for p in ((x, 0, 0), (0, y, 0), (0, 0, z))]
    assert np.allclose(euler_to_rotation(np.array([x, y, z])), about[0] @ about[1] @ about[2])


def test_the_signs_mean_what_they_say() -> None:
    nose, brow, chin = 2, 10, 152
    landmarks, _ = project((0.0, 0.0, 0.0))
    frontal = landmarks[nose] - landmarks[[brow, chin]].mean(axis=0)

    def nose_offset(pose_rad):
        points, _ = project(pose_rad)
        return points[nose] - points[[brow, chin]].mean(axis=0) - frontal

    assert nose_offset((0.3, 0, 0))[1] > 5  # looks down
    assert nose_offset((0, 0.3, 0))[0] < -5  # turns to the left of the picture
    points, _ = project((0, 0, 0.3))
    assert points[454, 1] > points[234, 1] + 5  # clockwise: the right side of the picture sinks


def test_a_mirrored_face_has_the_opposite_yaw_and_roll() -> None:
    partner = {234: 454, 454: 234}
    mirrored = HEAD_POINTS * [-1, 1, 1]
    distances = np.linalg.norm(HEAD_POINTS[:, None] - mirrored[None], axis=2)
    swap = distances.argmin(axis=1)
    assert distances.min(axis=1).max() < 1e-3  # the head model is symmetric
    assert {HEAD_INDICES[i]: HEAD_INDICES[swap[i]] for i in range(33)}.items() >= partner.items()

    landmarks, depth = project((0.2, 0.4, -0.3))
    flipped, flipped_depth = np.zeros_like(landmarks), np.zeros_like(depth)
    flipped[HEAD_INDICES] = landmarks[HEAD_INDICES[swap]] * [-1, 1] + [640, 0]
    flipped_depth[HEAD_INDICES] = depth[HEAD_INDICES[swap]]
    assert np.allclose(head_pose(flipped, flipped_depth), [0.2, -0.4, 0.3], atol=1e-3)


def test_place_size_and_depth_offset_do_not_matter() -> None:
    first = head_pose(*project((0.1, 0.2, 0.3)))
    second = head_pose(*project((0.1, 0.2, 0.3), scale=20.0, centre=(5.0, 900.0)))
    assert np.allclose(first, second, atol=1e-5)
