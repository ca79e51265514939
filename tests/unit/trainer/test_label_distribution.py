import pytest
import torch
from torch import Tensor

from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.label_distribution import (
    ContributionScore,
    LabelDistributionEstimator,
    SampleFeatures,
    blend_with_bank,
    contribution_weights,
    find_neighbours,
    kl_to_prediction,
)
from lanet_trainer.methods.sample_copies import average_over_copies, is_first_copy

G, C, K = 12, 7, 4


def random_features(seed: int = 0, n: int = G) -> SampleFeatures:
    generator = torch.Generator().manual_seed(seed)
    return SampleFeatures(
        ids=torch.arange(n),
        probabilities=torch.randn(n, C, generator=generator).softmax(dim=1),
        expression=torch.randn(n, 16, generator=generator),
        landmark=torch.randn(n, 8, generator=generator),
        has_landmarks=torch.ones(n, dtype=torch.bool),
    )


def take(features: SampleFeatures, rows: Tensor) -> SampleFeatures:
    assert features.landmark is not None
    return SampleFeatures(
        features.ids[rows],
        features.probabilities[rows],
        features.expression[rows],
        features.landmark[rows],
        features.has_landmarks[rows],
    )


def make_estimator(n_neighbours: int = K) -> LabelDistributionEstimator:
    torch.manual_seed(0)
    return LabelDistributionEstimator(n_expression=16, n_landmark=8, n_neighbours=n_neighbours)


def weights_of(features: Tensor, n_neighbours: int = K) -> Tensor:
    n = len(features)
    neighbours = find_neighbours(
        features, features, is_excluded=torch.eye(n, dtype=torch.bool), n_neighbours=n_neighbours
    )
    torch.manual_seed(0)
    scores = ContributionScore(features.shape[1])(features, features, neighbours.index)
    return contribution_weights(scores, neighbours, n_candidates=n)


def test_weight_rows_sum_to_one_with_exactly_k_neighbours_and_no_diagonal() -> None:
    weights = weights_of(random_features().expression)
    assert torch.allclose(weights.sum(dim=1), torch.ones(G), atol=1e-6)
    assert (weights.diagonal() < 1e-7).all()
    assert ((weights > 1e-7).sum(dim=1) == K).all()


def test_weights_equal_the_dense_formula_over_all_pairs() -> None:
    features = random_features().expression
    torch.manual_seed(0)
    score = ContributionScore(16)
    everyone = torch.arange(G).expand(G, G)
    all_scores = score(features, features, everyone)  # c_ij for every pair
    unit = torch.nn.functional.normalize(features, dim=1)
    cosine = unit @ unit.T
    cosine.fill_diagonal_(-1)
    mask = torch.zeros(G, G).scatter(1, cosine.topk(K, dim=1).indices, 1.0)
    masked = all_scores * mask
    expected = (masked + 1e-8 / G) / (masked.sum(dim=1, keepdim=True) + 1e-8)
    assert torch.allclose(weights_of(features), expected, atol=1e-7)


def test_contribution_score_depends_on_the_order_of_the_pair() -> None:
    features = random_features().expression
    scores = ContributionScore(16)(features, features, torch.arange(G).expand(G, G))
    assert ((scores > 0) & (scores < 1)).all()
    assert not torch.allclose(scores, scores.T, atol=1e-4)


def test_permuting_the_batch_permutes_the_estimates() -> None:
    features, estimator = random_features(), make_estimator()
    order = torch.randperm(G, generator=torch.Generator().manual_seed(5))
    shuffled = take(features, order)
    expected = estimator(features, features)[order]
    assert torch.allclose(estimator(shuffled, shuffled), expected, atol=1e-6)


def test_a_part_of_the_batch_gets_the_rows_of_the_whole() -> None:
    features, estimator = random_features(), make_estimator()
    part = take(features, torch.arange(6))
    whole = estimator(features, features)
    assert torch.allclose(estimator(part, features), whole[:6], atol=1e-6)


def test_identical_predictions_are_estimated_as_themselves() -> None:
    features, estimator = random_features(), make_estimator()
    same = features.probabilities[:1].expand(G, C)
    features = SampleFeatures(
        features.ids, same, features.expression, features.landmark, features.has_landmarks
    )
    assert torch.allclose(estimator(features, features), same, atol=1e-6)


def test_constant_score_over_all_others_gives_their_plain_mean() -> None:
    features, estimator = random_features(), make_estimator(n_neighbours=G - 1)
    for parameter in estimator.parameters():
        torch.nn.init.zeros_(parameter)
    p = features.probabilities
    expected = (p.sum(dim=0) - p) / (G - 1)
    assert torch.allclose(estimator(features, features), expected, atol=1e-6)


