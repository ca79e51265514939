"""Fixtures of the trainer's tests: a backbone of a few hundred weights and random batches."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lanet_trainer.backbones import Backbone, Tail
from lanet_trainer.methods.base import Batch, Progress

N_CLASSES = 7
# Networks this small only lose time when their operations are split over threads.
torch.set_num_threads(1)


def _block(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


@pytest.fixture
def tiny_backbone() -> Backbone:
    """A backbone with batch norm: stem at stride 4 (8 channels), then stages of 12 and 16."""
    torch.manual_seed(3)
    stem = nn.Sequential(_block(3, 4, 2), _block(4, 8, 2))
    tail = Tail([_block(8, 12, 2), _block(12, 16, 2)], (12, 16))
    return Backbone("tiny", stem, tail, stem_channels=8, initialisation="random")


@pytest.fixture
def training_labels() -> Tensor:
    """Hard labels of 40 training samples, 7 classes."""
    return torch.randint(N_CLASSES, (40,), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def training_targets(training_labels: Tensor) -> Tensor:
    """One-hot rows of `training_labels`."""
    return nn.functional.one_hot(training_labels, N_CLASSES).float()


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    """Return a function that makes a random batch for given sample positions."""

    def make(index: list[int], *, size_px: int = 32, seed: int = 0) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        n = len(index)
        return Batch(
            index=torch.tensor(index),
            image=torch.randn(n, 3, size_px, size_px, generator=generator),
            second_view=torch.randn(n, 3, size_px, size_px, generator=generator),
            landmarks_px=torch.rand(n, 19, 2, generator=generator) * (size_px - 1),
            has_landmarks=torch.ones(n, dtype=torch.bool),
        )

    return make


@pytest.fixture
def progress() -> Progress:
    """The first step of a short run."""
    return Progress(epoch=0, n_epochs=2, step_in_epoch=0, steps_per_epoch=5)
