from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lanet_trainer.backbones import Backbone
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch, Progress, StepOutput
from lanet_trainer.methods.slm_aea import (
    SLMAEA,
    SLMAEASettings,
    first_label_logits,
    label_gradient,
    label_pull,
    prediction_pull,
)


@pytest.fixture
def make_slm(
    tiny_backbone: Backbone, training_labels: Tensor, training_targets: Tensor
) -> Callable[..., SLMAEA]:
    def make(**settings: object) -> SLMAEA:
        return SLMAEA(
            tiny_backbone,
            labels=training_labels,
            targets=training_targets,
            size_px=32,
            settings=SLMAEASettings(**settings),  # type: ignore[arg-type]
        )

    return make


@pytest.mark.parametrize(("n_classes", "off_entry"), [(7, -0.267858), (8, -0.422009)])
def test_first_soft_label_is_exactly_p_on_the_label(n_classes: int, off_entry: float) -> None:
    labels = torch.tensor([3, 0])
    logits = first_label_logits(labels, n_classes, probability=0.97, logit=5.0)
    soft = logits.softmax(dim=1)
    assert soft[[0, 1], labels].tolist() == pytest.approx([0.97, 0.97], abs=1e-6)
    assert soft[0, 1].item() == pytest.approx(0.03 / (n_classes - 1), abs=1e-6)
    assert logits[0, 3].item() == 5
    assert logits[0, 1].item() == pytest.approx(off_entry, abs=1e-6)


@pytest.mark.parametrize(
    ("epoch", "to_prediction", "to_label"),
    [
        (0, 0.077305, 1),
        (3.5, 0.298197, 1),
        (7, 0.697676, 1),
        (7.001, 1, None),
        (10, 1, 0.444858),
        (20, 1, 0.209611),
        (39, 1, 0.132940),
    ],
)
def test_pulls_follow_their_schedules(
    epoch: float, to_prediction: float, to_label: float | None
) -> None:
    assert prediction_pull(epoch, alpha=1.6, beta=7) == pytest.approx(to_prediction, abs=1e-6)
    if to_label is not None:
        assert label_pull(epoch, alpha=1.6, beta=7) == pytest.approx(to_label, abs=1e-6)


def update(method: SLMAEA, batch: Batch, logits: Tensor) -> None:
    """Let the method see these logits as the output of the first step."""
    output = StepOutput(loss=torch.zeros(()), logits=logits)
    method.after_step(batch, output, Progress(0, 40, 0, 170))


def test_first_update_has_the_closed_form(
    make_slm: Callable[..., SLMAEA], make_batch: Callable[..., Batch]
) -> None:
    method = make_slm()
    before = method.label_logits.clone()
    sample = int((method.labels == 3).nonzero()[0, 0])
    update(method, make_batch([sample]), torch.zeros(1, 7))
    row = method.label_logits[sample]
    assert row[3].item() == pytest.approx(4.90572, abs=1e-5)
    assert row[0].item() == pytest.approx(-0.25214, abs=1e-5)
    assert row.softmax(dim=0)[3].item() == pytest.approx(0.96663, abs=1e-5)
    others = [i for i in range(40) if i != sample]
    assert torch.equal(method.label_logits[others], before[others])
    assert (row - before[sample]).sum().item() == pytest.approx(0, abs=1e-5)


def test_update_is_the_gradient_step_of_the_label_loss(
    make_slm: Callable[..., SLMAEA], make_batch: Callable[..., Batch]
) -> None:
    method = make_slm(step_rule="per_batch")
    index, logits = list(range(12)), torch.randn(12, 7)
    rows = method.label_logits[:12].clone().requires_grad_()
    soft = rows.log_softmax(dim=1)
    to_prediction = -(logits.softmax(dim=1) * soft).sum(dim=1).mean()
    to_label = functional.cross_entropy(rows, method.labels[:12])
    pull = prediction_pull(0, alpha=1.6, beta=7)
    (gradient,) = torch.autograd.grad(pull * to_prediction + to_label, rows)
    update(method, make_batch(index), logits)
    assert torch.allclose(method.label_logits[:12], rows - 200 * gradient, atol=1e-5)


def test_step_per_sample_does_not_depend_on_the_batch(
    make_slm: Callable[..., SLMAEA], make_batch: Callable[..., Batch]
) -> None:
    alone, together = make_slm(), make_slm()
    logits = torch.randn(6, 7)
    update(together, make_batch(list(range(6))), logits)
    update(alone, make_batch([0]), logits[:1])
    assert torch.allclose(alone.label_logits[0], together.label_logits[0])


