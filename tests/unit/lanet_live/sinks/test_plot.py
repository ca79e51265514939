from pathlib import Path

import cv2
import numpy as np
import pytest

from lanet_live.drawing.palette import CLASS_COLORS
from lanet_live.sinks.plot import PlotSink
from tests.fakes import LABELS, make_result


def draw(path: Path, *results) -> np.ndarray:
    sink = PlotSink(path, LABELS)
    for result in results:
        sink.write(result)
    sink.close()
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


def has_color(picture: np.ndarray, name: str, *, below_x: int = 1500) -> int:
    """Count pixels of a class colour left of the legend."""
    rgb = CLASS_COLORS[name]
    return int((picture[:, :below_x] == np.array(rgb[::-1])).all(axis=-1).sum())


def test_the_picture_shows_the_classes_that_occur(tmp_path: Path) -> None:
    happy = np.eye(8)[1] * 0.86 + 0.0175
    picture = draw(tmp_path / "a.png", *(make_result(i, probabilities=happy) for i in range(50)))
    assert has_color(picture, "happiness") > 5_000  # its line and the ribbon


def test_unreliable_spans_are_veiled(tmp_path: Path) -> None:
    happy = np.eye(8)[1]
    results = [make_result(i, probabilities=happy, is_reliable=i < 20) for i in range(60)]
    picture = draw(tmp_path / "a.png", *results)
    all_reliable = draw(
        tmp_path / "b.png", *(make_result(i, probabilities=happy) for i in range(60))
    )
    share = has_color(picture, "happiness") / has_color(all_reliable, "happiness")
    assert share == pytest.approx(1 / 3, abs=0.06)


def test_nothing_is_drawn_where_the_face_was_away(tmp_path: Path) -> None:
    happy = np.eye(8)[1]
    results = [
        make_result(i, face_ids=(0,) if i < 30 or i >= 70 else (), probabilities=happy)
        for i in range(100)
    ]
    picture = draw(tmp_path / "a.png", *results)
    orange = (picture[:, :1500] == np.array(CLASS_COLORS["happiness"][::-1])).all(axis=-1)
    columns = np.flatnonzero(orange.any(axis=0))
    left, right = columns.min(), columns.max()
    gap = orange[:, int(left + 0.35 * (right - left)) : int(left + 0.65 * (right - left))]
    assert not gap.any()


@pytest.mark.parametrize("n_faces", [0, 1, 3, 12])
def test_any_number_of_faces_makes_a_picture(tmp_path: Path, n_faces: int) -> None:
    results = [make_result(i, face_ids=tuple(range(n_faces))) for i in range(4)]
    picture = draw(tmp_path / "a.png", *results)
    assert picture.shape[1] == 1800
    assert picture.shape[0] == pytest.approx(270 + 465 * min(4, max(1, n_faces)), abs=2)


def test_a_single_frame_makes_a_picture(tmp_path: Path) -> None:
    assert draw(tmp_path / "a.png", make_result()).any()


def test_memory_is_a_small_part_of_what_the_frames_take() -> None:
    sink = PlotSink(Path("never-written.png"), LABELS)
    for index in range(2_000):
        sink.write(make_result(index))
    (face,) = sink._faces.values()
    n_bytes = sum(level.values.nbytes for level in face.history._levels)
    assert n_bytes < 2_000 * 400
