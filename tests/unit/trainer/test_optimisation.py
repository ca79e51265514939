"""Schedules at their corners, decay kept off vectors, averaged weights by hand."""

import pytest
import torch
from torch import nn

from lanet_trainer.training.optimisation import (
    AveragedWeights,
    _split_by_decay,
    learning_rate_factor,
)


def _factor(schedule: str, step: int) -> float:
    return learning_rate_factor(schedule, step=step, steps_per_epoch=10, n_epochs=4)


def test_schedules_at_their_corners() -> None:
    assert _factor("exp", 0) == _factor("exp", 9) == 1
    assert _factor("exp", 30) == pytest.approx(0.9**3)
    assert _factor("linear", 0) == 1
    assert _factor("linear", 39) == pytest.approx(1 / 40)
    assert _factor("cosine", 0) == 1
    assert _factor("cosine", 20) == pytest.approx((1 + 1e-3) / 2)
    assert _factor("one-cycle", 0) == pytest.approx(0.04)
    assert _factor("one-cycle", 10) == pytest.approx(1)
    assert _factor("one-cycle", 39) < 0.01


def test_decay_stays_off_vectors() -> None:
    layer = nn.Linear(3, 2)
    matrices, vectors = _split_by_decay({"params": list(layer.parameters()), "lr": 0.5}, 0.1)
    assert matrices == {"params": [layer.weight], "lr": 0.5, "weight_decay": 0.1}
    assert vectors == {"params": [layer.bias], "lr": 0.5, "weight_decay": 0.0}


def test_average_moves_weights_and_statistics_and_copies_counters() -> None:
    network = nn.BatchNorm1d(2)
    average = AveragedWeights(network, decay=0.5)
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.running_mean.fill_(1.0)
        network.num_batches_tracked.fill_(7)
    average.update(network, step=0)
    assert average.network.weight.tolist() == pytest.approx([0.1 * 1 + 0.9 * 3] * 2)
    assert average.network.running_mean.tolist() == pytest.approx([0.9] * 2)
    average.update(network, step=1000)
    assert average.network.weight.tolist() == pytest.approx([0.5 * 2.8 + 0.5 * 3] * 2)
    assert average.network.num_batches_tracked.item() == 7
