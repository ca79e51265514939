from dataclasses import replace

import pytest

from lanet_live.run.stats import RunStats
from tests.fakes import make_facts, make_result


def result(captured_at_s, *, n_faces=1, dropped_before=0, **stage_ms):
    made = make_result(face_ids=tuple(range(n_faces)))
    frame = replace(made.frame, captured_at_s=captured_at_s)
    return replace(made, frame=frame, stage_ms=stage_ms, dropped_before=dropped_before)


def test_rate_counts_intervals_not_moments():
    stats = RunStats()
    for i in range(5):
        stats.add(result(i * 0.1), now_s=i * 0.1)
    assert stats.snapshot(0.4).fps == pytest.approx(10)


def test_nothing_yet_and_a_single_result_have_no_rate():
    stats = RunStats()
    assert stats.snapshot(0.0).fps == 0.0
    assert stats.snapshot(0.0).latency_ms is None
    stats.add(result(1.0), now_s=1.01)
    snapshot = stats.snapshot(1.02)
    assert snapshot.fps == 0.0
    assert snapshot.latency_ms == pytest.approx(10)


def test_rate_and_latency_look_back_over_the_window_only():
    stats = RunStats(window_s=1.0)
    for i in range(100):
        stats.add(result(i * 0.1 - 0.5), now_s=i * 0.1)
    for i in range(100, 140):
        stats.add(result(10 + (i - 100) * 0.05 - 0.02), now_s=10 + (i - 100) * 0.05)
    snapshot = stats.snapshot(12.0)
    assert snapshot.fps == pytest.approx(20)
    assert snapshot.latency_ms == pytest.approx(20)
    assert snapshot.n_results == 140
    late = stats.snapshot(20.0)
    assert (late.fps, late.latency_ms, late.n_results) == (0.0, None, 140)


def test_counts_cover_the_whole_run():
    stats = RunStats()
    for i, (n_faces, dropped) in enumerate([(1, 0), (0, 3), (2, 1)]):
        stats.add(result(i, n_faces=n_faces, dropped_before=dropped), now_s=i + 0.01)
    snapshot = stats.snapshot(3.0)
    assert (snapshot.n_results, snapshot.n_with_face, snapshot.n_dropped) == (3, 2, 4)


def test_percentile_tells_the_slow_ones():
    stats = RunStats()
    for i in range(100):
        stats.add(result(0.0), now_s=0.001 * (i + 1))
    snapshot = stats.snapshot(0.2)
    assert snapshot.latency_ms == pytest.approx(50.5)
    assert snapshot.latency_p95_ms == pytest.approx(95.05)


def test_stages_are_averaged():
    stats = RunStats()
    stats.add(result(0.0, track=10.0, infer=4.0), now_s=0.0)
    stats.add(result(0.0, track=20.0), now_s=0.1)
    assert stats.snapshot(0.1).stage_ms == {"track": 15.0, "infer": 4.0}


def test_facts_are_passed_on():
    stats = RunStats()
    assert stats.snapshot(0.0).facts is None
    facts = make_facts()
    stats.set_facts(facts)
    assert stats.snapshot(0.0).facts is facts
