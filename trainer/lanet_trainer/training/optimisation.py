"""The optimiser, the learning rate of every step, and the averaged weights."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from lanet_trainer.methods.base import Method
from lanet_trainer.training.config import FitConfig

_EXP_GAMMA = 0.9
# Where the cosine ends, as a share of the peak: 1e-3 -> 1e-6 in the published schedule.
_COSINE_FLOOR = 1e-3
_ONE_CYCLE_WARM_UP = 0.25
_ONE_CYCLE_START = 0.04
_ONE_CYCLE_END = 4e-6


def build_optimizer(method: Method, config: FitConfig) -> torch.optim.Optimizer:
    """Build the optimiser over the method's parameter groups."""
    groups = method.parameter_groups(config.learning_rate)
    if config.optimizer == "adamw":
        groups = [part for group in groups for part in _split_by_decay(group, config.weight_decay)]
    for group in groups:
        group["peak_lr"] = group["lr"]
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups,
            lr=config.learning_rate,
            momentum=0.9,
            weight_decay=config.weight_decay,
            fused=True,
        )
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    # Fused: one pass over the memory a step instead of ten.
    return kind(groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


def _split_by_decay(group: dict[str, Any], weight_decay: float) -> list[dict[str, Any]]:
    """Keep decoupled weight decay off biases and norms, which have one dimension."""
    rest = {key: value for key, value in group.items() if key != "params"}
    matrices = [p for p in group["params"] if p.ndim > 1]
    vectors = [p for p in group["params"] if p.ndim <= 1]
    parts = [
        {**rest, "params": matrices, "weight_decay": weight_decay},
        {**rest, "params": vectors, "weight_decay": 0.0},
    ]
    return [part for part in parts if part["params"]]


def learning_rate_factor(schedule: str, *, step: int, steps_per_epoch: int, n_epochs: int) -> float:
    """Return the share of the peak learning rate that a step, counted from 0, is taken with."""
    total = steps_per_epoch * n_epochs
    done = step / total
    if schedule == "exp":
        return float(_EXP_GAMMA ** (step // steps_per_epoch))
    if schedule == "linear":
        return 1 - done
    if schedule == "cosine":
        return _cosine(1.0, _COSINE_FLOOR, done)
    if done < _ONE_CYCLE_WARM_UP:
        return _cosine(_ONE_CYCLE_START, 1.0, done / _ONE_CYCLE_WARM_UP)
    return _cosine(1.0, _ONE_CYCLE_END, (done - _ONE_CYCLE_WARM_UP) / (1 - _ONE_CYCLE_WARM_UP))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group to its share of its own peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor


class AveragedWeights:
    """An exponential mean of a network's weights and batch-norm statistics, used for inference.

    The decay grows from 0.1 at the first steps to its final value, so that a short run is not
    dominated by its initial weights.

    Attributes:
        network: The averaged copy, in evaluation mode.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network; step counts from 0."""
        weight = 1 - min(self._decay, (1 + step) / (10 + step))
        averages, values = _floats_and_rest(self.network), _floats_and_rest(network)
        torch._foreach_lerp_(averages[0], values[0], weight)
        for average, value in zip(averages[1], values[1], strict=True):
            average.copy_(value)


def _floats_and_rest(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Split the state into what can be averaged and what is copied, such as counters."""
    state = list(network.state_dict().values())
    return [t for t in state if t.is_floating_point()], [
        t for t in state if not t.is_floating_point()
    ]
