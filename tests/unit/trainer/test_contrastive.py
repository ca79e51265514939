import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.contrastive import EMPTY_LABEL, KeyQueue, contrastive_loss, pseudo_labels

T = 0.1


def unit(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(*shape, generator=generator), dim=1)


def triple_loop_loss(a: Tensor, b: Tensor, labels: Tensor, k: Tensor, k_labels: Tensor) -> float:
    """The published sum, written out over every query, key and queue entry."""
    a, b, k = a.double(), b.double(), k.double()
    total = 0.0
    for i in range(len(a)):
        positives = [j for j in range(len(a)) if labels[j] == labels[i]]
        for j in positives:
            top = math.exp((a[i] @ b[j]).item() / T)
            below = sum(
                math.exp((a[i] @ k[n]).item() / T)
                for n in range(len(k))
                if k_labels[n] != labels[i]
            )
            total += -math.log(top / (top + below)) / len(positives)
    return total / len(a)


def loss_of(a: Tensor, b: Tensor, labels: Tensor, k: Tensor, k_labels: Tensor) -> Tensor:
    return contrastive_loss(a, b, labels, queue_keys=k, queue_labels=k_labels, temperature=T)


def test_two_samples_give_the_value_computed_by_hand() -> None:
    a = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    b = torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    k = torch.tensor([[0.0, 1.0], [0.8, 0.6]])
    # Cosines with the own key are .6 and 0; with the one queue entry of another label 0 (query 0
    # and the first entry) and .6 (query 1 and the second).
    loss = loss_of(a, b, torch.tensor([3, 5]), k, torch.tensor([5, 3]))
    expected = (math.log1p(math.exp(0 - 6)) + math.log1p(math.exp(6 - 0))) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_loss_equals_the_sum_over_all_triples() -> None:
    labels = torch.tensor([0, 1, 0, -4, 2, 1])
    k_labels = torch.tensor([0, 0, 1, 2, -4, -9, EMPTY_LABEL, EMPTY_LABEL, 1])
    arguments = (unit(6, 8), unit(6, 8, seed=1), labels, unit(9, 8, seed=2), k_labels)
    assert loss_of(*arguments).item() == pytest.approx(triple_loop_loss(*arguments), rel=1e-5)


def test_queue_of_the_queries_own_label_gives_zero_loss_and_finite_gradient() -> None:
    a = unit(3, 8).requires_grad_()
    labels = torch.full((3,), 2)
    loss = loss_of(a, unit(3, 8, seed=1), labels, unit(5, 8, seed=2), torch.full((5,), 2))
    loss.backward()
    assert loss.item() == 0
    assert a.grad is not None
    assert a.grad.eq(0).all()


def test_single_query_is_info_nce() -> None:
    a, b, k = unit(1, 8), unit(1, 8, seed=1), unit(20, 8, seed=2)
    loss = loss_of(a, b, torch.tensor([0]), k, torch.full((20,), EMPTY_LABEL))
    logits = torch.cat((a @ b.T, a @ k.T), dim=1) / T
    expected = functional.cross_entropy(logits, torch.tensor([0]))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_uncertain_sample_is_its_own_only_positive() -> None:
    distributions = torch.tensor([[0.8, 0.2], [0.69, 0.31], [0.7, 0.3], [0.5, 0.5]])
    ids = torch.tensor([10, 0, 11, 12])
    labels = pseudo_labels(distributions, ids, confidence=0.7)
    assert labels.tolist() == [0, -1, 0, -13]  # sample 0 keeps clear of class 0
    assert labels.dtype == torch.int64


def test_thresholding_carries_no_gradient() -> None:
    distributions = torch.rand(4, 3, requires_grad=True)
    assert not pseudo_labels(distributions, torch.arange(4), confidence=0.5).requires_grad


def test_queue_starts_with_unit_rows_repeatably_and_without_labels() -> None:
    queue, again = KeyQueue(16, 8, seed=4), KeyQueue(16, 8, seed=4)
    assert torch.equal(queue.expression_keys, again.expression_keys)
    assert not torch.equal(queue.expression_keys, queue.landmark_keys)
    for keys in (queue.expression_keys, queue.landmark_keys):
        assert torch.allclose(keys.norm(dim=1), torch.ones(16), atol=1e-6)
    assert queue.labels.eq(EMPTY_LABEL).all()


def test_queue_pointer_wraps_even_where_the_batch_does_not_divide_the_size() -> None:
    queue = KeyQueue(8, 4, seed=0)
    for step in range(3):
        keys = unit(3, 4, seed=step)
        queue.enqueue(keys, -keys, torch.full((3,), step))
    assert queue.pointer.item() == 1
    assert queue.labels.tolist() == [2, 0, 0, 1, 1, 1, 2, 2]
    last = unit(3, 4, seed=2)
    assert torch.equal(queue.expression_keys[[6, 7, 0]], last)
    assert torch.equal(queue.landmark_keys[[6, 7, 0]], -last)
    assert torch.allclose(queue.expression_keys.norm(dim=1), torch.ones(8), atol=1e-6)


def test_batch_larger_than_the_queue_is_refused() -> None:
    with pytest.raises(ConfigError, match="key queue of 8"):
        KeyQueue(8, 4, seed=0).enqueue(unit(9, 4), unit(9, 4), torch.zeros(9, dtype=torch.int64))
