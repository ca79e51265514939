import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lanet_trainer.backbones import Backbone
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch, Progress, StepOutput
from lanet_trainer.methods.scn import (
    SCN,
    SCNSettings,
    disagrees,
    rank_regularisation,
    split_by_importance,
)


@pytest.fixture
def make_scn(
    tiny_backbone: Backbone, training_labels: Tensor, training_targets: Tensor
) -> Callable[..., SCN]:
    def make(**settings: object) -> SCN:
        return SCN(
            tiny_backbone,
            labels=training_labels,
            targets=training_targets,
            size_px=32,
            settings=SCNSettings(**settings),  # type: ignore[arg-type]
        )

    return make


def set_importance(method: SCN, logit: float) -> None:
    torch.nn.init.zeros_(method.importance.weight)
    torch.nn.init.constant_(method.importance.bias, logit)


def test_full_importance_is_plain_cross_entropy_and_none_is_ln_c(
    make_scn: Callable[..., SCN], make_batch: Callable[..., Batch], progress: Progress
) -> None:
    method = make_scn()
    batch = make_batch(list(range(8)))
    set_importance(method, 100.0)
    plain = functional.cross_entropy(method.network(batch.image), method.labels[:8])
    output = method.training_step(batch, progress)
    assert output.parts["ce"].item() == pytest.approx(plain.item(), rel=1e-5)
    set_importance(method, -100.0)
    output = method.training_step(batch, progress)
    assert output.parts["ce"].item() == pytest.approx(math.log(7), rel=1e-5)


def test_high_part_is_the_truncated_share() -> None:
    for n, expected in ((64, (44, 20)), (1024, (716, 308)), (1, (0, 1))):
        high, low = split_by_importance(torch.rand(n), high_share=0.7)
        assert (len(high), len(low)) == expected


@pytest.mark.parametrize(("low", "is_zero"), [(0.3, True), (0.35, True), (0.4, False)])
def test_rank_regularisation_is_zero_from_the_margin_on(low: float, is_zero: bool) -> None:
    importance = torch.tensor([0.5, low, 0.5, 0.5])  # three in the high part, one in the low
    loss = rank_regularisation(importance, high_share=0.75, margin=0.15)
    expected = max(0.0, 0.15 - (0.5 - low))
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    assert (loss.item() < 1e-6) == is_zero


def test_active_rank_regularisation_has_equal_and_opposite_gradients() -> None:
    importance = torch.tensor([0.50, 0.52, 0.51, 0.53, 0.49], requires_grad=True)
    rank_regularisation(importance, high_share=0.7, margin=0.15).backward()
    third, half = 1 / 3, 1 / 2
    expected = torch.tensor([half, -third, -third, -third, half])  # M = int(3.5) = 3
    assert importance.grad is not None
    assert torch.allclose(importance.grad, expected)


@pytest.mark.parametrize("high_share", [0.0, 1.0])
def test_empty_part_costs_nothing(high_share: float) -> None:
    importance = torch.rand(5, requires_grad=True)
    loss = rank_regularisation(importance, high_share=high_share, margin=0.15)
    loss.backward()
    assert loss.item() == 0


def test_single_sample_trains(make_scn: Callable[..., SCN], make_batch: Callable[..., Batch],
                              progress: Progress) -> None:  # fmt: skip
    method = make_scn(relabel_from_epoch=0)
    batch = make_batch([0])
    output = method.training_step(batch, progress)
    method.after_step(batch, output, progress)
    assert output.loss.isfinite()


def test_relabel_condition_is_strict() -> None:
    probabilities = torch.tensor([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.5, 0.25, 0.25]])
    assert disagrees(probabilities, torch.tensor([1, 1, 1]), margin=0.2).tolist() == [
        True, False, True,
    ]  # fmt: skip
    exactly = disagrees(probabilities[2:], torch.tensor([1]), margin=0.25)
    assert exactly.tolist() == [False]


def relabel(
    method: SCN, batch: Batch, probabilities: Tensor, importance: Tensor, *, epoch: int
) -> None:
    """Let the method see these probabilities as the output of a step in a 0-based epoch."""
    output = StepOutput(
        loss=torch.zeros(()), logits=probabilities.log(), carry={"importance": importance}
    )
    method.after_step(batch, output, Progress(epoch, 40, 0, 5))


