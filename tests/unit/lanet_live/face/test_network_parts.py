"""Anchors, regions and smoothing: the arithmetic around the face networks, on known answers."""

import numpy as np
import pytest

from lanet_live.face.networks.anchors import decode_detections
from lanet_live.face.networks.detector import fit_into_square
from lanet_live.face.networks.region import (
    Region,
    cut_region,
    region_of_detection,
    region_of_landmarks,
)
from lanet_live.face.networks.smoothing import OneEuroFilter, face_size
from tests.fakes import make_landmarks

N_ANCHORS = 896


def answer(**boxes: tuple[int, float, tuple[float, float], float]) -> tuple:
    """Regressors and logits with some anchors speaking: anchor, logit, offset, size."""
    regressors = np.zeros((N_ANCHORS, 16), np.float32)
    logits = np.full(N_ANCHORS, -300.0, np.float32)
    for anchor, logit, offset, size in boxes.values():
        regressors[anchor, :2] = offset
        regressors[anchor, 2:4] = size
        regressors[anchor, 4:] = np.tile(offset, 6)
        logits[anchor] = logit
    return regressors, logits


def test_silence_gives_no_detection() -> None:
    points, scores = decode_detections(*answer(), min_score=0.01, max_overlap=0.3)
    assert points.shape == (0, 8, 2)
    assert scores.shape == (0,)


def test_a_picture_is_sampled_from_corner_to_corner_with_halves_rounded_up() -> None:
    image = np.repeat(np.array([[0, 1, 10, 13, 20, 21]], np.uint8), 3, axis=0)  # 6 x 3
    image = np.repeat(image[:, :, None], 3, axis=2)
    square, scale, corner = fit_into_square(image, 4)
    assert scale == 1.5
    assert corner.tolist() == [0.0, -1.5]
    # Columns at 0, 1.5, 3 and 4.5; rows at -1.5, 0, 1.5 and 3: outside, inside, inside, outside.
    assert square[:, :, 0].tolist() == [[0] * 4, [0, 6, 13, 21], [0, 6, 13, 21], [0] * 4]


def test_a_picture_as_large_as_the_square_stays_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    square, scale, corner = fit_into_square(image, 128)
    assert np.array_equal(square, image)
    assert (scale, corner.tolist()) == (1.0, [0.0, 0.0])


def test_an_anchor_of_each_grid_stands_in_the_middle_of_its_cell() -> None:
    # The second row, third cell of the 16 x 16 grid; the last cell of the 8 x 8 grid.
    fine, coarse = 2 * (1 * 16 + 2), 512 + 6 * 63
    given = answer(a=(fine, 2.0, (1.0, -1.0), 10.0), b=(coarse, 1.0, (0.0, 0.0), 20.0))
    points, scores = decode_detections(*given, min_score=0.5, max_overlap=0.3)
    assert scores.tolist() == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1))])
    assert points[0, :2].tolist() == [[16.0, 6.0], [26.0, 16.0]]  # 20 + 1, 12 - 1, ± 5
    assert points[0, 2:].tolist() == [[21.0, 11.0]] * 6
    assert points[1, :2].tolist() == [[110.0, 110.0], [130.0, 130.0]]


def test_answers_that_overlap_are_averaged_by_their_scores_and_keep_the_best_score() -> None:
    given = answer(a=(0, 2.0, (0.0, 0.0), 16.0), b=(1, 0.0, (2.0, 0.0), 16.0))
    points, scores = decode_detections(*given, min_score=0.3, max_overlap=0.3)
    a, b = 1 / (1 + np.exp(-2)), 0.5
    assert scores.tolist() == pytest.approx([a])
    assert points[0, 2, 0] == pytest.approx(4 + 2 * b / (a + b))
    apart, _ = decode_detections(*given, min_score=0.3, max_overlap=0.9)
    assert len(apart) == 2


def test_a_region_of_landmarks_is_turned_with_the_eyes_and_half_as_wide_again() -> None:
    landmarks = make_landmarks((200.0, 150.0), 80.0).astype(np.float32)
    upright = region_of_landmarks(landmarks)
    width, height = np.ptp(landmarks, axis=0)
    assert upright.side_px == pytest.approx(1.5 * max(width, height), rel=1e-5)
    turn = np.deg2rad(30)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array(upright.centre_px)
    turned = region_of_landmarks(((landmarks - centre) @ matrix.T + centre).astype(np.float32))
    assert turned.rotation_rad - upright.rotation_rad == pytest.approx(turn, abs=1e-5)


def test_a_region_of_a_detection_follows_box_and_eyes() -> None:
    keypoints = np.array([[10, 10], [20, 20], [0, 0], [0, 0], [0, 0], [0, 0]], np.float32)
    region = region_of_detection(np.array([5, 5, 25, 25], np.float32), keypoints)
    assert region == Region((15.0, 15.0), 30.0, pytest.approx(np.pi / 4))


@pytest.mark.parametrize("rotation_rad", [0.0, 0.7, -2.5])
def test_what_is_cut_out_lies_where_the_map_says(rotation_rad: float) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[90:93, 140:143] = (10, 200, 30)
    region = Region((150.0, 100.0), 80.0, rotation_rad)
    crop = np.zeros((160, 160, 3), np.uint8)
    cut_region(image, region, crop)
    rows, columns = np.nonzero(crop[:, :, 1] > 150)
    to_picture = region.to_picture(160)
    seen = to_picture[:, :2] @ [columns.mean(), rows.mean()] + to_picture[:, 2]
    assert seen == pytest.approx([141.0, 91.0], abs=0.3)


def test_beyond_the_border_its_pixels_are_repeated() -> None:
    image = np.full((50, 50, 3), 77, np.uint8)
    crop = np.zeros((32, 32, 3), np.uint8)
    cut_region(image, Region((0.0, 0.0), 60.0, 0.3), crop)
    assert (crop == 77).all()


def test_the_filter_begins_with_what_it_is_given_and_holds_still_points_still() -> None:
    generator = np.random.default_rng(0)
    smoother = OneEuroFilter()
    true = np.full((478, 3), 100.0, np.float32)
    first = smoother.update(true, now_s=0.0, scale=100.0)
    assert np.array_equal(first, true)
    noisy, smooth = [], []
    for index in range(1, 90):
        values = true + generator.normal(0, 0.3, true.shape).astype(np.float32)
        noisy.append(values)
        smooth.append(smoother.update(values, now_s=index / 30, scale=100.0))
    jitter = [np.abs(np.diff(np.array(s[20:]), axis=0)).mean() for s in (noisy, smooth)]
    assert jitter[1] < 0.2 * jitter[0]


def test_the_filter_follows_what_moves_and_repeats_a_time_without_harm() -> None:
    smoother = OneEuroFilter()
    for index in range(60):
        values = np.full((2, 2), 4.0 * index, np.float32)
        smoothed = smoother.update(values, now_s=index / 30, scale=100.0)
    assert np.abs(smoothed - values).max() < 3.0
    assert np.array_equal(smoother.update(values, now_s=59 / 30, scale=100.0), values)


def test_the_size_of_a_face_is_the_mean_of_its_sides() -> None:
    assert face_size(np.array([[0, 0], [30, 50]], np.float32)) == 40.0
    assert face_size(np.zeros((478, 2), np.float32)) == 1.0
