import math
from pathlib import Path

import av
import numpy as np
import pytest

from lanet_live.records import FrameResult
from lanet_live.sinks.annotated_video import AnnotatedVideoSink
from tests.fakes import make_estimate, make_frame, make_result, make_track


def decode(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def write(path: Path, *results: FrameResult) -> list[av.VideoFrame]:
    sink = AnnotatedVideoSink(path)
    for result in results:
        sink.write(result)
    sink.close()
    return decode(path)


@pytest.mark.parametrize("start_s", [0.0, 3.5])
def test_variable_time_stamps_are_kept(tmp_path: Path, start_s: float) -> None:
    times_s = [start_s + t for t in (0.0, 0.033, 0.1, 0.11, 0.5, 1.9, 4.2)]
    frames = write(tmp_path / "a.mp4", *(make_result(timestamp_s=t) for t in times_s))
    assert [frame.time for frame in frames] == pytest.approx(times_s, abs=1e-4)


def test_times_before_zero_are_moved_to_start_at_zero(tmp_path: Path) -> None:
    frames = write(tmp_path / "a.mp4", *(make_result(timestamp_s=t) for t in (-0.5, -0.4, 0.2)))
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.1, 0.7], abs=1e-4)


def test_repeated_time_stamps_lose_no_frame(tmp_path: Path) -> None:
    frames = write(tmp_path / "a.mp4", *(make_result(i, timestamp_s=0.5) for i in range(4)))
    assert len(frames) == 4


def test_pictures_without_time_follow_each_other_at_one_a_second(tmp_path: Path) -> None:
    results = [make_result(i, timestamp_s=math.nan) for i in range(3)]
    assert [f.time for f in write(tmp_path / "a.mp4", *results)] == pytest.approx([0, 1, 2])


def test_odd_sizes_are_filled_up_not_scaled(tmp_path: Path) -> None:
    frame = make_frame(size_wh=(161, 91))
    (decoded,) = write(tmp_path / "a.mp4", FrameResult(frame, (), ()))
    assert (decoded.width, decoded.height) == (162, 92)
    picture = decoded.to_ndarray(format="bgr24")[:91, :161].astype(int)
    assert np.abs(picture - frame.image_bgr).mean() < 20


def test_a_frame_of_another_size_is_fitted_into_the_first_ones(tmp_path: Path) -> None:
    small = FrameResult(make_frame(1, size_wh=(100, 200)), (), ())
    frames = write(tmp_path / "a.mp4", make_result(0), small)
    assert {(frame.width, frame.height) for frame in frames} == {(320, 240)}


def test_the_face_is_drawn_and_the_frame_is_left_alone(tmp_path: Path) -> None:
    frame = make_frame()
    before = frame.image_bgr.copy()
    result = FrameResult(frame, (make_track(),), (make_estimate(),))
    (drawn,) = write(tmp_path / "a.mp4", result)
    (plain,) = write(tmp_path / "b.mp4", FrameResult(frame, (), ()))
    difference = np.abs(
        drawn.to_ndarray(format="bgr24").astype(int) - plain.to_ndarray(format="bgr24")
    ).max(axis=-1)
    rows, columns = np.nonzero(difference > 60)
    assert columns.min() < 120 < 200 < columns.max()
    assert rows.max() < 190
    assert np.array_equal(frame.image_bgr, before)


def test_what_was_written_plays_before_the_video_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    sink = AnnotatedVideoSink(path)
    for index in range(100):
        sink.write(make_result(index, timestamp_s=index / 25))
    playable_s = decode(path)[-1].time
    sink.close()
    assert playable_s >= 99 / 25 - 1.0
