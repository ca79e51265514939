import numpy as np
import pytest

from lanet_live.errors import ConfigError
from lanet_live.review.edits import Edits, Limits
from lanet_live.review.recording import open_recording
from lanet_live.review.reviewed import check_can_merge, frame_weights, review
from lanet_live.review.table import NO_FACE, read_frame_table
from tests.fakes import LABELS, make_result
from tests.review_tables import write_table


def test_a_table_comes_back_as_written(tmp_path):
    results = [make_result(0), make_result(1, face_ids=()), make_result(2, face_ids=(0, 1))]
    table = read_frame_table(write_table(tmp_path / "t.csv", results))
    assert table.labels == LABELS
    assert table.frame.tolist() == [0, 1, 2, 2]
    assert table.face_id.tolist() == [0, NO_FACE, 0, 1]
    assert table.face_ids == (0, 1)
    np.testing.assert_allclose(table.time_s, [0, 0.04, 0.08, 0.08])
    np.testing.assert_allclose(
        table.probabilities[0], results[0].estimates[0].probabilities, atol=1e-6
    )
    assert np.isnan(table.probabilities[1]).all()
    assert table.is_reliable.tolist() == [True, False, True, True]
    left, top, right, bottom = results[0].tracks[0].box_xyxy_px
    np.testing.assert_allclose(
        table.box_xywh_px[0], [left, top, right - left, bottom - top], atol=0.01
    )


def test_pictures_without_time_count_a_second_each(tmp_path):
    results = [make_result(i, timestamp_s=float("nan")) for i in range(3)]
    recording = open_recording(write_table(tmp_path / "t.csv", results))
    assert recording.table.time_s.tolist() == [0, 1, 2]
    assert "no time" in recording.notice
    assert frame_weights(recording.table).tolist() == [1, 1, 1]


def test_frames_weigh_as_long_as_they_were_shown(tmp_path):
    times = [0.0, 0.1, 0.4, 0.5, 9.0, 9.1]
    results = [make_result(i, timestamp_s=t, face_ids=(0, 1)) for i, t in enumerate(times)]
    table = read_frame_table(write_table(tmp_path / "t.csv", results))
    # What was lost after 0.5 s was not shown; the last frame lasts as long as most.
    np.testing.assert_allclose(frame_weights(table)[::2], [0.1, 0.3, 0.1, 0.5, 0.1, 0.1])
    np.testing.assert_array_equal(frame_weights(table)[::2], frame_weights(table)[1::2])


def test_limits_judge_anew_and_those_of_the_recording_leave_it(tmp_path):
    results = [make_result(i, uncertainty=0.1 * i, is_reliable=i == 9) for i in range(10)]
    recording = open_recording(write_table(tmp_path / "t.csv", results))
    as_recorded = review(recording, recording.edits)
    assert as_recorded.is_reliable.tolist() == [False] * 9 + [True]
    stricter = review(recording, Edits(limits=Limits(max_uncertainty=0.35)))
    assert stricter.is_reliable.tolist() == [True] * 4 + [False] * 6
    assert stricter.reliable_share() == pytest.approx(0.4)


def test_excluded_rows_do_not_count(tmp_path):
    results = [make_result(i, is_reliable=i < 5) for i in range(10)]
    recording = open_recording(write_table(tmp_path / "t.csv", results))
    reviewed = review(recording, recording.edits.with_excluded(0.2, 9.0))
    assert reviewed.is_excluded.tolist() == [False] * 5 + [True] * 5
    assert reviewed.reliable_share(0) == 1.0
    assert np.isnan(review(recording, recording.edits.with_excluded(0, 9)).reliable_share())


def test_faces_seen_together_cannot_be_merged_others_can(tmp_path):
    results = [make_result(0, face_ids=(0, 1)), make_result(1, face_ids=(2,))]
    recording = open_recording(write_table(tmp_path / "t.csv", results))
    with pytest.raises(ConfigError, match="1 frame,"):
        check_can_merge(recording.table, Edits(), 0, 1)
    check_can_merge(recording.table, Edits(), 2, 1)
    merged = review(recording, Edits().with_faces_merged(2, 1))
    assert merged.face_id.tolist() == [0, 1, 1]
    with pytest.raises(ConfigError, match="1 frame,"):
        check_can_merge(recording.table, Edits().with_faces_merged(2, 1), 1, 0)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "frame,face_id,timestamp\n1,2,3\n"])
def test_a_foreign_table_says_what_it_lacks(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match="no table of LA-Net Live"):
        open_recording(path)
