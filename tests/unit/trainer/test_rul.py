from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lanet_trainer.backbones import Backbone
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch, Progress
from lanet_trainer.methods.rul import RUL, MapHead, RULSettings, mix, mixing_weights
from tests.training_fakes import tiny_config


@pytest.fixture
def rul(tiny_backbone: Backbone, training_labels: Tensor, training_targets: Tensor) -> RUL:
    return RUL(
        tiny_backbone,
        labels=training_labels,
        targets=training_targets,
        size_px=32,
        settings=RULSettings(),
    )


def test_identity_pairing_is_plain_classification(
    rul: RUL, make_batch: Callable[..., Batch], progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rul, "_pair", lambda n_samples, progress: torch.arange(n_samples))
    rul.eval()
    batch = make_batch(list(range(8)))
    output = rul.training_step(batch, progress)
    plain = functional.cross_entropy(rul.inference_network()(batch.image), rul.labels[:8])
    assert output.loss.item() == pytest.approx(plain.item(), rel=1e-5)
    mean, log_variance, same = torch.randn(8, 4), torch.randn(8, 4), torch.arange(8)
    weight = mixing_weights(log_variance, same)
    assert torch.equal(weight, torch.full((8, 1), 0.5))
    assert torch.allclose(mix(mean, weight, same), mean, atol=1e-6)


def test_weights_are_the_uncertainty_ratio_and_each_pair_sums_to_one() -> None:
    log_variance, partner = torch.randn(9, 64), torch.randperm(9)
    weight = mixing_weights(log_variance, partner)
    uncertainty = log_variance.exp().mean(dim=1, keepdim=True)
    assert torch.allclose(weight, uncertainty / (uncertainty + uncertainty[partner]), atol=1e-6)
    assert ((weight > 0) & (weight < 1)).all()
    # The partner's share, computed from its own side, is the complement.
    inverse = torch.empty_like(partner)
    inverse[partner] = torch.arange(9)
    of_partner = mixing_weights(log_variance, inverse)[partner]
    assert torch.allclose(weight + of_partner, torch.ones(9, 1), atol=1e-6)


def test_common_offset_of_the_log_variances_changes_nothing() -> None:
    log_variance, partner = torch.randn(9, 64), torch.randperm(9)
    shifted = mixing_weights(log_variance + 3.0, partner)
    assert torch.allclose(shifted, mixing_weights(log_variance, partner), atol=1e-5)


def test_limitless_uncertainty_takes_over_without_overflow() -> None:
    log_variance, mean = torch.zeros(4, 8), torch.randn(4, 8)
    log_variance[0] = 1e4
    partner = torch.tensor([1, 2, 3, 0])
    mixed = mix(mean, mixing_weights(log_variance, partner), partner)
    assert torch.allclose(mixed[0], mean[0])
    assert torch.allclose(mixed[3], mean[0])
    assert mixed.isfinite().all()
    assert mixing_weights(torch.full((2, 8), -1e4), torch.tensor([1, 0])).tolist() == [[0.5], [0.5]]


def test_swapped_pair_has_one_mixture() -> None:
    mean, log_variance, swap = torch.randn(4, 8), torch.randn(4, 8), torch.tensor([1, 0, 3, 2])
    mixed = mix(mean, mixing_weights(log_variance, swap), swap)
    assert torch.allclose(mixed, mixed[swap], atol=1e-6)


def test_head_has_the_published_number_of_weights() -> None:
    head = MapHead((512, 7, 7), n_features=64, dropout=0.4)
    assert sum(p.numel() for p in head.parameters()) == 1_605_824


def test_inference_is_independent_of_the_other_images(
    rul: RUL, make_batch: Callable[..., Batch]
) -> None:
    network = rul.eval().inference_network()
    image = make_batch(list(range(8))).image
    assert torch.allclose(network(image)[:1], network(image[:1]), atol=1e-6)
    assert all("log_variance" not in name for name in network.state_dict())


def test_loss_is_half_own_and_half_partner(
    rul: RUL, make_batch: Callable[..., Batch], progress: Progress
) -> None:
    batch = make_batch(list(range(8)))
    output = rul.training_step(batch, progress)
    partner = rul._pair(8, progress)
    own = functional.cross_entropy(output.logits, rul.labels[:8])
    other = functional.cross_entropy(output.logits, rul.labels[:8][partner])
    assert output.loss.item() == pytest.approx(((own + other) / 2).item(), rel=1e-5)


def test_pairing_depends_on_seed_and_step_alone(rul: RUL) -> None:
    step = Progress(2, 5, 3, 10)
    torch.manual_seed(1)
    first = rul._pair(32, step)
    torch.manual_seed(2)
    assert torch.equal(rul._pair(32, step), first)
    assert not torch.equal(rul._pair(32, replace(step, step_in_epoch=4)), first)
    rul.settings = RULSettings(seed=1)
    assert not torch.equal(rul._pair(32, step), first)


def test_classifier_learns_ten_times_faster(rul: RUL) -> None:
    others, classifier = rul.parameter_groups(2e-4)
    assert (others["lr"], classifier["lr"]) == (2e-4, pytest.approx(2e-3))
    sizes = [sum(p.numel() for p in group["params"]) for group in (others, classifier)]  # type: ignore[attr-defined]
    assert sizes[1] == 64 * 7 + 7
    assert sum(sizes) == sum(p.numel() for p in rul.parameters())


def test_every_parameter_gets_a_gradient(
    rul: RUL, make_batch: Callable[..., Batch], progress: Progress
) -> None:
    rul.training_step(make_batch(list(range(8))), progress).loss.backward()
    assert all(p.grad is not None for p in rul.parameters())


def test_single_sample_and_impossible_settings_are_refused(
    rul: RUL, make_batch: Callable[..., Batch], progress: Progress
) -> None:
    with pytest.raises(ConfigError, match="at least 2"):
        rul.training_step(make_batch([0]), progress)
    for wrong in ({"dropout": 1.0}, {"n_features": 0}, {"classifier_rate": 0.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            replace(RULSettings(), **wrong)  # type: ignore[arg-type]


def test_uncertainty_survives_reduced_precision(
    rul: RUL, make_batch: Callable[..., Batch], progress: Progress
) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        output = rul.training_step(make_batch(list(range(8))), progress)
    assert output.loss.dtype == torch.float32
    assert mixing_weights(torch.randn(3, 4).bfloat16(), Tensor([1, 2, 0]).long()).dtype == (
        torch.float32
    )


def test_pairing_takes_the_seed_of_the_run_unless_told_otherwise() -> None:
    assert tiny_config(method="rul", seed=5).method_settings().seed == 5
    assert tiny_config(method="rul", seed=5, settings={"seed": 2}).method_settings().seed == 2
