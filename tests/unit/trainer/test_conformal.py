import numpy as np
import pytest

from lanet_trainer.errors import DataError
from lanet_trainer.evaluation.conformal import (
    aps_scores,
    conformal_quantile,
    fit_min_probabilities,
    fit_over_domains,
    measure_sets,
    measure_thresholds,
    wilson_interval,
)


def draw(n: int, *, seed: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Faces of a model that is badly calibrated: the promise must hold whatever the model is."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(5, 0.5), n)
    labels = np.array([rng.choice(5, p=row) for row in truth])
    said = np.maximum(truth, 1e-9) ** (2.5 * sharpness)
    return said / said.sum(axis=1, keepdims=True), labels


def test_the_quantile_is_the_finite_sample_one() -> None:
    scores = np.arange(1, 20, dtype=np.float64)  # 19 of them: ceil(20 * 0.9) = 18
    assert conformal_quantile(scores, 0.9) == 18
    assert conformal_quantile(scores[:9], 0.9) == 9  # exactly the last
    assert conformal_quantile(scores[:8], 0.9) == np.inf  # too few for the promise
    with pytest.raises(DataError, match="coverage"):
        conformal_quantile(scores, 1.0)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("weights", [None, (0.4, 0.3, 0.15, 0.1, 0.05)])
def test_sets_hold_the_right_class_as_often_as_promised(coverage, weights) -> None:
    weights = None if weights is None else np.array(weights)
    fits, hits, n = 60, 0, 400
    for seed in range(fits):
        thresholds = fit_min_probabilities(*draw(199, seed=seed), coverage, class_weights=weights)
        figures = measure_thresholds(*draw(n, seed=1000 + seed), thresholds)
        hits += round(figures.coverage * n)
    # Over fits the coverage of one fit varies by a beta distribution, of mean k/(n+1).
    rank = np.ceil(200 * coverage)
    spread = np.sqrt(
        rank * (200 - rank) / (200**2 * 201) / fits + coverage * (1 - coverage) / (fits * n)
    )
    low, high = rank / 200 - 4 * spread, rank / 200 + 4 * spread
    share = hits / (fits * n)
    assert share >= low
    if weights is None and coverage >= 0.9:
        # Sets that would be empty get their first class, so more than promised is possible.
        assert share <= high + 0.01


def test_over_domains_the_promise_holds_in_each() -> None:
    easy, hard = draw(4000, seed=1, sharpness=0.4), draw(4000, seed=2, sharpness=1.6)
    thresholds = fit_over_domains([easy, hard], 0.9)
    np.testing.assert_array_equal(
        thresholds,
        np.minimum(fit_min_probabilities(*easy, 0.9), fit_min_probabilities(*hard, 0.9)),
    )
    for seed, sharpness in ((3, 0.4), (4, 1.6)):
        assert (
            measure_thresholds(*draw(4000, seed=seed, sharpness=sharpness), thresholds).coverage
            > 0.885
        )


def test_too_few_faces_give_sets_of_everything_rather_than_a_false_promise() -> None:
    thresholds = fit_min_probabilities(*draw(5, seed=0), 0.95)
    np.testing.assert_array_equal(thresholds, np.zeros(5))
    with pytest.raises(DataError, match="no labelled face"):
        fit_min_probabilities(np.empty((0, 5)), np.empty(0, dtype=np.int64), 0.9)


def test_aps_adds_up_from_the_most_probable_class_and_raps_charges_for_the_rank() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3]])
    np.testing.assert_allclose(aps_scores(probabilities), [[1.0, 0.5, 0.8]])
    np.testing.assert_allclose(aps_scores(probabilities, penalty=0.1, n_free=1), [[1.2, 0.5, 0.9]])


def test_figures_of_sets_are_counted_as_they_are_named() -> None:
    members = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1]], dtype=bool)
    votes = np.array([[10, 0, 0], [5, 5, 0], [10, 0, 0], [0, 0, 0]], dtype=np.float64)
    figures = measure_sets(members, np.array([0, 1, 0, 1]), votes)
    assert (figures.n, figures.coverage, figures.mean_size) == (4, 0.75, 1.5)
    assert figures.single_share == 0.5
    np.testing.assert_allclose(figures.class_coverage, [0.5, 1.0, np.nan])
    assert figures.vote_coverage == pytest.approx(2 / 3)
    assert measure_sets(members, np.array([0, 1, 0, 1])).vote_coverage is None


def test_the_interval_is_wilsons() -> None:
    low, high = wilson_interval(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
