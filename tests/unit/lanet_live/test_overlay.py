import numpy as np
import pytest

from lanet_live.drawing.overlay import draw_result
from lanet_live.drawing.palette import CLASS_COLORS
from lanet_live.records import FrameResult
from tests.fakes import make_estimate, make_frame, make_track

CALM = np.eye(8)[0]
HAPPY = np.eye(8)[1]


def count_pixels(picture: np.ndarray, rgb: tuple[int, int, int]) -> int:
    return int((picture == np.array(rgb[::-1])).all(axis=-1).sum())


def draw(**changes) -> np.ndarray:
    size_wh = changes.pop("size_wh", (320, 240))
    track = make_track(center_xy=changes.pop("center_xy", (160.0, 120.0)))
    frame = make_frame(size_wh=size_wh)
    return draw_result(FrameResult(frame, (track,), (make_estimate(**changes),)))


def test_the_most_probable_class_gives_the_colour() -> None:
    assert count_pixels(draw(probabilities=HAPPY), CLASS_COLORS["happiness"]) > 300


def test_an_unreliable_estimate_is_grey() -> None:
    picture = draw(probabilities=HAPPY, is_reliable=False)
    assert count_pixels(picture, CLASS_COLORS["happiness"]) == 0
    assert count_pixels(picture, (0x9A, 0x9D, 0xA1)) > 300


def test_the_bar_grows_with_the_uncertainty() -> None:
    sizes = [count_pixels(draw(uncertainty=u), (0xF2, 0xF3, 0xF5)) for u in (0.0, 0.5, 1.0)]
    assert sizes[0] == 0
    assert sizes[2] == pytest.approx(2 * sizes[1], rel=0.1)


@pytest.mark.parametrize("center_xy", [(0.0, 0.0), (320.0, 240.0), (-500.0, 9000.0)])
def test_faces_at_or_beyond_the_border_are_drawn_as_far_as_they_go(center_xy) -> None:
    assert draw(center_xy=center_xy).shape == (240, 320, 3)


@pytest.mark.parametrize("size_wh", [(16, 16), (3840, 2160)])
def test_any_size_of_picture_can_be_drawn_on(size_wh) -> None:
    assert draw(size_wh=size_wh).shape == (size_wh[1], size_wh[0], 3)
