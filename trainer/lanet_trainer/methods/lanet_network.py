"""LA-Net's network: one stem, an expression branch and a landmark branch, projection heads.

The landmark branch is a top-down pyramid of 1x1 convolutions and bilinear enlargements, without
bias or activation. It is linear, so two of its results are computed without ever building the wide
pyramid, with the same value and gradient:

- the heatmap convolution commutes with the enlargements, hence each level is convolved once with
  (head x lateral) and the pyramid is summed over the few landmark channels;
- enlarging by two keeps the mean, hence the pooled pyramid is the sum of the laterals of the pooled
  maps. Where a size is odd and the enlargement is not by two, this sum is the definition used here.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lanet_trainer.backbones import Tail, pool
from lanet_trainer.methods.classifier import Classifier

N_LANDMARKS = 19
# The pyramid is as wide as the stem; narrow stems of mobile networks still get this much.
_MIN_WIDTH = 64
_HEAD_STD = 1e-3


class LandmarkBranch(nn.Module):
    """A second tail over the shared stem, with pyramid and heatmaps."""

    def __init__(self, tail: Tail, *, stem_channels: int, n_points: int = N_LANDMARKS) -> None:
        super().__init__()
        self.width = max(stem_channels, _MIN_WIDTH)
        self.tail = tail
        self.laterals = nn.ModuleList(
            nn.Conv2d(channels, self.width, 1, bias=False)
            for channels in (stem_channels, *tail.channels)
        )
        self.head = nn.Conv2d(self.width, n_points, 1, bias=False)
        # Almost empty heatmaps at first: with pretrained mobile networks torch's own draw began at
        # 50 times the loss of empty ones, and the clipped gradient of a short run was all of it.
        nn.init.normal_(self.head.weight, std=_HEAD_STD)

    def forward(self, stem_map: Tensor) -> list[Tensor]:
        """Return the maps of all levels, shallow to deep, the stem's first."""
        return [stem_map, *self.tail(stem_map)]

    def pooled(self, maps: list[Tensor]) -> Tensor:
        """Return the pooled pyramid v, (B, width), from the maps of `forward`."""
        parts = [
            functional.linear(pool(level), lateral.flatten(1))
            for level, lateral in zip(maps, self._lateral_weights(), strict=True)
        ]
        return torch.stack(parts).sum(dim=0)

    def heatmaps(self, maps: list[Tensor]) -> Tensor:
        """Return the heatmaps at the stem's resolution, (B, L, R, R), from the maps."""
        result: Tensor | None = None
        laterals = self._lateral_weights()
        for level, lateral in zip(reversed(maps), reversed(laterals), strict=True):
            part = functional.conv2d(level, self._level_kernel(lateral))
            if result is not None:
                part = part + functional.interpolate(
                    result, size=part.shape[-2:], mode="bilinear", align_corners=False
                )
            result = part
        assert result is not None
        return result

    def _lateral_weights(self) -> list[Tensor]:
        """Return the 1x1 kernels of all levels, (width, channels, 1, 1) each."""
        return [lateral.weight for lateral in self.laterals if isinstance(lateral, nn.Conv2d)]

    def _level_kernel(self, lateral: Tensor) -> Tensor:
        """Multiply heatmap head and lateral into one 1x1 kernel, (L, channels, 1, 1)."""
        with torch.autocast(lateral.device.type, enabled=False):
            return (self.head.weight.flatten(1) @ lateral.flatten(1))[..., None, None]


class ProjectionHead(nn.Module):
    """Two linear layers to unit vectors, for the contrastive loss."""

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, width), nn.ReLU(), nn.Linear(width, width)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return unit rows (B, width) in float32."""
        return functional.normalize(self.layers(features).float(), dim=1)


@dataclass(frozen=True, slots=True)
class EncoderOutput:
    """Features of one batch.

    Attributes:
        expression: Pooled expression features u, (B, D).
        landmark: Pooled pyramid v, (B, width); None without a landmark branch.
        landmark_maps: The levels of the landmark branch, for its heatmaps; empty without one.
    """

    expression: Tensor
    landmark: Tensor | None
    landmark_maps: list[Tensor]


class Encoder(nn.Module):
    """The whole network: the classifier that is kept, landmark branch and projection heads."""

    def __init__(self, network: Classifier, *, has_landmark_branch: bool) -> None:
        super().__init__()
        self.network = network
        self.landmark_branch: LandmarkBranch | None = None
        if not has_landmark_branch:
            return
        backbone = network.backbone
        # Both branches start from the same (pretrained) stages.
        second_tail = copy.deepcopy(backbone.tail)
        self.landmark_branch = LandmarkBranch(second_tail, stem_channels=backbone.stem_channels)
        width = self.landmark_branch.width
        self.expression_projection = ProjectionHead(backbone.n_features, width)
        self.landmark_projection = ProjectionHead(width, width)

    def forward(self, image: Tensor) -> EncoderOutput:
        """Encode crops (B, 3, S, S)."""
        backbone = self.network.backbone
        stem_map = backbone.stem(image)
        expression = pool(backbone.tail(stem_map)[-1])
        if self.landmark_branch is None:
            return EncoderOutput(expression, None, [])
        maps = self.landmark_branch(stem_map)
        return EncoderOutput(expression, self.landmark_branch.pooled(maps), maps)

    def project(self, output: EncoderOutput) -> tuple[Tensor, Tensor]:
        """Return the unit vectors of expression and landmark features, (B, width) each."""
        if output.landmark is None:
            raise ValueError("there is nothing to contrast without a landmark branch")
        return (
            self.expression_projection(output.expression),
            self.landmark_projection(output.landmark),
        )


def make_twin(encoder: Encoder) -> Encoder:
    """Copy an encoder for momentum updates; the copy takes no gradient."""
    twin = copy.deepcopy(encoder)
    twin.requires_grad_(False)
    return twin


@torch.no_grad()
def update_twin(twin: Encoder, encoder: Encoder, *, momentum: float) -> None:
    """Move the twin's parameters towards the encoder's and copy its buffers as they are."""
    torch._foreach_lerp_(list(twin.parameters()), list(encoder.parameters()), 1 - momentum)
    for copied, buffer in zip(twin.buffers(), encoder.buffers(), strict=True):
        copied.copy_(buffer)