def confident(classes: list[int]) -> Tensor:
    return functional.one_hot(torch.tensor(classes), 7) * 0.79 + 0.03


def test_relabelling_starts_at_epoch_ten(
    make_scn: Callable[..., SCN], make_batch: Callable[..., Batch]
) -> None:
    method = make_scn()
    given = method.labels.clone()
    batch = make_batch([3, 8])
    new = [(int(given[3]) + 1) % 7, int(given[8])]
    relabel(method, batch, confident(new), torch.rand(2), epoch=8)  # the 9th epoch
    assert torch.equal(method.labels, given)
    relabel(method, batch, confident(new), torch.rand(2), epoch=9)  # the 10th epoch
    assert method.labels[3] == new[0]
    assert torch.equal(method.targets[3], functional.one_hot(method.labels[3], 7).float())
    others = [i for i in range(40) if i != 3]
    assert torch.equal(method.labels[others], given[others])


def test_scope_low_spares_important_samples(
    make_scn: Callable[..., SCN], make_batch: Callable[..., Batch]
) -> None:
    method = make_scn(relabel_scope="low", high_share=0.5)
    given = method.labels.clone()
    new = [(int(given[i]) + 1) % 7 for i in (3, 8)]
    batch = make_batch([3, 8])
    relabel(method, batch, confident(new), torch.tensor([0.9, 0.1]), epoch=9)
    assert method.labels[3] == given[3]
    assert method.labels[8] == new[1]


def test_first_of_two_copies_decides(
    make_scn: Callable[..., SCN], make_batch: Callable[..., Batch]
) -> None:
    method = make_scn()
    first, second = ((int(method.labels[3]) + step) % 7 for step in (1, 2))
    relabel(method, make_batch([3, 3]), confident([first, second]), torch.rand(2), epoch=9)
    assert method.labels[3] == first


def test_loss_of_the_relabelling_step_used_the_old_label(
    make_scn: Callable[..., SCN], make_batch: Callable[..., Batch]
) -> None:
    method = make_scn(relabel_from_epoch=1, relabel_margin=0.0)
    batch = make_batch(list(range(8)))
    given = method.labels[:8].clone()
    output = method.training_step(batch, Progress(0, 2, 0, 5))
    expected = functional.cross_entropy(output.logits, given)
    method.after_step(batch, output, Progress(0, 2, 0, 5))
    assert output.parts["ce"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.equal(method.labels[:8], output.logits.argmax(dim=1))
    assert not torch.equal(method.labels[:8], given)


def test_class_is_the_same_with_and_without_importance(
    make_scn: Callable[..., SCN], make_batch: Callable[..., Batch], progress: Progress
) -> None:
    method = make_scn().eval()
    batch = make_batch(list(range(8)))
    weighted = method.training_step(batch, progress).logits
    plain = method.inference_network()(batch.image)
    assert torch.equal(weighted.argmax(dim=1), plain.argmax(dim=1))
    assert torch.allclose(method.inference_network()(batch.image[:1]), plain[:1], atol=1e-6)


def test_relabels_are_in_the_saved_state(make_scn: Callable[..., SCN]) -> None:
    method = make_scn()
    method.labels[3] = (method.labels[3] + 1) % 7
    assert torch.equal(method.state_dict()["labels"], method.labels)


def test_label_counts_are_reported(
    make_scn: Callable[..., SCN], make_batch: Callable[..., Batch], progress: Progress
) -> None:
    method = make_scn()
    parts = method.training_step(make_batch(list(range(8))), progress).parts
    shares = torch.stack([parts[f"label_share_{c}"] for c in range(7)])
    assert torch.allclose(shares, method.targets.mean(dim=0))


def test_vote_targets_and_impossible_settings_are_refused(
    tiny_backbone: Backbone, training_labels: Tensor
) -> None:
    with pytest.raises(ConfigError, match="cannot train on vote distributions"):
        SCN(
            tiny_backbone,
            labels=training_labels,
            targets=torch.full((40, 7), 1 / 7),
            size_px=32,
            settings=SCNSettings(),
        )
    for wrong in ({"high_share": 1.2}, {"rank_margin": -0.1}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            replace(SCNSettings(), **wrong)
    with pytest.raises(ConfigError, match="all or low"):
        SCNSettings(relabel_scope="high")
