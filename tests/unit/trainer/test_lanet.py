import copy
import dataclasses
from collections.abc import Callable

import pytest
import timm
import torch
from torch import Tensor
from torch.nn import functional

from lanet_trainer.backbones import Backbone, build_backbone, pool
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch, Progress, StepOutput
from lanet_trainer.methods.lanet import LANet, LANetSettings
from lanet_trainer.methods.lanet_network import LandmarkBranch, make_twin, update_twin

MakeBatch = Callable[..., Batch]


@pytest.fixture
def make_lanet(
    tiny_backbone: Backbone, training_labels: Tensor, training_targets: Tensor
) -> Callable[..., LANet]:
    def make(targets: Tensor = training_targets, **settings: object) -> LANet:
        torch.manual_seed(0)
        defaults = {"n_neighbours": 3, "queue_size": 16}
        return LANet(
            copy.deepcopy(tiny_backbone),
            labels=training_labels,
            targets=targets,
            size_px=32,
            settings=LANetSettings(**(defaults | settings)),  # type: ignore[arg-type]
        )

    return make


def run_step(method: LANet, batch: Batch, progress: Progress) -> StepOutput:
    """One optimiser step, as the loop does it."""
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.05)
    output = method.training_step(batch, progress)
    output.loss.backward()
    optimizer.step()
    method.after_step(batch, output, progress)
    return output


