"""The measurements of prediction sets and priors on made-up faces whose truth is known."""

import numpy as np
import pytest

from benchmarks.prediction_sets import CHOSEN, Faces, as_markdown, measure_all
from benchmarks.prior_shift import balanced_part, mixture, true_shares
from lanet_trainer.evaluation.degradations import STRENGTHS

LABELS = ("neutral", "happiness", "surprise")
SHARES = np.array([0.7, 0.2, 0.1])
MEANS = np.array([-1.0, 0.5, 2.0])


def calibrated(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Probabilities of the perfect model of three Gaussians, calibrated for `SHARES`."""
    x = MEANS[labels] + np.random.default_rng(seed).normal(size=len(labels))
    weights = np.exp(-0.5 * (x[:, None] - MEANS) ** 2) * SHARES
    return weights / weights.sum(axis=1, keepdims=True)


def make_faces(n: int) -> Faces:
    rng = np.random.default_rng(1)
    labels = rng.choice(3, n, p=SHARES)
    kinds = np.array(["clean", *STRENGTHS])
    turn = np.arange(n) % (2 * (len(kinds) - 1))
    is_clean = turn % 2 == 0
    return Faces(
        domain=(np.arange(n) >= n // 2).astype(np.int64),
        group=np.arange(n) // 3,
        label=labels,
        kind=np.where(is_clean, "clean", kinds[1 + turn // 2]),
        level=np.where(is_clean, -1, np.arange(n) % 3),
        probabilities=calibrated(labels),
        quality=rng.uniform(size=n),
        votes=np.full((n, 3), np.nan),
    )


def test_sets_keep_their_promise_on_persons_they_were_not_fitted_on() -> None:
    found = measure_all(make_faces(9000), ("home", "away"), 0.9, LABELS, SHARES)
    for way in ("LAC", "LAC, shares^0.5", "RAPS"):
        for domain in ("home", "away"):
            assert found["ways"][way][domain]["coverage"] == pytest.approx(0.9, abs=0.06)
            assert found["ways"][way][domain]["coverage"] > 0.88
    smallest = min(found["ways"], key=lambda way: found["ways"][way]["home"]["mean_size"])
    assert smallest.startswith("LAC")
    assert set(found["degraded"]["home"]) >= set(STRENGTHS)
    report = {"model": "made up", "measured_on_sha256": "0" * 64, "labels": list(LABELS)}
    report |= {"data": {"home": 1, "away": 1}, "coverage": 0.9, "command": "x", **found}
    assert f"| {CHOSEN} (chosen) |" in as_markdown(report)


def test_a_balanced_prior_helps_where_the_classes_are_balanced() -> None:
    labels = np.random.default_rng(2).choice(3, 6000, p=SHARES)
    part = balanced_part(calibrated(labels), labels, SHARES, 1 / 3 / SHARES)
    assert part["classes"] == [0, 1, 2]
    assert part["gain"]["balanced"]["value"] > 0.05
    # The interval is that of single draws of 75 faces, so it may begin below 0.
    assert part["gain"]["balanced"]["low"] > -0.1
    assert part["accuracy"]["balanced"]["value"] == pytest.approx(
        part["accuracy"]["true shares"]["value"], abs=1e-9
    )


def test_em_is_closer_to_a_mixture_than_counting() -> None:
    labels = np.random.default_rng(3).choice(3, 6000, p=SHARES)
    counts = np.bincount(labels)
    even = true_shares({}, counts, LABELS)
    np.testing.assert_allclose(even, 1 / 3)
    found = mixture(calibrated(labels), labels, SHARES, even)
    assert found["distance_em"]["value"] < 0.08
    assert found["distance_em"]["value"] < found["distance_counting"]["value"] / 2
    np.testing.assert_allclose(true_shares(None, counts, LABELS), counts / counts.sum())
    asked = true_shares({"neutral": 0.5, "surprise": 0.5}, counts, LABELS)
    np.testing.assert_allclose(asked, [0.5, 0, 0.5])
