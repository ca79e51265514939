"""A tiny separable training set and a watcher that can ask for a stop."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lanet_trainer.backbones import Backbone, Tail
from lanet_trainer.methods.base import Batch, Progress
from lanet_trainer.methods.registry import method_entry
from lanet_trainer.seeding import derive_seed
from lanet_trainer.training.config import FitConfig

N_CLASSES = 3
SIZE_PX = 32


def tiny_backbone(width: int = 8) -> Backbone:
    """Return a backbone with batch norm and a few thousand weights."""

    def block(n_in: int, n_out: int) -> nn.Sequential:
        conv = nn.Conv2d(n_in, n_out, 3, stride=2, padding=1, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(n_out), nn.ReLU())

    stem = nn.Sequential(block(3, width), block(width, width))
    tail = Tail([block(width, 2 * width), block(2 * width, 4 * width)], (2 * width, 4 * width))
    return Backbone("tiny", stem, tail, stem_channels=width, initialisation="random")


def tiny_config(**changes: Any) -> FitConfig:
    """Return a record for runs of seconds."""
    recipe = method_entry(changes.get("method", "baseline")).recipe
    values: dict[str, Any] = {
        "data": "tiny",
        "method": "baseline",
        "backbone": "resnet18",
        "size_px": SIZE_PX,
        "epochs": 3,
        "batch_size": 8,
        "optimizer": "adamw",
        "learning_rate": 2e-3,
        "weight_decay": 0.01,
        "schedule": "one-cycle",
        "mean": recipe.mean,
        "std": recipe.std,
        "sampler": "shuffle",
        "precision": "fp32",
        "ema_decay": 0.9,
    }
    return FitConfig(**{**values, **changes})


class TinyBatches:
    """Noise images whose mean tells the class, shuffled by (seed, epoch)."""

    def __init__(self, *, n_images: int = 32, batch_size: int = 8, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(n_images) % N_CLASSES
        noise = torch.randn(n_images, 3, SIZE_PX, SIZE_PX, generator=generator)
        self.images = noise + 1.5 * (self.labels - 1).float()[:, None, None, None]
        self.landmarks = torch.rand(n_images, 19, 2, generator=generator) * SIZE_PX
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0
        self._first_step = 0

    @property
    def targets(self) -> torch.Tensor:
        return torch.eye(N_CLASSES)[self.labels]

    def set_epoch(self, epoch: int, *, first_step: int = 0) -> None:
        self._epoch, self._first_step = epoch, first_step

    def __len__(self) -> int:
        return len(self.labels) // self._batch_size

    def __iter__(self) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(derive_seed(self._seed, self._epoch))
        order = torch.randperm(len(self.labels), generator=generator)
        for step in range(self._first_step, len(self)):
            index = order[step * self._batch_size : (step + 1) * self._batch_size]
            image = self.images[index]
            yield Batch(
                index=index,
                image=image,
                second_view=image.flip(-1),
                landmarks_px=self.landmarks[index],
                has_landmarks=torch.ones(len(index), dtype=torch.bool),
            )


class QuietWatcher:
    """Shows nothing; asks for a stop after a number of steps."""

    def __init__(self, *, stop_after_steps: int | None = None) -> None:
        self._stop_after = stop_after_steps
        self.n_steps = 0
        self.rows: list[Mapping[str, float]] = []

    @property
    def wants_stop(self) -> bool:
        return self._stop_after is not None and self.n_steps >= self._stop_after

    def on_step(self, progress: Progress, means: Mapping[str, float]) -> None:
        self.n_steps += 1

    def on_epoch(self, row: Mapping[str, float], *, n_epochs: int) -> None:
        self.rows.append(row)


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint."""
    from lanet_trainer.training.checkpoint import read_checkpoint

    return read_checkpoint(path).tensors