def test_first_blend_is_mostly_the_label_and_later_ones_compound() -> None:
    onehot = torch.nn.functional.one_hot(torch.tensor([2, 5]), C).float()
    first_estimate, second_estimate = torch.rand(2, 2, C).softmax(dim=2)
    bank = blend_with_bank(onehot, first_estimate, momentum=0.9)
    assert torch.allclose(bank, 0.9 * onehot + 0.1 * first_estimate)
    bank = blend_with_bank(bank, second_estimate, momentum=0.9)
    expected = 0.81 * onehot + 0.09 * first_estimate + 0.1 * second_estimate
    assert torch.allclose(bank, expected, atol=1e-7)
    assert torch.allclose(bank.sum(dim=1), torch.ones(2))
    assert (bank >= 0).all()


def test_only_the_divergence_teaches_the_contribution_scores() -> None:
    estimator, logits = make_estimator(), torch.randn(G, C, requires_grad=True)
    features = random_features()
    features = SampleFeatures(
        features.ids, logits.softmax(dim=1), features.expression, features.landmark,
        features.has_landmarks,
    )  # fmt: skip
    distributions = blend_with_bank(
        torch.eye(C)[torch.arange(G) % C], estimator(features, features), momentum=0.9
    )
    parameters = list(estimator.parameters())
    divergence = kl_to_prediction(distributions, logits)
    gradients = torch.autograd.grad(divergence, parameters, retain_graph=True)
    assert all(g.abs().sum() > 0 for g in gradients)
    cross_entropy = torch.nn.functional.cross_entropy(logits, torch.arange(G) % C)
    assert torch.autograd.grad(cross_entropy, parameters, allow_unused=True) == (None,) * len(
        parameters
    )


def test_kl_is_zero_at_equality_and_matches_the_sum_formula() -> None:
    logits = torch.randn(3, C)
    assert kl_to_prediction(logits.softmax(dim=1), logits).item() == pytest.approx(0, abs=1e-6)
    target = torch.tensor([[0.5, 0.5, 0, 0, 0, 0, 0]])
    uniform = torch.zeros(1, C)
    expected = torch.log(torch.tensor(7 / 2)).item()
    assert kl_to_prediction(target, uniform).item() == pytest.approx(expected, abs=1e-6)


def test_copies_of_a_sample_are_not_its_neighbours() -> None:
    features = random_features()
    ids = features.ids.clone()
    ids[1] = ids[0]
    expression = features.expression.clone()
    expression[1] = expression[0]  # cosine 1: without the exclusion the nearest of all
    neighbours = find_neighbours(
        expression, expression, is_excluded=ids[:, None] == ids, n_neighbours=K
    )
    assert 1 not in neighbours.index[0]
    assert 0 not in neighbours.index[1]


def test_copies_are_averaged_to_one_row() -> None:
    ids = torch.tensor([4, 9, 4, 2, 4])
    rows = torch.rand(5, C)
    averaged = average_over_copies(rows, ids)
    assert torch.equal(averaged[0], averaged[2])
    assert torch.equal(averaged[0], averaged[4])
    assert torch.allclose(averaged[0], rows[[0, 2, 4]].mean(dim=0))
    assert torch.equal(averaged[[1, 3]], rows[[1, 3]])
    assert is_first_copy(ids).tolist() == [True, True, False, True, False]


def test_sample_without_landmarks_is_estimated_by_expression_and_is_no_landmark_neighbour() -> None:
    features, estimator = random_features(), make_estimator(n_neighbours=3)
    assert features.landmark is not None
    has_landmarks = features.has_landmarks.clone()
    has_landmarks[0] = False
    one_missing = SampleFeatures(
        features.ids, features.probabilities, features.expression, features.landmark, has_landmarks
    )
    estimates = estimator(one_missing, one_missing)
    only_expression = LabelDistributionEstimator(n_expression=16, n_neighbours=3)
    only_expression.load_state_dict(estimator.state_dict(), strict=False)
    assert torch.allclose(estimates[0], only_expression(one_missing, one_missing)[0])
    neighbours = find_neighbours(
        features.landmark, features.landmark,
        is_excluded=torch.eye(G, dtype=torch.bool) | ~has_landmarks, n_neighbours=G - 1,
    )  # fmt: skip
    assert not ((neighbours.index == 0) & neighbours.is_valid).any()


def test_as_many_neighbours_as_samples_is_refused() -> None:
    features, estimator = random_features(n=K), make_estimator(n_neighbours=K)
    with pytest.raises(ConfigError, match="4 neighbours in a global batch of 4"):
        estimator(features, features)
