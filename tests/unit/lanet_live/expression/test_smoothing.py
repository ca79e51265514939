import math

import numpy as np
import pytest

from lanet_live.expression.smoothing import MAX_GAP_S, ProbabilitySmoother

A, B = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def test_first_distribution_passes_unchanged() -> None:
    assert ProbabilitySmoother(0.5).update(0, 7.0, A) is A


def test_a_step_has_covered_63_percent_after_one_time_constant() -> None:
    smoother = ProbabilitySmoother(0.5)
    smoother.update(0, 0.0, A)
    assert smoother.update(0, 0.5, B)[1] == pytest.approx(1 - math.exp(-1))


def test_the_result_depends_on_time_not_on_the_number_of_frames() -> None:
    few, many = ProbabilitySmoother(0.3), ProbabilitySmoother(0.3)
    few.update(0, 0.0, A)
    many.update(0, 0.0, A)
    for k in range(1, 9):
        last = many.update(0, k * 0.1, B)
    for k in range(1, 3):
        coarse = few.update(0, k * 0.4, B)
    assert last == pytest.approx(coarse)


def test_smoothed_distributions_sum_to_one() -> None:
    rng = np.random.default_rng(0)
    smoother = ProbabilitySmoother(0.2)
    for k in range(50):
        smoothed = smoother.update(0, k / 30, rng.dirichlet(np.ones(8)))
        assert smoothed.sum() == pytest.approx(1.0, abs=1e-12)


def test_faces_do_not_mix() -> None:
    smoother = ProbabilitySmoother(0.5)
    smoother.update(0, 0.0, A)
    smoother.update(1, 0.0, B)
    assert smoother.update(1, 0.1, B).tolist() == B.tolist()


@pytest.mark.parametrize("next_s", [10.0 + MAX_GAP_S + 0.01, 9.9])
def test_a_long_gap_or_time_going_backwards_starts_afresh(next_s: float) -> None:
    smoother = ProbabilitySmoother(0.5)
    smoother.update(0, 10.0, A)
    assert smoother.update(0, next_s, B).tolist() == B.tolist()


def test_forget_gone_keeps_only_faces_that_can_be_continued() -> None:
    smoother = ProbabilitySmoother(0.5)
    for face_id in range(1000):
        smoother.update(face_id, float(face_id), A)
        smoother.forget_gone(float(face_id))
    assert len(smoother._states) <= MAX_GAP_S + 1


@pytest.mark.parametrize("time_constant_s", [0.0, -1.0, math.inf, math.nan])
def test_a_time_constant_that_is_not_positive_is_refused(time_constant_s: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        ProbabilitySmoother(time_constant_s)