def test_no_pull_and_full_agreement_leave_the_label_logits() -> None:
    logits, onehot = torch.randn(5, 7), torch.eye(7)[:5]
    prediction = torch.rand(5, 7).softmax(dim=1)
    none = label_gradient(logits, prediction, onehot, to_prediction=0, to_label=0)
    assert none.eq(0).all()
    certain = onehot * 1e4
    agreed = label_gradient(certain, onehot, onehot, to_prediction=1, to_label=1)
    assert agreed.eq(0).all()


def test_copies_take_one_step_of_their_mean(
    make_slm: Callable[..., SLMAEA], make_batch: Callable[..., Batch]
) -> None:
    twice, once = make_slm(), make_slm()
    logits = torch.randn(1, 7)
    update(twice, make_batch([4, 4]), logits.expand(2, 7))
    update(once, make_batch([4]), logits)
    assert torch.allclose(twice.label_logits, once.label_logits)


def test_anchor_of_zero_is_the_plain_head(
    make_slm: Callable[..., SLMAEA], make_batch: Callable[..., Batch]
) -> None:
    network = make_slm().network
    torch.nn.init.zeros_(network.anchor)
    image = make_batch(list(range(6))).image
    assert torch.allclose(network(image), network.fc(network.backbone(image)), atol=1e-5)


def test_lone_image_is_scaled_by_one_plus_the_anchor(
    make_slm: Callable[..., SLMAEA], make_batch: Callable[..., Batch]
) -> None:
    network = make_slm(eval_mean="batch").network.eval()
    torch.nn.init.uniform_(network.anchor)
    image = make_batch([0]).image
    features = network.backbone(image)
    expected = network.fc((1 + network.anchor) * features)
    assert torch.allclose(network(image), expected, atol=1e-5)


@pytest.mark.parametrize("eval_mean", ["running", "none"])
def test_prediction_depends_on_the_image_alone(
    make_slm: Callable[..., SLMAEA],
    make_batch: Callable[..., Batch],
    progress: Progress,
    eval_mean: str,
) -> None:
    method = make_slm(eval_mean=eval_mean)
    method.training_step(make_batch(list(range(8))), progress)
    network = method.inference_network().eval()
    image = make_batch(list(range(6)), seed=4).image
    together = network(image)
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    assert torch.allclose(network(image[order]), together[order], atol=1e-6)
    assert torch.allclose(torch.cat([network(one[None]) for one in image]), together, atol=1e-6)
    assert not method.network.depends_on_batch


def test_batch_mean_at_inference_is_declared(
    make_slm: Callable[..., SLMAEA], make_batch: Callable[..., Batch]
) -> None:
    network = make_slm(eval_mean="batch").network.eval()
    image = make_batch(list(range(6))).image
    assert network.depends_on_batch
    assert not torch.allclose(network(image)[:1], network(image[:1]), atol=1e-3)


def test_running_mean_follows_training_and_starts_with_the_first_batch(
    make_slm: Callable[..., SLMAEA], make_batch: Callable[..., Batch], progress: Progress
) -> None:
    method = make_slm()
    means = []
    for seed in (0, 1):
        batch = make_batch(list(range(8)), seed=seed)
        features = method.network.backbone(batch.image)
        means.append(features.mean(dim=0).detach())
        method.training_step(batch, progress)
    expected = 0.9 * means[0] + 0.1 * means[1]
    assert torch.allclose(method.network.running_mean, expected, atol=1e-6)


def test_loss_compares_with_the_soft_label_as_a_constant(
    make_slm: Callable[..., SLMAEA], make_batch: Callable[..., Batch], progress: Progress
) -> None:
    method = make_slm()
    output = method.training_step(make_batch(list(range(8))), progress)
    soft = method.label_logits[:8].softmax(dim=1)
    expected = -(soft * output.logits.log_softmax(dim=1)).sum(dim=1).mean()
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    output.loss.backward()
    assert method.network.anchor.grad is not None
    assert not method.label_logits.requires_grad
    assert "label_logits" in method.state_dict()


def test_impossible_settings_and_vote_targets_are_refused(
    tiny_backbone: Backbone, training_labels: Tensor
) -> None:
    for wrong in ({"eval_mean": "test"}, {"step_rule": "x"}, {"label_probability": 1.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            replace(SLMAEASettings(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="beta"):
        SLMAEASettings(beta=0)
    with pytest.raises(ConfigError, match="vote distributions"):
        SLMAEA(
            tiny_backbone,
            labels=training_labels,
            targets=torch.full((40, 7), 1 / 7),
            size_px=32,
            settings=SLMAEASettings(),
        )
