"""Temperature: recovered where it is known, and never worse than none."""

import numpy as np
import pytest

from lanet_live.expression.uncertainty import softmax
from trainer.calibration import fit_temperature, soft_nll
from trainer.errors import DataError


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
