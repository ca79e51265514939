"""RUL: Relative Uncertainty Learning (NeurIPS 2021).

Features of two samples are mixed with weights in proportion to their uncertainties, and the
classifier must recognise both. The more uncertain sample gets the larger weight, so the network
learns to call those uncertain that are hard to recognise. At inference nothing is mixed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lanet_trainer.backbones import Backbone
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch, Method, Progress, StepOutput
from lanet_trainer.seeding import derive_seed

# Of both batch norms, as in the official code.
_NORM_EPSILON = 2e-5


@dataclass(frozen=True, slots=True)
class RULSettings:
    """Hyper-parameters; the defaults are those of the official code.

    Attributes:
        n_features: Width of the mixed features.
        dropout: In front of both heads, on single elements of the map.
        classifier_rate: Learning rate of the classifier, as a multiple of the others'.
        seed: Of the pairing of samples.
    """

    n_features: int = 64
    dropout: float = 0.4
    classifier_rate: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_features < 1:
            raise ConfigError(f"RUL's n_features is {self.n_features}; it must be >= 1.")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"RUL's dropout is {self.dropout}; it lies in [0, 1).")
        if self.classifier_rate <= 0:
            raise ConfigError(f"RUL's classifier_rate is {self.classifier_rate}; it must be > 0.")


class MapHead(nn.Sequential):
    """Reads a whole feature map: norm, dropout, one linear layer over all positions, norm."""

    def __init__(self, map_shape: tuple[int, int, int], *, n_features: int, dropout: float) -> None:
        channels, height, width = map_shape
        super().__init__(
            nn.BatchNorm2d(channels, eps=_NORM_EPSILON, affine=False),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(channels * height * width, n_features),
            nn.BatchNorm1d(n_features, eps=_NORM_EPSILON),
        )


class RULNetwork(nn.Module):
    """What is exported: backbone, mean head, classifier."""

    def __init__(self, backbone: Backbone, head: MapHead, fc: nn.Linear) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.fc = fc

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of each crop, (N, 3, S, S) -> (N, C)."""
        logits: Tensor = self.fc(self.head(self.backbone.forward_maps(image)))
        return logits


class RUL(Method):
    """Learning from mixed pairs; fixed to the input size it was built for."""

    Settings = RULSettings

    def __init__(
        self,
        backbone: Backbone,
        *,
        labels: Tensor,
        targets: Tensor,
        size_px: int,
        settings: RULSettings,
    ) -> None:
        super().__init__(labels=labels, targets=targets)
        self.settings = settings
        shape = _map_shape(backbone, size_px)
        width, dropout = settings.n_features, settings.dropout
        self.network = RULNetwork(
            backbone,
            MapHead(shape, n_features=width, dropout=dropout),
            nn.Linear(width, targets.shape[1]),
        )
        self.log_variance = MapHead(shape, n_features=width, dropout=dropout)

    def training_step(self, batch: Batch, progress: Progress) -> StepOutput:
        """Mix each sample with another one of the batch and recognise both."""
        if len(batch.index) < 2:
            raise ConfigError("RUL mixes pairs of samples; take a batch of at least 2 a process.")
        feature_map = self.network.backbone.forward_maps(batch.image)
        mean = self.network.head(feature_map)
        partner = self._pair(len(batch.index), progress).to(mean.device)
        weight = mixing_weights(self.log_variance(feature_map), partner)
        mixed = mix(mean, weight, partner)
        logits = self.network.fc(mixed).float()
        target = self.targets[batch.index]
        own = functional.cross_entropy(logits, target)
        other = functional.cross_entropy(logits, target[partner])
        return StepOutput(
            loss=(own + other) / 2,
            logits=logits.detach(),
            parts={"own": own.detach(), "partner": other.detach()},
        )

    def _pair(self, n_samples: int, progress: Progress) -> Tensor:
        """Draw the permutation of a step; it depends on seed and step alone, also on resuming."""
        seed = derive_seed(self.settings.seed, "rul", progress.epoch, progress.step_in_epoch)
        return torch.randperm(n_samples, generator=torch.Generator().manual_seed(seed))

    def inference_network(self) -> nn.Module:
        """Return backbone, mean head and classifier."""
        return self.network

    def parameter_groups(self, learning_rate: float) -> list[dict[str, object]]:
        """Give the classifier its higher learning rate."""
        classifier = list(self.network.fc.parameters())
        is_own = {id(p) for p in classifier}
        others = [p for p in self.parameters() if p.requires_grad and id(p) not in is_own]
        return [
            {"params": others, "lr": learning_rate},
            {"params": classifier, "lr": self.settings.classifier_rate * learning_rate},
        ]


def mixing_weights(log_variance: Tensor, partner: Tensor) -> Tensor:
    """Return each sample's share in its mixture, s_i / (s_i + s_partner), (B, 1) float32.

    s is the mean of exp(log variance). The ratio is a sigmoid of a difference of logsumexps, which
    neither overflows nor divides 0 by 0.

    Args:
        log_variance: (B, D).
        partner: The other sample of each mixture, (B,).
    """
    log_total = log_variance.float().logsumexp(dim=1, keepdim=True)
    return torch.sigmoid(log_total - log_total[partner])


def mix(mean: Tensor, weight: Tensor, partner: Tensor) -> Tensor:
    """Mix the features (B, D) of each sample and its partner."""
    return weight * mean + (1 - weight) * mean[partner]


@torch.no_grad()
def _map_shape(backbone: Backbone, size_px: int) -> tuple[int, int, int]:
    """Return channels, height and width of the last map for an input size."""
    was_training = backbone.training
    backbone.eval()
    shape = backbone.forward_maps(torch.zeros(1, 3, size_px, size_px)).shape
    backbone.train(was_training)
    return shape[1], shape[2], shape[3]
