import numpy as np
import pytest

from lanet_live.expression.shares import (
    MAX_ROWS,
    MIN_EFFECTIVE,
    SharesCollector,
    describe_shares,
    suggest_shares,
)
from lanet_live.records import Quality
from tests.fakes import LABELS, make_result

EVEN = (1 / 8,) * 8


def one_hot(rows: list[int]) -> np.ndarray:
    return np.eye(8)[rows] * 0.92 + 0.01


def test_a_held_face_is_worth_far_fewer_frames_than_a_changing_one() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 8, 300)
    changing = suggest_shares(one_hot(kinds), np.zeros(300, np.int64), LABELS, EVEN)
    held = suggest_shares(one_hot(np.repeat(kinds, 30)), np.zeros(9000, np.int64), LABELS, EVEN)
    assert changing is not None
    assert held is not None
    assert changing.n_effective > 150
    assert (held.n_frames, held.n_effective < 500) == (9000, True)
    np.testing.assert_allclose(held.shares, changing.shares, atol=1e-6)


def test_too_little_gives_no_suggestion() -> None:
    still = np.tile(one_hot([1]), (5000, 1)) + np.random.default_rng(0).normal(
        0, 1e-6, (5000, 1)
    ).cumsum(axis=0)
    assert suggest_shares(still, np.zeros(5000, np.int64), LABELS, EVEN) is None
    n = int(MIN_EFFECTIVE) - 1
    assert suggest_shares(one_hot([1] * n), np.arange(n), LABELS, EVEN, is_independent=True) is None


def test_pictures_are_independent() -> None:
    estimate = suggest_shares(
        one_hot([1] * 60 + [2] * 40), np.zeros(100, np.int64), LABELS, EVEN, is_independent=True
    )
    assert estimate is not None
    assert estimate.n_effective == 100
    assert estimate.shares[1] == pytest.approx(0.6, abs=0.03)
    assert "happiness 6" in describe_shares(estimate)


def test_a_long_run_is_thinned_evenly_and_still_counted_whole() -> None:
    collector = SharesCollector(LABELS, EVEN, min_quality=0.3)
    rng = np.random.default_rng(1)
    rows = one_hot(rng.choice([0, 1], 20_000, p=[0.75, 0.25]))
    for index, row in enumerate(rows):
        collector.write(make_result(index, face_ids=(0, 1), probabilities=row))
    estimate = collector.estimate()
    assert estimate is not None
    assert estimate.n_frames == 40_000
    assert MAX_ROWS / 8 < estimate.n_effective <= MAX_ROWS
    assert estimate.shares[0] == pytest.approx(0.75, abs=0.03)


def test_faces_of_poor_quality_are_left_out() -> None:
    collector = SharesCollector(LABELS, EVEN, min_quality=0.3)
    for index in range(200):
        collector.write(
            make_result(index, probabilities=one_hot([index % 2])[0], quality=Quality(0.9))
        )
        collector.write(make_result(index, probabilities=one_hot([3])[0], quality=Quality(0.1)))
    estimate = collector.estimate()
    assert estimate is not None
    assert estimate.n_frames == 200
    assert estimate.shares[3] == pytest.approx(0, abs=1e-3)


def test_a_model_without_declared_shares_gets_no_estimate() -> None:
    collector = SharesCollector(LABELS, None, min_quality=0.0)
    for index in range(100):
        collector.write(make_result(index))
    assert collector.estimate() is None
