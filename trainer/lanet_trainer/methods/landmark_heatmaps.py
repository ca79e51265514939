"""Landmark heatmaps and the adaptive wing loss on them.

Published setting: a point is a Gaussian of sigma 1.5 on a 56x56 map. Maps here are smaller for
small crops, and sigma shrinks with them down to a floor.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_SIGMA_AT_56 = 1.5
# Below this the neighbours of a peak fall under 0.4 and the target is one lone cell.
_MIN_SIGMA = 0.75
_NEAR_POINT_WEIGHT = 10.0
_NEAR_POINT_LEVEL = 0.2

# Adaptive wing constants, as published with the loss.
_ALPHA, _OMEGA, _EPSILON, _THETA = 2.1, 14.0, 1.0, 0.5


@dataclass(frozen=True, slots=True)
class HeatmapTarget:
    """What the heatmaps of a batch should look like.

    Attributes:
        heatmaps: (B, L, R, R) float32 in [0, 1], peak 1; zero where the point is off the map.
        weights: (B, L, R, R) float32, 10 around a point and 1 elsewhere.
    """

    heatmaps: Tensor
    weights: Tensor


def heatmap_sigma(resolution: int) -> float:
    """Return the Gaussian's sigma in cells: 1.5 at 56 cells, in proportion, at least 0.75."""
    return max(_SIGMA_AT_56 * resolution / 56, _MIN_SIGMA)


def render_heatmaps(landmarks_px: Tensor, *, crop_size_px: int, resolution: int) -> HeatmapTarget:
    """Draw one Gaussian a point.

    The peak sits on the cell floor(x * R / S + 0.5). The Gaussian is a product of two profiles,
    and so is its 3x3 dilation, which keeps the drawing cheap.

    Args:
        landmarks_px: Points in crop pixels (x, y), (B, L, 2), all finite.
        crop_size_px: Side S of the crop.
        resolution: Side R of the maps.
    """
    cells = torch.floor(landmarks_px.float() * (resolution / crop_size_px) + 0.5)  # (B, L, 2)
    is_inside = ((cells >= 0) & (cells < resolution)).all(dim=-1)  # (B, L)
    axis = torch.arange(resolution, device=cells.device, dtype=torch.float32)
    distance = (axis - cells[..., None]).abs()  # (B, L, 2, R)
    two_sigma_squared = 2 * heatmap_sigma(resolution) ** 2
    profiles = torch.exp(-distance.square() / two_sigma_squared) * is_inside[..., None, None]
    dilated = functional.max_pool1d(profiles.flatten(0, 2), 3, stride=1, padding=1)
    is_near = _outer(dilated.view_as(profiles)) > _NEAR_POINT_LEVEL
    weights = torch.where(is_near, _NEAR_POINT_WEIGHT, 1.0)
    return HeatmapTarget(heatmaps=_outer(profiles), weights=weights)


def _outer(profiles: Tensor) -> Tensor:
    """Multiply the x and y profiles (B, L, 2, R) into maps (B, L, R, R) indexed [y, x]."""
    return profiles[:, :, 1, :, None] * profiles[:, :, 0, None, :]


def adaptive_wing(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the adaptive wing loss of every cell, in the shape of the inputs (float32).

    With D = |predicted - target| and y = target: below theta omega*ln(1 + (D/eps)^(alpha-y)),
    above it the straight line that continues it with the same value and slope.
    """
    difference = (predicted.float() - target.float()).abs()
    power = _ALPHA - target.float()
    at_theta = (_THETA / _EPSILON) ** power
    slope = _OMEGA * power * (at_theta * (_EPSILON / _THETA)) / (_EPSILON * (1 + at_theta))
    offset = _THETA * slope - _OMEGA * torch.log1p(at_theta)
    # The curve is evaluated up to theta only, which also keeps its gradient finite.
    curve = _OMEGA * torch.log1p((difference.clamp(max=_THETA) / _EPSILON) ** power)
    return torch.where(difference < _THETA, curve, slope * difference - offset)


def landmark_loss(predicted: Tensor, target: HeatmapTarget) -> Tensor:
    """Average the weighted adaptive wing loss over every cell of every map."""
    return (target.weights * adaptive_wing(predicted, target.heatmaps)).mean()
