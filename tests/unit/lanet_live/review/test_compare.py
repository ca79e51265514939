import numpy as np

from lanet_live.review.compare import ShiftedSeries, Side, summarise_side
from lanet_live.review.recording import open_recording
from lanet_live.review.reviewed import review
from lanet_live.review.series import rows_of_face, series_of
from lanet_live.review.summary import Window
from tests.fakes import LABELS, make_result
from tests.review_tables import distribution, write_table


def open_table(path, **changes):
    results = [make_result(i, is_reliable=i < 20, **changes) for i in range(40)]
    return open_recording(write_table(path, results))


def test_a_shifted_series_answers_in_the_time_of_the_other(tmp_path):
    recording = open_table(tmp_path / "t.csv")
    reviewed = review(recording, recording.edits)
    rows = rows_of_face(recording.table, reviewed, 0)
    series = series_of(recording.table, reviewed, rows)
    plain = series.stretch(0.41, 0.79, max_points=1000)
    shifted = ShiftedSeries(series, 5.0).stretch(5.41, 5.79, max_points=1000)
    np.testing.assert_allclose(shifted.time_s, plain.time_s + 5.0)
    np.testing.assert_array_equal(shifted.raw, plain.raw)
    np.testing.assert_array_equal(shifted.is_joined, plain.is_joined)


def test_each_side_is_summed_up_in_its_own_window_under_its_own_edits(tmp_path):
    recording = open_table(tmp_path / "t.csv", probabilities=distribution(1))
    edits = recording.edits.with_excluded(0.0, 0.2)
    side = Side(recording.table, review(recording, edits), edits, 0, Window("w", 0.0, 1.0))
    everything = summarise_side(side, only_reliable=False)
    reliable = summarise_side(side, only_reliable=True)
    assert everything is not None
    assert reliable is not None
    assert (everything.n_used, reliable.n_used) == (20, 14)
    np.testing.assert_allclose(everything.mean[LABELS.index("happiness")], 0.65)


def test_a_face_that_is_not_seen_has_no_summary(tmp_path):
    recording = open_table(tmp_path / "t.csv")
    reviewed = review(recording, recording.edits)
    side = Side(recording.table, reviewed, recording.edits, 0, Window("w", 50.0, 60.0))
    assert summarise_side(side, only_reliable=False) is None
