"""Temperature and offsets: recovered where they are known, and never worse than none."""

import numpy as np
import pytest

from lanet_live.expression.uncertainty import softmax
from lanet_trainer.errors import DataError
from lanet_trainer.evaluation.calibration import fit_offsets, fit_temperature, soft_nll


@pytest.mark.parametrize("measure", ["js", "nll"])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_temperature_that_made_the_targets_is_found(temperature: float, measure: str) -> None:
    logits = np.random.default_rng(0).normal(size=(300, 8)) * 3
    targets = softmax(logits, temperature=temperature)
    assert fit_temperature(logits, targets, measure=measure) == pytest.approx(temperature, rel=1e-3)


def test_overconfident_logits_are_cooled() -> None:
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(500, 4))
    labels = np.array([generator.choice(4, p=row) for row in softmax(logits)])
    targets = np.eye(4)[labels]
    found = fit_temperature(5 * logits, targets, measure="nll")
    assert found == pytest.approx(5, rel=0.2)
    assert soft_nll(5 * logits, targets, found) < soft_nll(5 * logits, targets, 1.0)


def test_nothing_to_fit_on_is_an_error() -> None:
    with pytest.raises(DataError, match="No validation image"):
        fit_temperature(np.empty((0, 8)), np.empty((0, 8)))


def test_offsets_that_made_the_labels_are_found() -> None:
    generator = np.random.default_rng(2)
    logits = generator.normal(size=(20_000, 3)) * 2
    wanted = np.array([-0.6, 0.1, 0.5])
    shares = softmax(logits + wanted, temperature=0.5)
    labels = (shares.cumsum(axis=1) < generator.random((len(logits), 1))).sum(axis=1)
    offsets, temperature = fit_offsets(logits, labels)
    assert temperature == pytest.approx(0.5, rel=0.05)
    np.testing.assert_allclose(offsets, wanted, atol=0.05)
    assert offsets.sum() == pytest.approx(0)


def test_class_without_a_picture_gets_a_finite_offset() -> None:
    generator = np.random.default_rng(3)
    offsets, _ = fit_offsets(generator.normal(size=(200, 4)), generator.integers(0, 3, 200))
    assert np.isfinite(offsets).all()
    assert offsets[3] == offsets.min()
    with pytest.raises(DataError, match="No validation image"):
        fit_offsets(np.empty((0, 4)), np.empty(0, dtype=np.int64))
