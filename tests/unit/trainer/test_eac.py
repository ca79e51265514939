import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lanet_trainer.backbones import Backbone, Tail
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch, Progress
from lanet_trainer.methods.eac import EAC, EACSettings, class_attention, consistency_loss


@pytest.fixture
def eac(tiny_backbone: Backbone, training_labels: Tensor, training_targets: Tensor) -> EAC:
    return EAC(
        tiny_backbone,
        labels=training_labels,
        targets=training_targets,
        size_px=32,
        settings=EACSettings(),
    )


def test_mirrored_attention_of_symmetric_features_is_consistent() -> None:
    half = torch.randn(2, 5, 4, 3)
    symmetric = torch.cat((half, half.flip(-1)), dim=-1)
    attention = class_attention(symmetric, torch.randn(7, 5))
    assert consistency_loss(attention, attention).item() == pytest.approx(0, abs=1e-12)


def test_network_without_asymmetry_has_no_consistency_loss() -> None:
    pointwise = nn.Sequential(nn.Conv2d(3, 6, 1), nn.ReLU(), nn.Conv2d(6, 8, 1)).double()
    image = torch.randn(4, 3, 12, 12).double()
    weight = torch.randn(7, 8)
    first = class_attention(pointwise(image), weight)
    mirrored = class_attention(pointwise(image.flip(-1)), weight)
    assert consistency_loss(first, mirrored).item() == pytest.approx(0, abs=1e-10)


def test_difference_of_attention_is_its_mean_square() -> None:
    mirrored, difference = torch.randn(2, 3, 7, 5, 5)
    loss = consistency_loss(mirrored.flip(-1) + difference, mirrored)
    assert loss.item() == pytest.approx(difference.square().mean().item(), rel=1e-5)


def test_consistency_has_no_gradient_in_the_classifier(
    eac: EAC, make_batch: Callable[..., Batch]
) -> None:
    batch = make_batch(list(range(6)))
    network = eac.network
    weight = network.fc.weight
    first = network.backbone.forward_maps(batch.image)
    loss = consistency_loss(class_attention(first, weight), class_attention(first, weight) + 1)
    assert torch.autograd.grad(loss, [weight, network.fc.bias], allow_unused=True) == (None, None)


def test_mean_attention_plus_bias_is_the_logit(eac: EAC, make_batch: Callable[..., Batch]) -> None:
    network = eac.network.eval()
    image = make_batch(list(range(4))).image
    attention = class_attention(network.backbone.forward_maps(image), network.fc.weight)
    expected = network(image)
    assert torch.allclose(attention.mean(dim=(2, 3)) + network.fc.bias, expected, atol=1e-5)


def test_flip_equals_sampling_on_a_mirrored_grid() -> None:
    attention = torch.randn(2, 7, 7, 7)
    axis = torch.linspace(-1, 1, 7)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack((-x, y), dim=-1).expand(2, 7, 7, 2)
    sampled = functional.grid_sample(
        attention, grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    assert torch.allclose(sampled, attention.flip(-1), atol=1e-5)


def test_second_view_gets_gradient_from_consistency_but_none_from_cross_entropy(
    tiny_backbone: Backbone,
    training_labels: Tensor,
    training_targets: Tensor,
    make_batch: Callable[..., Batch],
    progress: Progress,
) -> None:
    gradients = []
    for weight in (0.0, 5.0):
        method = EAC(
            copy.deepcopy(tiny_backbone),
            labels=training_labels,
            targets=training_targets,
            size_px=32,
            settings=EACSettings(consistency_weight=weight),
        )
        batch = make_batch(list(range(6)))
        assert batch.second_view is not None
        batch.second_view.requires_grad_()
        method.training_step(batch, progress).loss.backward()
        assert batch.second_view.grad is not None
        gradients.append(batch.second_view.grad.abs().sum().item())
    assert gradients[0] == 0
    assert gradients[1] > 0


def test_loss_is_cross_entropy_plus_five_times_consistency(
    eac: EAC, make_batch: Callable[..., Batch], progress: Progress
) -> None:
    output = eac.training_step(make_batch(list(range(6))), progress)
    hard = functional.cross_entropy(output.logits, eac.labels[:6])
    assert output.parts["ce"].item() == pytest.approx(hard.item(), rel=1e-5)
    expected = hard + 5 * output.parts["consistency"]
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_both_views_move_the_running_statistics(
    eac: EAC, make_batch: Callable[..., Batch], progress: Progress
) -> None:
    eac.training_step(make_batch(list(range(6))), progress)
    norm = next(m for m in eac.modules() if isinstance(m, nn.BatchNorm2d))
    assert norm.num_batches_tracked is not None
    assert norm.num_batches_tracked.item() == 2


def test_view_rule_is_asked_of_the_loader(
    tiny_backbone: Backbone, training_labels: Tensor, training_targets: Tensor
) -> None:
    for view in ("mirror_independent", "mirror_exact"):
        method = EAC(
            tiny_backbone,
            labels=training_labels,
            targets=training_targets,
            size_px=32,
            settings=EACSettings(view=view),
        )
        assert method.second_view == view
    with pytest.raises(ConfigError, match="mirror_exact"):
        EACSettings(view="none")
    with pytest.raises(ConfigError, match="consistency_weight"):
        EACSettings(consistency_weight=-1)


def test_width_and_class_count_come_from_the_network() -> None:
    backbone = Backbone(
        "one", nn.Sequential(nn.Conv2d(3, 4, 1)), Tail([nn.Sequential(nn.Conv2d(4, 10, 1))], (10,)),
        stem_channels=4, initialisation="random",
    )  # fmt: skip
    labels = torch.tensor([0, 1, 2])
    method = EAC(backbone, labels=labels, targets=torch.eye(3), size_px=8, settings=EACSettings())
    attention = class_attention(torch.randn(2, 10, 8, 8), method.network.fc.weight)
    assert attention.shape == (2, 3, 8, 8)
