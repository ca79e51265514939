"""The figures of `benchmarks/flicker.py` on sequences whose answer is known."""

import numpy as np
import pytest

from benchmarks.flicker import CAMERAS, FPS, SIZE_WH, WEBCAM, Camera, film, flicker, lag_of_a_step
from lanet_live.expression.smoothing import DEFAULT_TIME_CONSTANT_S


def test_flicker_is_the_mean_total_variation_between_frames():
    steady = np.tile([0.7, 0.2, 0.1], (5, 1))
    assert flicker(steady) == 0
    alternating = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert flicker(alternating) == 1
    assert flicker(np.array([[0.5, 0.5], [0.6, 0.4]])) == pytest.approx(0.1)


def test_the_lag_is_the_time_constant_to_within_a_frame():
    assert DEFAULT_TIME_CONSTANT_S <= lag_of_a_step() <= DEFAULT_TIME_CONSTANT_S + 1 / FPS


def test_the_film_shows_one_picture_with_changing_noise():
    width, height = SIZE_WH
    still = np.full((height, width, 3), 100, dtype=np.uint8)
    frames = list(film(still, WEBCAM, n_frames=3, seed=1))
    assert [frame.timestamp_s for frame in frames] == [0, 1 / FPS, 2 / FPS]
    pictures = [frame.image_bgr.astype(float) for frame in frames]
    assert all(picture.mean() == pytest.approx(100, abs=0.5) for picture in pictures)
    assert all(2 < picture.std() < 8 for picture in pictures)
    assert np.abs(pictures[0] - pictures[1]).mean() > 1
    again = next(iter(film(still, WEBCAM, n_frames=1, seed=1)))
    assert np.array_equal(again.image_bgr, frames[0].image_bgr)


def test_a_perfect_camera_changes_nothing():
    still = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), dtype=np.uint8)
    still[100:200, 300:400] = 200
    for frame in film(still, Camera(), n_frames=2, seed=0):
        assert np.array_equal(frame.image_bgr, still)
    assert CAMERAS["webcam"] is WEBCAM
