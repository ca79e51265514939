import math

import pytest
import torch

from lanet_trainer.methods.landmark_heatmaps import (
    adaptive_wing,
    heatmap_sigma,
    landmark_loss,
    render_heatmaps,
)


@pytest.mark.parametrize(
    ("target", "difference", "expected"),
    [
        (0.0, 0.1, 0.11077),
        (0.0, 0.5, 2.93524),
        (0.0, 1.0, 8.49595),
        (1.0, 0.1, 1.07010),
        (1.0, 0.5, 5.36046),
        (1.0, 1.0, 10.25938),
    ],
)
def test_adaptive_wing_has_the_specified_values(
    target: float, difference: float, expected: float
) -> None:
    y = torch.tensor([target])
    for sign in (-1, 1):
        assert adaptive_wing(y + sign * difference, y).item() == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_adaptive_wing_is_continuous_at_theta_and_zero_at_zero(target: float) -> None:
    y = torch.full((3,), target)
    predicted = y + torch.tensor([0.0, 0.5 - 1e-6, 0.5 + 1e-6])
    predicted.requires_grad_()
    loss = adaptive_wing(predicted, y)
    loss.sum().backward()
    assert loss[0].item() == 0
    assert loss[1].item() == pytest.approx(loss[2].item(), abs=1e-3)
    assert predicted.grad is not None
    assert predicted.grad[1].item() == pytest.approx(predicted.grad[2].item(), rel=1e-3)
    assert predicted.grad.isfinite().all()


def test_peak_is_one_at_the_rounded_landmark() -> None:
    landmarks = torch.tensor([[[0.0, 0.0], [5.9, 6.1], [2.0, 221.0], [130.0, 17.0]]])
    target = render_heatmaps(landmarks, crop_size_px=224, resolution=56)
    cells = [(0, 0), (1, 2), (1, 55), (33, 4)]  # (x, y) = floor(landmark / 4 + 0.5)
    for heatmap, (x, y) in zip(target.heatmaps[0], cells, strict=True):
        assert heatmap[y, x].item() == 1
        assert heatmap.argmax().item() == y * 56 + x
    assert target.heatmaps[0, 3, 4, 34].item() == pytest.approx(math.exp(-1 / (2 * 1.5**2)))


def test_sigma_follows_the_resolution_down_to_its_floor() -> None:
    assert heatmap_sigma(56) == 1.5
    assert heatmap_sigma(32) == pytest.approx(1.5 * 32 / 56)
    assert heatmap_sigma(16) == 0.75


def test_weights_are_ten_where_the_dilated_target_exceeds_a_fifth() -> None:
    target = render_heatmaps(torch.tensor([[[40.0, 80.0]]]), crop_size_px=224, resolution=56)
    dilated = torch.nn.functional.max_pool2d(target.heatmaps, 3, stride=1, padding=1)
    expected = torch.where(dilated > 0.2, 10.0, 1.0)
    assert torch.equal(target.weights, expected)
    assert (expected == 10).any()


@pytest.mark.parametrize("point", [(-5.0, 10.0), (64.0, 10.0), (10.0, 500.0)])
def test_point_outside_the_crop_leaves_an_empty_map(point: tuple[float, float]) -> None:
    target = render_heatmaps(torch.tensor([[point]]), crop_size_px=64, resolution=16)
    assert target.heatmaps.eq(0).all()
    assert target.weights.eq(1).all()


def test_loss_falls_to_zero_at_the_target() -> None:
    target = render_heatmaps(torch.rand(2, 19, 2) * 63, crop_size_px=64, resolution=16)
    assert landmark_loss(target.heatmaps, target).item() == 0
    assert landmark_loss(torch.zeros_like(target.heatmaps), target).item() > 0
