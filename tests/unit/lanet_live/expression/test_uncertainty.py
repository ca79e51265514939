import math

import numpy as np
import pytest

from lanet_live.expression.uncertainty import (
    entropy_nats,
    mutual_information,
    normalised_entropy,
    softmax,
)


def test_softmax_equals_the_closed_form() -> None:
    probabilities = softmax(np.array([0.0, math.log(3.0)]))
    assert probabilities == pytest.approx([0.25, 0.75])


def test_softmax_sums_to_one_for_every_row_of_any_shape() -> None:
    logits = np.random.default_rng(0).normal(scale=20, size=(3, 4, 8)).astype(np.float32)
    probabilities = softmax(logits, temperature=0.7)
    assert probabilities.dtype == np.float64
    assert np.allclose(probabilities.sum(axis=-1), 1.0, atol=1e-12)


def test_softmax_survives_logits_that_overflow_an_exponential() -> None:
    assert softmax(np.array([5000.0, 0.0, -5000.0])) == pytest.approx([1.0, 0.0, 0.0])


def test_softmax_temperature_divides_the_logits() -> None:
    logits = np.array([1.0, -2.0, 0.5])
    assert np.allclose(softmax(logits, temperature=2.5), softmax(logits / 2.5))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_softmax_refuses_a_temperature_that_is_not_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be positive"):
        softmax(np.zeros(2), temperature=temperature)


def test_entropy_of_a_fair_coin_is_ln_2() -> None:
    assert entropy_nats(np.array([0.5, 0.5])) == pytest.approx(math.log(2))


def test_entropy_takes_zero_times_its_logarithm_as_zero() -> None:
    assert entropy_nats(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("n_classes", [2, 7, 8])
def test_normalised_entropy_runs_from_zero_to_one(n_classes: int) -> None:
    certain, even = np.eye(n_classes)[0], np.full(n_classes, 1 / n_classes)
    assert normalised_entropy(np.stack([certain, even])) == pytest.approx([0.0, 1.0])


def test_normalised_entropy_of_a_tie_of_two_among_eight_is_a_third() -> None:
    tie = np.array([0.5, 0.5, 0, 0, 0, 0, 0, 0])
    assert normalised_entropy(tie) == pytest.approx(math.log(2) / math.log(8))


def test_mutual_information_is_zero_when_the_views_agree() -> None:
    ambiguous = np.full(8, 1 / 8)
    assert mutual_information(np.stack([ambiguous] * 4)) == pytest.approx(0.0, abs=1e-12)


def test_mutual_information_of_certain_views_that_contradict_is_the_entropy_of_their_mean() -> None:
    views = np.stack([np.eye(8)[0], np.eye(8)[1]])
    assert mutual_information(views) == pytest.approx(math.log(2) / math.log(8))


def test_mutual_information_reaches_one_when_every_view_names_another_class() -> None:
    assert mutual_information(np.eye(8)) == pytest.approx(1.0)


def test_mutual_information_is_computed_per_face() -> None:
    agree = np.stack([np.eye(4)[2], np.eye(4)[2]])
    contradict = np.stack([np.eye(4)[0], np.eye(4)[1]])
    per_face = mutual_information(np.stack([agree, contradict], axis=1))  # (V, N, C) -> (N,)
    assert per_face == pytest.approx([0.0, 0.5])
