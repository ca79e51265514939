"""Closed forms of every figure, and torchmetrics as an independent second opinion."""

import math

import numpy as np
import pytest

from lanet_trainer.metrics import (
    Judged,
    accuracy,
    area_under_risk_coverage,
    bootstrap_intervals,
    class_recall,
    confusion,
    expected_calibration_error,
    jensen_shannon,
    js_to_votes,
    macro_f1,
    mean_class_accuracy,
    negative_log_likelihood,
    risk_coverage,
    spearman,
    uncertainty_correlation,
    without_class,
)


def _random(n_images: int = 400, n_classes: int = 5) -> Judged:
    generator = np.random.default_rng(3)
    probabilities = generator.dirichlet(np.full(n_classes, 0.5), n_images)
    votes = generator.dirichlet(np.full(n_classes, 0.5), n_images)
    return Judged(probabilities, generator.integers(0, n_classes, n_images), votes)


def test_counts_by_hand() -> None:
    judged = Judged(
        np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0], [0.1, 0.9, 0.0]]),
        np.array([0, 0, 0, 1]),
    )
    assert accuracy(judged) == 0.75
    assert confusion(judged).tolist() == [[2, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(class_recall(judged), [2 / 3, 1, np.nan])
    assert mean_class_accuracy(judged) == pytest.approx(5 / 6)
    assert macro_f1(judged) == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_missed_face_is_an_error() -> None:
    judged = Judged(np.array([[0.9, 0.1], [np.nan, np.nan]]), np.array([0, 1]), np.eye(2))
    assert accuracy(judged) == 0.5
    assert confusion(judged).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert js_to_votes(judged) == pytest.approx(
        (float(jensen_shannon(np.array([[0.9, 0.1]]), np.array([[1.0, 0.0]]))[0]) + math.log(2)) / 2
    )
    assert area_under_risk_coverage(judged) == pytest.approx((0 + 1 / 2) / 2)


@pytest.mark.parametrize(("n_classes", "expected"), [(7, 1.945910), (8, 2.079442)])
def test_uniform_prediction_has_nll_ln_c(n_classes: int, expected: float) -> None:
    judged = Judged(np.full((3, n_classes), 1 / n_classes), np.array([0, 1, 2]))
    assert negative_log_likelihood(judged) == pytest.approx(expected, abs=1e-6)


def test_js_of_onehot_against_uniform_over_seven() -> None:
    onehot, uniform = np.eye(7)[:1], np.full((1, 7), 1 / 7)
    assert jensen_shannon(onehot, uniform)[0] == pytest.approx(0.47785, abs=1e-5)
    assert jensen_shannon(np.eye(2)[:1], np.eye(2)[1:])[0] == pytest.approx(math.log(2))
    assert jensen_shannon(onehot, onehot)[0] == 0


def test_ece_by_hand() -> None:
    judged = Judged(np.array([[0.8, 0.2]] * 4 + [[0.55, 0.45]] * 2), np.array([0, 0, 0, 1, 0, 1]))
    expected = (4 * abs(0.8 - 0.75) + 2 * abs(0.55 - 0.5)) / 6
    assert expected_calibration_error(judged) == pytest.approx(expected)


def test_risk_coverage_by_hand() -> None:
    coverage, risk = risk_coverage(
        np.array([True, False, True, False]), np.array([0.1, 0.9, 0.2, 0.5])
    )
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(risk, [0, 0, 1 / 3, 1 / 2])


def test_risk_of_tied_doubt_does_not_depend_on_the_order() -> None:
    correct, doubt = np.array([True, False, True, False]), np.zeros(4)
    np.testing.assert_allclose(risk_coverage(correct, doubt)[1], 0.5)
    np.testing.assert_allclose(risk_coverage(correct[::-1], doubt)[1], 0.5)


def test_spearman_closed_forms() -> None:
    ramp = np.arange(6.0)
    assert spearman(ramp, ramp**3) == pytest.approx(1)
    assert spearman(ramp, -ramp) == pytest.approx(-1)
    assert math.isnan(spearman(ramp, np.ones(6)))


def test_perfect_prediction_of_votes() -> None:
    votes = _random().votes
    assert votes is not None
    judged = Judged(votes, votes.argmax(axis=1), votes)
    assert js_to_votes(judged) == pytest.approx(0, abs=1e-12)
    assert uncertainty_correlation(judged) == pytest.approx(1)
    assert accuracy(judged) == 1


def test_dropping_a_class_renormalises() -> None:
    votes = np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0], [0.0, 0.6, 0.4]])
    kept = without_class(Judged(votes, np.array([0, 2, 1]), votes), 2)
    assert kept.labels.tolist() == [0, 1]
    assert kept.votes is not None
    np.testing.assert_allclose(kept.votes, [[2 / 3, 1 / 3], [0, 1]])


def test_intervals_hold_the_figure_and_repeat() -> None:
    judged = _random()
    first = bootstrap_intervals(judged, seed=1, n_resamples=60)
    low, high = first["accuracy"]
    assert low <= accuracy(judged) <= high
    # Binomial standard error of the accuracy, twice on each side.
    expected = 4 * math.sqrt(accuracy(judged) * (1 - accuracy(judged)) / 400)
    assert high - low == pytest.approx(expected, rel=0.35)
    assert first == bootstrap_intervals(judged, seed=1, n_resamples=60)
    assert set(first) >= {"js", "spearman_uncertainty_votes", "recall/0", "aurc"}


def test_torchmetrics_agrees() -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    judged = _random()
    p, y = torch.tensor(judged.probabilities), torch.tensor(judged.labels)
    ours = [accuracy(judged), macro_f1(judged), mean_class_accuracy(judged)]
    theirs = [
        functional.multiclass_accuracy(p, y, 5, average="micro"),
        functional.multiclass_f1_score(p, y, 5, average="macro"),
        functional.multiclass_accuracy(p, y, 5, average="macro"),
    ]
    np.testing.assert_allclose(ours, [float(t) for t in theirs], atol=1e-6)
    ece = functional.multiclass_calibration_error(p, y, 5, n_bins=15, norm="l1")
    assert expected_calibration_error(judged) == pytest.approx(float(ece), abs=1e-6)