def test_loss_is_the_weighted_sum_of_its_parts(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    method = make_lanet(landmark_weight=0.5, kl_weight=2.0, contrastive_weight=0.1)
    output = method.training_step(make_batch(list(range(8))), progress)
    parts = output.parts
    expected = parts["ce"] + 2 * parts["kl"] + 0.5 * parts["landmark"] + 0.1 * parts["contrastive"]
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    hard = functional.cross_entropy(output.logits, method.labels[:8])
    assert parts["ce"].item() == pytest.approx(hard.item(), rel=1e-5)


def test_every_trainable_parameter_gets_a_gradient_and_the_twin_none(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    method = make_lanet()
    method.training_step(make_batch(list(range(8))), progress).loss.backward()
    assert method.twin is not None
    twin = {id(p) for p in method.twin.parameters()}
    for name, parameter in method.named_parameters():
        if id(parameter) in twin:
            assert parameter.grad is None
            assert not parameter.requires_grad
        else:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_detached_target_leaves_the_scores_untaught(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    method = make_lanet(target_gradient="none")
    method.training_step(make_batch(list(range(8))), progress).loss.backward()
    assert all(p.grad is None for p in method.estimator.parameters())


def test_a_target_that_teaches_the_scores_leaves_the_network_as_a_constant_one_does(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    gradients = []
    for reach in ("scores", "none", "all"):
        method = make_lanet(target_gradient=reach)
        method.training_step(make_batch(list(range(8))), progress).loss.backward()
        gradients.append([p.grad.clone() for p in method.encoder.network.parameters()])
        is_taught = [
            p.grad is not None and bool(p.grad.any()) for p in method.estimator.parameters()
        ]
        assert is_taught == [reach != "none"] * len(is_taught)
    by_scores, by_none, by_all = gradients
    assert all(torch.equal(a, b) for a, b in zip(by_scores, by_none, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(by_scores, by_all, strict=True))


def test_neighbours_are_asked_after_the_warm_up_only(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch
) -> None:
    method, batch = make_lanet(warmup_epochs=2), make_batch(list(range(8)))
    early = Progress(epoch=1, n_epochs=4, step_in_epoch=0, steps_per_epoch=5)
    output = run_step(method, batch, early)
    assert "kl" not in output.parts
    assert torch.equal(method.bank, method.targets)
    assert torch.equal(method.queue.labels[:6], method.labels[batch.index[batch.has_landmarks]][:6])
    late = dataclasses.replace(early, epoch=2)
    assert "kl" in run_step(method, batch, late).parts
    assert not torch.equal(method.bank, method.targets)


def test_bank_takes_the_distribution_of_the_visited_samples_only(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    method = make_lanet()
    before = method.bank.clone()
    assert torch.equal(before, method.targets)
    visited = [3, 17, 5, 9, 22, 30, 11, 2]
    output = run_step(method, make_batch(visited), progress)
    assert torch.equal(method.bank[visited], output.carry["distributions"])
    others = [i for i in range(40) if i not in visited]
    assert torch.equal(method.bank[others], before[others])
    own = method.bank[visited].gather(1, method.labels[visited][:, None])
    assert ((own >= 0.9) & (own < 1)).all()
    run_step(method, make_batch(visited, seed=1), progress)
    own = method.bank[visited].gather(1, method.labels[visited][:, None])
    assert ((own >= 0.81) & (own < 1)).all()
    assert torch.allclose(method.bank.sum(dim=1), torch.ones(40), atol=1e-6)


def test_copies_in_a_batch_write_one_row_whatever_their_order(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    batch = make_batch([4, 9, 4, 2, 8, 7, 4, 1])
    order = torch.tensor([6, 1, 0, 3, 5, 4, 2, 7])
    reordered = Batch(
        batch.index[order],
        batch.image[order],
        None,
        batch.landmarks_px[order],
        batch.has_landmarks[order],
    )
    banks = []
    for each in (batch, reordered):
        method = make_lanet()
        run_step(method, each, progress)
        banks.append(method.bank)
    assert torch.allclose(banks[0], banks[1], atol=1e-6)


def test_vote_distributions_are_the_target_and_the_first_bank(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    votes = torch.rand(40, 7).softmax(dim=1)
    method = make_lanet(targets=votes)
    assert torch.equal(method.bank, votes)
    output = method.training_step(make_batch(list(range(8))), progress)
    expected = -(votes[:8] * output.logits.log_softmax(dim=1)).sum(dim=1).mean()
    assert output.parts["ce"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_without_landmarks_there_is_no_branch_no_twin_and_no_landmark_loss(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    method = make_lanet(use_landmarks=False)
    assert method.encoder.landmark_branch is None
    assert method.twin is None
    assert method.estimator.landmark_score is None
    assert not method.needs_landmarks
    output = run_step(method, make_batch(list(range(8))), progress)
    assert set(output.parts) == {"ce", "kl"}
    assert not torch.equal(method.bank, method.targets)


@pytest.mark.parametrize("seen", [[], [0, 2, 5]])
def test_missing_landmarks_stay_out_of_landmark_loss_and_queue(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress, seen: list[int]
) -> None:
    method = make_lanet()
    batch = make_batch(list(range(8)))
    has_landmarks = torch.zeros(8, dtype=torch.bool)
    has_landmarks[seen] = True
    landmarks = torch.where(has_landmarks[:, None, None], batch.landmarks_px, float("nan"))
    batch = Batch(batch.index, batch.image, None, landmarks, has_landmarks)
    output = run_step(method, batch, progress)
    assert output.loss.isfinite()
    assert method.queue.pointer.item() == len(seen)
    assert all(p.isfinite().all() for p in method.parameters())
    if not seen:
        assert output.parts["landmark"].item() == 0
        assert output.parts["contrastive"].item() == 0


def test_twin_moves_by_the_momentum_and_copies_buffers(
    make_lanet: Callable[..., LANet],
) -> None:
    encoder = make_lanet().encoder
    twin = make_twin(encoder)
    old = [p.clone() for p in twin.parameters()]
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter))
        for buffer in encoder.buffers():
            buffer.copy_(torch.rand(buffer.shape) * 9)
    update_twin(twin, encoder, momentum=0.999)
    for was, new, now in zip(old, encoder.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(now, 0.999 * was + 0.001 * new, atol=1e-6)
    for a, b in zip(twin.buffers(), encoder.buffers(), strict=True):
        assert torch.equal(a, b)


def test_step_updates_the_twin_before_its_keys_and_enqueues_after_the_loss(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    method = make_lanet(key_momentum=0.5)
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.mul_(1.3)
    assert method.twin is not None
    expected_twin = copy.deepcopy(method.twin)
    query = copy.deepcopy(method.encoder)
    batch = make_batch(list(range(8)))
    query(batch.image)  # moves the running statistics, as the method's own forward will
    update_twin(expected_twin, query, momentum=0.5)
    expected_keys = expected_twin.project(expected_twin(batch.image))
    output = method.training_step(batch, progress)
    assert method.queue.pointer.item() == 0
    method.after_step(batch, output, progress)
    assert method.queue.pointer.item() == 8
    assert torch.allclose(method.queue.expression_keys[:8], expected_keys[0], atol=1e-6)
    assert torch.allclose(method.queue.landmark_keys[:8], expected_keys[1], atol=1e-6)
    assert torch.equal(method.queue.labels[:8], output.carry["pseudo_labels"])
    norms = method.queue.expression_keys.norm(dim=1)
    assert torch.allclose(norms, torch.ones(16), atol=1e-5)


def plain_pyramid(branch: LandmarkBranch, maps: list[Tensor]) -> Tensor:
    """The pyramid as published: lateral, enlarge, add, down to the stem's resolution."""
    laterals = list(branch.laterals)
    wide = laterals[-1](maps[-1])
    for level, lateral in zip(maps[-2::-1], laterals[-2::-1], strict=True):
        side = lateral(level)
        wide = side + functional.interpolate(wide, size=side.shape[-2:], mode="bilinear")
    return wide


@pytest.mark.parametrize("size_px", [32, 48])
def test_heatmaps_and_pooled_features_equal_the_built_pyramid(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, size_px: int
) -> None:
    encoder = make_lanet().encoder
    branch = encoder.landmark_branch
    assert branch is not None
    stem_map = encoder.network.backbone.stem(make_batch([0, 1, 2], size_px=size_px).image)
    maps = branch(stem_map)
    wide = plain_pyramid(branch, maps)
    assert torch.allclose(branch.heatmaps(maps), branch.head(wide), atol=1e-5)
    assert branch.heatmaps(maps).shape == (3, 19, size_px // 4, size_px // 4)
    if size_px == 32:  # every enlargement is by two
        assert torch.allclose(branch.pooled(maps), pool(wide), atol=1e-5)


@pytest.mark.parametrize("size_px", [48, 60, 112])
def test_sizes_not_divisible_by_32_work(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress, size_px: int
) -> None:
    output = make_lanet().training_step(make_batch(list(range(6)), size_px=size_px), progress)
    assert output.loss.isfinite()


def test_branches_start_alike_and_share_only_the_stem(make_lanet: Callable[..., LANet]) -> None:
    encoder = make_lanet().encoder
    assert encoder.landmark_branch is not None
    own, second = encoder.network.backbone.tail, encoder.landmark_branch.tail
    for a, b in zip(own.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a is not b


def test_inference_needs_neither_landmark_branch_nor_twin_nor_estimator(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    method = make_lanet()
    run_step(method, make_batch(list(range(8))), progress)
    method.eval()
    image = make_batch(list(range(4)), seed=9).image
    expected = method.inference_network()(image)
    method.encoder.landmark_branch = method.twin = None
    del method.estimator, method.queue, method.encoder.landmark_projection
    network = method.inference_network().eval()
    assert torch.equal(network(image), expected)
    assert torch.allclose(network(image[:1]), expected[:1], atol=1e-6)


def test_exported_weights_load_into_a_plain_resnet(
    training_labels: Tensor, training_targets: Tensor
) -> None:
    torch.manual_seed(0)
    method = LANet(
        build_backbone("resnet10t"),
        labels=training_labels,
        targets=training_targets,
        size_px=64,
        settings=LANetSettings(queue_size=8),
    ).eval()
    network = method.encoder.network
    plain = timm.create_model("resnet10t", num_classes=7).eval()
    state = network.backbone.plain_state_dict()
    state |= {f"fc.{name}": tensor for name, tensor in network.fc.state_dict().items()}
    plain.load_state_dict(state)
    image = torch.randn(2, 3, 64, 64)
    assert torch.allclose(plain(image), method.inference_network()(image), atol=1e-5)


def test_state_survives_saving_and_loading(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    method = make_lanet()
    run_step(method, make_batch(list(range(8))), progress)
    restored = make_lanet(targets=torch.full((40, 7), 1 / 7))
    restored.load_state_dict(method.state_dict())
    again = [m.training_step(make_batch(list(range(8, 16))), progress) for m in (method, restored)]
    assert torch.equal(again[0].loss, again[1].loss)
    assert torch.equal(again[0].carry["distributions"], again[1].carry["distributions"])
    assert {"bank", "queue.labels", "queue.pointer", "targets"} <= set(method.state_dict())


def test_reduced_precision_keeps_the_losses_in_float32(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    batch = make_batch(list(range(8)))
    exact = make_lanet().training_step(batch, progress)
    with torch.autocast("cpu", torch.bfloat16):
        output = make_lanet().training_step(batch, progress)
    assert output.loss.dtype == torch.float32
    assert output.carry["distributions"].dtype == torch.float32
    rows = output.carry["distributions"].sum(dim=1)
    assert torch.allclose(rows, torch.ones(8), atol=1e-6)
    for name, value in exact.parts.items():
        assert output.parts[name].item() == pytest.approx(value.item(), rel=0.05, abs=0.02), name


def test_a_batch_can_be_learnt_by_heart(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    method, batch = make_lanet(), make_batch(list(range(12)))
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=0.01)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        output = method.training_step(batch, progress)
        output.loss.backward()
        optimizer.step()
        method.after_step(batch, output, progress)
        losses.append(output.parts)
    assert (output.logits.argmax(dim=1) == method.labels[:12]).all()
    for name in ("ce", "landmark"):
        assert losses[-1][name] < 0.5 * losses[0][name]


def test_batch_not_above_the_neighbours_is_refused(
    make_lanet: Callable[..., LANet], make_batch: MakeBatch, progress: Progress
) -> None:
    with pytest.raises(ConfigError, match="3 neighbours in a global batch of 3"):
        make_lanet().training_step(make_batch([0, 1, 2]), progress)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"bank_momentum": 1.5},
        {"confidence": -0.1},
        {"key_momentum": 2.0},
        {"n_neighbours": 0},
        {"queue_size": 0},
        {"kl_weight": -1.0},
        {"warmup_epochs": -1},
        {"target_gradient": "half"},
    ],
)
def test_impossible_setting_is_refused_by_name(wrong: dict[str, float | str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        dataclasses.replace(LANetSettings(), **wrong)  # type: ignore[arg-type]
