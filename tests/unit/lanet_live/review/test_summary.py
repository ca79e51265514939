import numpy as np
import pytest

from lanet_live.review.edits import Edits
from lanet_live.review.interval import mean_interval, memory_rows
from lanet_live.review.recording import open_recording
from lanet_live.review.reviewed import review
from lanet_live.review.summary import summarise, windows_of
from lanet_live.sessions.events import SessionEvent
from tests.fakes import make_result
from tests.review_tables import distribution, write_table


def open_results(tmp_path, results):
    return open_recording(write_table(tmp_path / "t.csv", results))


def sum_up(recording, edits=None, **options):
    edits = edits or recording.edits
    windows = windows_of(recording.table, edits, after_marker_s=0.5)
    return summarise(recording.table, review(recording, edits), edits, windows, **options)


def test_means_and_shares_are_weighted_by_time(tmp_path):
    # Class 1 for 0.1 s, then class 3 for 0.3 s, then class 1; the last frame lasts 0.2 s.
    times, best = [0.0, 0.1, 0.4], [1, 3, 1]
    results = [
        make_result(i, timestamp_s=t, probabilities=distribution(k, 0.79))
        for i, (t, k) in enumerate(zip(times, best, strict=True))
    ]
    summary = sum_up(open_results(tmp_path, results))[0]
    assert summary.seen_s == pytest.approx(0.6)
    assert summary.time_share[[1, 3]].tolist() == pytest.approx([0.5, 0.5])
    assert summary.mean[1] == pytest.approx((0.3 * 0.79 + 0.3 * 0.03) / 0.6, abs=1e-6)
    assert summary.mean.sum() == pytest.approx(1, abs=1e-5)
    assert (summary.peak[3], summary.peak_s[3]) == pytest.approx((0.79, 0.1))


def test_windows_follow_the_events_and_leave_out_excluded_rows(tmp_path):
    results = [make_result(i, probabilities=distribution(i // 25)) for i in range(75)]
    recording = open_results(tmp_path, results)
    edits = (
        recording.edits.with_event(SessionEvent(1.0, number=1, name="film"))
        .with_event(SessionEvent(0.0, kind="range", name="calm", end_timestamp_s=0.5))
        .with_excluded(1.2, 9.0)
    )
    whole, calm, film = sum_up(recording, edits)
    assert [s.window.name for s in (whole, calm, film)] == ["Whole session", "calm", "1 film"]
    assert whole.n_rows == 30
    assert (calm.n_rows, calm.time_share[0]) == (13, 1.0)
    assert (film.n_rows, film.time_share[1]) == (5, 1.0)


def test_only_reliable_rows_are_summed_up_when_asked(tmp_path):
    results = [
        make_result(i, probabilities=distribution(i % 2), is_reliable=i % 2 == 0) for i in range(8)
    ]
    recording = open_results(tmp_path, results)
    everything = sum_up(recording)[0]
    reliable = sum_up(recording, only_reliable=True)[0]
    assert (everything.n_used, reliable.n_used, reliable.n_rows) == (8, 4, 8)
    assert everything.reliable_share == reliable.reliable_share == 0.5
    assert reliable.time_share[0] == 1.0


def test_nothing_reliable_gives_no_mean(tmp_path):
    recording = open_results(tmp_path, [make_result(0, is_reliable=False)])
    summary = sum_up(recording, only_reliable=True)[0]
    assert np.isnan(summary.mean).all()
    assert np.isnan(summary.peak).all()
    assert summary.interval is None


def test_the_memory_of_an_autoregressive_series_is_found():
    rng = np.random.default_rng(0)
    for rho in (0.0, 0.5, 0.9):
        noise = rng.normal(size=(20_000, 2))
        series = np.zeros_like(noise)
        for i in range(1, len(noise)):
            series[i] = rho * series[i - 1] + noise[i]
        assert memory_rows(series) == pytest.approx((1 + rho) / (1 - rho), rel=0.25)
    assert memory_rows(np.ones((50, 3))) == 1.0


def test_the_interval_of_a_remembering_series_covers_its_mean():
    rng = np.random.default_rng(1)
    rho, n, n_series = 0.95, 3000, 40
    time_s, weights = np.arange(n) / 30, np.full(n, 1 / 30)
    noise = rng.normal(size=(n, n_series))
    series = np.zeros_like(noise)
    for i in range(1, n):
        series[i] = rho * series[i - 1] + noise[i]
    hits = 0
    for k in range(n_series):
        interval = mean_interval(series[:, k : k + 1], time_s, weights)
        hits += interval.low[0] <= 0 <= interval.high[0]
    # A plain standard error would cover in about a quarter of the cases.
    assert hits / n_series >= 0.8


def test_a_short_window_has_no_interval():
    assert mean_interval(np.ones((5, 2)), np.arange(5) / 30, np.ones(5) / 30) is None
    assert mean_interval(np.ones((60, 2)), np.arange(60) / 30, np.ones(60) / 30) is None


def test_faces_of_a_merge_are_summed_up_as_one(tmp_path):
    results = [make_result(i, face_ids=(i // 5,)) for i in range(10)]
    recording = open_results(tmp_path, results)
    merged = sum_up(recording, Edits().with_faces_merged(1, 0).with_name(0, "Ada"))
    assert [(s.name, s.n_rows) for s in merged] == [("Ada", 10)]


def test_class_shares_are_estimated_when_the_model_declared_its_own(tmp_path):
    kinds = np.random.default_rng(0).choice([1, 3], 400, p=[0.7, 0.3])
    results = [
        make_result(i, probabilities=distribution(k, 0.93)) for i, k in enumerate(kinds.tolist())
    ]
    recording = open_results(tmp_path, results)
    assert sum_up(recording)[0].shares is None
    shares = sum_up(recording, class_shares=(1 / 8,) * 8)[0].shares
    assert shares is not None
    assert shares.n_frames == 400
    assert shares.n_effective <= 400
    assert shares.shares[1] == pytest.approx((kinds == 1).mean(), abs=0.02)
    # Of a few frames nothing is said.
    few = open_recording(write_table(tmp_path / "few.csv", results[:20]))
    assert sum_up(few, class_shares=(1 / 8,) * 8)[0].shares is None
