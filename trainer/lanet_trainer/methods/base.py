"""The interface every training method implements.

The loop owns data, optimiser, devices and checkpoints; a method owns its network heads, its loss
and its per-sample state. Per-sample state (current labels, label distributions, banks) lives in
tensors indexed by the sample's position in the training set, registered as buffers, so that it is
in the checkpoint and survives a resume.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lanet_trainer.transforms import Augmentation


@dataclass(frozen=True, slots=True)
class Batch:
    """One training batch on the training device.

    Attributes:
        index: Position of each sample in the training set, (B,) int64; stable through a run.
        image: Normalised augmented crops, (B, 3, S, S) float32.
        second_view: A second view where the method asks for one, (B, 3, S, S); else None.
        landmarks_px: The 19 points moved along with the crop, in crop pixels, (B, 19, 2) float32.
        has_landmarks: False where no face was found, (B,) bool.
    """

    index: Tensor
    image: Tensor
    second_view: Tensor | None
    landmarks_px: Tensor
    has_landmarks: Tensor


@dataclass(slots=True)
class StepOutput:
    """What one training step returns.

    Attributes:
        loss: Scalar to differentiate.
        logits: (B, C), detached, for the running training accuracy.
        parts: Named scalar losses for the log, detached.
        carry: Tensors the method wants back in `after_step`, detached.
    """

    loss: Tensor
    logits: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)
    carry: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands; epochs and steps count from 0."""

    epoch: int
    n_epochs: int
    step_in_epoch: int
    steps_per_epoch: int

    @property
    def fractional_epoch(self) -> float:
        """Epochs done so far, with the share of the current one."""
        return self.epoch + self.step_in_epoch / self.steps_per_epoch


class Method(nn.Module, ABC):
    """A network together with its training rule.

    Every method is built as `Class(backbone, labels=…, targets=…, size_px=…, settings=…)`. The
    global torch generator is seeded before, the same on every process; a method that draws during
    training draws from it (it is in the checkpoint).

    Attributes:
        Settings: Frozen dataclass of the hyper-parameters with their defaults (int, float, bool or
            str fields); `lanet-train fit --set name=value` fills it.
        second_view: "none", "mirror_independent" (mirrored, erased on its own) or "mirror_exact"
            (the first view mirrored, erasing included).
        needs_landmarks: Whether `Batch.landmarks_px` is read.
        labels: Current hard training labels, buffer (N,) int64, possibly noisy, changed by
            relabelling methods. Filled before training.
        targets: Soft training targets, buffer (N, C) float32: one-hot of `labels`, or the vote
            distributions when the run trains on votes.
    """

    Settings: ClassVar[type[Any]]
    second_view: str = "none"
    needs_landmarks: bool = False
    labels: Tensor
    targets: Tensor

    def __init__(self, *, labels: Tensor, targets: Tensor) -> None:
        super().__init__()
        self.register_buffer("labels", labels.clone())
        self.register_buffer("targets", targets.clone())

    @abstractmethod
    def training_step(self, batch: Batch, progress: Progress) -> StepOutput:
        """Compute the loss of one batch. Runs under autocast; keep float32 islands inside."""

    @classmethod
    def check_augmentation(cls, augmentation: Augmentation) -> None:
        """Raise `ConfigError` if the method makes no sense with this augmentation.

        Anything will do by default.
        """

    @torch.no_grad()
    def after_step(self, batch: Batch, output: StepOutput, progress: Progress) -> None:
        """Update per-sample state after the optimiser step. Nothing by default."""

    @abstractmethod
    def inference_network(self) -> nn.Module:
        """Return the network that is exported: crops (N, 3, S, S) -> logits (N, C).

        It shares parameters with the method, and its answer for an image does not depend on the
        other images of the batch.
        """

    def parameter_groups(self, learning_rate: float) -> list[dict[str, object]]:
        """Split the parameters into optimiser groups; one group by default."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": learning_rate}]
