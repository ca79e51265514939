import json
from pathlib import Path

import numpy as np
import pytest

from lanet_live.config import PriorConfig
from lanet_live.errors import ConfigError
from lanet_live.expression.prior import (
    estimate_shares,
    read_prior_file,
    resolve_prior,
    reweigh,
    write_prior_file,
)
from tests.fakes import LABELS, make_spec

CLASS_SHARES = np.array([0.37, 0.27, 0.13, 0.11, 0.09, 0.01, 0.015, 0.005])
BALANCED = PriorConfig("balanced", "balanced")
MEANS = np.array([-1.0, 0.5, 2.0])


def posterior(x: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """What a perfect model of three unit Gaussians answers where the classes have these shares."""
    weights = np.exp(-0.5 * (x[:, None] - MEANS) ** 2) * shares
    return weights / weights.sum(axis=1, keepdims=True)


def draw(shares: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return MEANS[rng.choice(3, n, p=shares)] + rng.normal(size=n)


def test_the_correction_is_the_model_trained_where_the_shares_hold() -> None:
    trained, present = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.3, 0.6])
    x = draw(present, 500)
    corrected = reweigh(posterior(x, trained), present / trained)
    np.testing.assert_allclose(corrected, posterior(x, present), atol=1e-12)
    np.testing.assert_allclose(corrected.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("present", [(0.1, 0.3, 0.6), (1 / 3, 1 / 3, 1 / 3), (0.9, 0.05, 0.05)])
def test_em_finds_the_shares_from_the_probabilities_alone(present: tuple[float, ...]) -> None:
    trained, truth = np.array([0.7, 0.2, 0.1]), np.array(present)
    found = estimate_shares(posterior(draw(truth, 40_000), trained), trained)
    np.testing.assert_allclose(found, truth, atol=0.02)
    assert found.sum() == pytest.approx(1)


def test_em_maximises_the_likelihood() -> None:
    trained = np.array([0.7, 0.2, 0.1])
    x = draw(np.array([0.2, 0.5, 0.3]), 300, seed=3)
    likelihoods = posterior(x, trained) / trained

    def log_likelihood(shares: np.ndarray) -> float:
        return float(np.log(likelihoods @ shares).sum())

    best = estimate_shares(posterior(x, trained), trained)
    rng = np.random.default_rng(0)
    for other in rng.dirichlet(200 * best, 200):
        assert log_likelihood(best) >= log_likelihood(other) - 1e-6


def test_certain_answers_are_counted() -> None:
    found = estimate_shares(np.eye(4)[[0, 0, 1, 3]], np.array([0.25, 0.25, 0.25, 0.25]))
    np.testing.assert_allclose(found, [0.5, 0.25, 0, 0.25], atol=1e-9)


def test_fitted_changes_nothing_and_needs_nothing() -> None:
    assert resolve_prior(PriorConfig(), make_spec()) is None


def test_balanced_divides_by_the_declared_shares() -> None:
    prior = resolve_prior(BALANCED, make_spec(class_shares=tuple(CLASS_SHARES)))
    assert prior is not None
    np.testing.assert_allclose(prior.correct(CLASS_SHARES[None]), np.full((1, 8), 1 / 8))
    np.testing.assert_allclose(prior.shares, 1 / 8)


def test_a_model_that_does_not_declare_its_shares_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not say which class shares"):
        resolve_prior(BALANCED, make_spec())


def test_a_file_is_read_in_any_order_and_rounding_is_evened_out(tmp_path: Path) -> None:
    shares = dict.fromkeys(reversed(LABELS), 0.12) | {"contempt": 0.13}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(shares))
    config = read_prior_file(path)
    prior = resolve_prior(config, make_spec(class_shares=tuple(CLASS_SHARES)))
    assert prior is not None
    assert prior.name == "mine.json"
    assert prior.shares.sum() == pytest.approx(1)
    assert prior.shares[LABELS.index("contempt")] == pytest.approx(0.13 / 0.97)


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "shares.csv"
    write_prior_file(path, {"neutral": 0.25, "happiness": 0.75})
    assert path.read_text() == "class,share\nneutral,0.250000\nhappiness,0.750000\n"
    assert read_prior_file(path) == PriorConfig(
        "file", "shares.csv", (("neutral", 0.25), ("happiness", 0.75))
    )


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "first line must be class,share"),
        ("a.csv", b"happiness,0.5\nneutral,0.5\n", "first line must be class,share"),
        ("a.csv", b"class,share\nhappiness\n", "every line must hold"),
        ("a.csv", b"class,share\nhappiness,half\nneutral,0.5\n", "happiness is not a number"),
        ("a.csv", b"class,share\nhappiness,0\nneutral,1\n", "happiness must be above 0"),
        ("a.csv", b"class,share\nhappiness,nan\nneutral,1\n", "happiness must be above 0"),
        ("a.csv", b"class,share\nhappiness,0.5\nhappiness,0.5\n", "named twice"),
        ("a.csv", b"class,share\nhappiness,0.5\nneutral,0.2\n", "sum to 0.7 instead of 1"),
        ("a.csv", b"\xff\xfe\x00\x01", "cannot be read"),
        ("a.json", b"{", "not usable"),
        ("a.json", b"[0.5, 0.5]", "must be an object"),
        ("a.json", b'{"happiness": true, "neutral": 0.5}', "happiness must be above 0"),
        ("a.json", b'{"happiness": null, "neutral": 0.5}', "happiness is not a number"),
        ("a.json", b"[" * 90_000, "not usable"),
        ("a.json", b" " * 100_001, "too long"),
    ],
)
def test_a_file_that_holds_no_shares_gets_one_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence) as caught:
        read_prior_file(path)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_a_file_with_other_classes_than_the_models_is_refused() -> None:
    config = PriorConfig("file", "x.csv", (("happiness", 0.5), ("joy", 0.5)))
    with pytest.raises(ConfigError, match=r"must name the model's classes.*joy"):
        resolve_prior(config, make_spec(class_shares=tuple(CLASS_SHARES)))
