"""Every way to spoil a picture spoils it, more with each strength, and the same with one seed."""

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lanet_live.resources import asset_path
from lanet_trainer.evaluation.degradations import STRENGTHS, degrade


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    with av.open(str(asset_path("demo.mp4"))) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24")
    side = min(frame.shape[:2])
    return np.asarray(cv2.resize(frame[:side, :side], (288, 288), interpolation=cv2.INTER_AREA))


def _distance(picture: NDArray[np.uint8], changed: NDArray[np.uint8]) -> float:
    """How far two pictures are apart at one size; what was cut off counts in full."""
    height, width = picture.shape[:2]
    same = cv2.resize(changed, (width, height), interpolation=cv2.INTER_LINEAR)
    return float(np.abs(same.astype(float) - picture).mean())


@pytest.mark.parametrize("kind", STRENGTHS)
def test_each_strength_spoils_more_than_the_one_before(picture, kind: str) -> None:
    distances = []
    for level in range(3):
        draws = [degrade(picture, kind, level, np.random.default_rng(seed)) for seed in range(6)]
        assert all(draw.dtype == np.uint8 and draw.ndim == 3 for draw in draws)
        assert all(draw.flags.c_contiguous for draw in draws)
        distances.append(np.mean([_distance(picture, draw) for draw in draws]))
    assert 0.5 < distances[0] < distances[1] < distances[2]


@pytest.mark.parametrize("kind", STRENGTHS)
def test_a_seed_decides_everything_and_the_picture_stays(picture, kind: str) -> None:
    before = picture.copy()
    first = degrade(picture, kind, 1, np.random.default_rng(3))
    second = degrade(picture, kind, 1, np.random.default_rng(3))
    assert np.array_equal(first, second)
    assert np.array_equal(picture, before)


def test_a_cut_leaves_a_smaller_picture_and_a_small_face_a_small_one(picture) -> None:
    generator = np.random.default_rng(0)
    assert min(degrade(picture, "cut by the border", 2, generator).shape[:2]) < 200
    assert degrade(picture, "small face", 2, generator).shape == (23, 23, 3)
