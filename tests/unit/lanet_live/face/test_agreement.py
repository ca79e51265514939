import numpy as np
import pytest

from lanet_live.face.agreement import (
    _MESH_PAIRS,
    NO_AGREEMENT,
    keypoint_disagreement,
    landmark_confidence,
)
from tests.fakes import make_landmarks


def test_key_points_of_the_mesh_itself_agree_fully() -> None:
    landmarks = make_landmarks((100, 100), 80)
    keypoints = landmarks[_MESH_PAIRS].mean(axis=1)
    assert keypoint_disagreement(keypoints, landmarks) == pytest.approx(0, abs=1e-6)


def test_the_distance_counts_in_sizes_of_the_face() -> None:
    for side_px in (40.0, 400.0):
        landmarks = make_landmarks((500, 500), side_px)
        shift = np.array([0.1 * np.ptp(landmarks[:, 1]), 0])
        keypoints = landmarks[_MESH_PAIRS].mean(axis=1) + shift
        assert keypoint_disagreement(keypoints, landmarks) == pytest.approx(0.1, rel=1e-4)


def test_confidence_is_the_score_lowered_by_disagreement() -> None:
    values = [landmark_confidence(0.9, d) for d in (0.0, 0.05, 0.15, 0.25, NO_AGREEMENT, 2.0)]
    assert values[0] == values[1] == 0.9
    assert values == sorted(values, reverse=True)
    assert values[3] > 0
    assert values[4] == values[5] == 0
