import numpy as np
import pytest

from lanet_live.face.matching import (
    box_iou,
    contained_share,
    is_same_face,
    landmark_box,
    share_inside,
)


def box(*xyxy: float) -> np.ndarray:
    return np.array(xyxy, np.float32)


def test_overlap_of_boxes() -> None:
    a, b = box(0, 0, 10, 10), box(5, 0, 15, 10)
    assert box_iou(a, b) == pytest.approx(50 / 150)
    assert box_iou(a, a) == 1
    assert box_iou(a, box(20, 0, 30, 10)) == 0
    assert contained_share(a, box(2, 2, 4, 4)) == 1
    assert share_inside(b, a) == pytest.approx(0.5)


def test_empty_boxes_overlap_nothing() -> None:
    empty = box(3, 3, 3, 3)
    assert box_iou(empty, empty) == contained_share(empty, empty) == share_inside(empty, empty) == 0


def test_a_part_of_a_face_is_that_face_and_a_neighbour_is_not() -> None:
    face = box(0, 0, 100, 120)
    assert is_same_face(face, box(10, 30, 90, 110))
    assert is_same_face(face, box(20, 20, 40, 40))
    assert not is_same_face(face, box(80, 0, 180, 120))


def test_the_box_of_landmarks_encloses_them() -> None:
    points = np.array([[3, 9], [1, 4], [2, 7]], np.float32)
    assert landmark_box(points).tolist() == [1, 4, 3, 9]
