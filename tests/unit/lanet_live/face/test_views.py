import numpy as np
import pytest

from lanet_live.face.views import (
    View,
    coarse_views,
    fine_views,
    is_ill_placed,
    square_view_around,
    view_of_one,
)

SIZES = [(640, 360), (1920, 1080), (360, 640), (1000, 667), (3840, 400), (500, 500), (2, 900)]


def box(x: float, y: float, side: float) -> np.ndarray:
    return np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)


@pytest.mark.parametrize("size_wh", SIZES)
def test_views_lie_in_the_frame_and_begin_with_the_whole(size_wh) -> None:
    views = (*coarse_views(size_wh), *fine_views(size_wh))
    assert views[0] == View(0, 0, *size_wh)
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    for view in views:
        assert view.cut(image).shape == (view.height, view.width, 3)


@pytest.mark.parametrize("size_wh", [(640, 360), (1920, 1080), (360, 640), (1000, 667)])
def test_every_face_narrower_than_the_overlap_lies_whole_in_some_tile(size_wh) -> None:
    tiles = coarse_views(size_wh)[1:]
    side = 0.24 * min(size_wh)
    for x in np.linspace(side / 2, size_wh[0] - side / 2, 60):
        for y in (side / 2, size_wh[1] - side / 2):
            face = box(x, y, side)
            assert any((face[:2] >= t.box_xyxy[:2]).all() and (face[2:] <= t.box_xyxy[2:]).all()
                       for t in tiles)  # fmt: skip


def test_the_group_photo_is_cut_in_two_tiles() -> None:
    assert coarse_views((1000, 667)) == (
        View(0, 0, 1000, 667),
        View(0, 0, 667, 667),
        View(333, 0, 667, 667),
    )


def test_a_square_is_one_view_and_a_small_frame_has_no_fine_tiles() -> None:
    assert coarse_views((512, 512)) == (View(0, 0, 512, 512),)
    assert fine_views((1280, 720)) == ()
    assert len(fine_views((1920, 1080))) == 15


def test_a_square_around_a_face_is_cut_at_the_border() -> None:
    assert square_view_around(box(100, 100, 20), (640, 360), zoom_out=4) == View(60, 60, 80, 80)
    assert square_view_around(box(5, 100, 20), (640, 360), zoom_out=4) == View(0, 60, 45, 80)
    assert square_view_around(box(320, 180, 300), (640, 360), zoom_out=4) == View(0, 0, 640, 360)


@pytest.mark.parametrize("centre", [(-500.0, 50.0), (9000.0, 9000.0)])
def test_a_square_around_a_box_outside_the_frame_is_not_empty(centre) -> None:
    view = square_view_around(box(*centre, 50), (640, 360), zoom_out=2)
    assert view.cut(np.zeros((360, 640, 3), np.uint8)).size > 0


def test_a_view_of_one_face_shuts_its_neighbour_out() -> None:
    alone = view_of_one(box(300, 180, 60), [], (640, 360))
    crowded = view_of_one(box(300, 180, 60), [box(390, 180, 60)], (640, 360))
    assert alone.width == 240
    assert crowded.width < 200
    assert crowded.x + crowded.width < 390


def test_a_face_near_the_edge_of_its_view_is_ill_placed() -> None:
    view = View(200, 100, 200, 200)
    assert not is_ill_placed(box(300, 200, 50), view, (640, 360))
    assert is_ill_placed(box(365, 200, 50), view, (640, 360))
    assert is_ill_placed(box(300, 200, 150), view, (640, 360))  # fills it
    assert is_ill_placed(box(300, 200, 20), view, (640, 360))  # lost in it


def test_a_face_at_the_edge_of_the_whole_frame_is_well_placed() -> None:
    assert not is_ill_placed(box(30, 180, 100), View(0, 0, 640, 360), (640, 360))
    assert not is_ill_placed(box(320, 180, 350), View(0, 0, 640, 360), (640, 360))
