"""Label distribution estimation (LDE): a sample's label seen by its neighbours.

In each feature space the K nearest samples of the global batch vote with their predicted
probabilities; a small network learns how much each neighbour contributes. The estimate of a batch
is blended into a bank that holds one distribution a training sample.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lanet_trainer.errors import ConfigError

# Keeps the weights of a row summing to exactly 1 whatever the scores are.
_WEIGHT_EPSILON = 1e-8
_TINY = 1e-30


@dataclass(frozen=True, slots=True)
class SampleFeatures:
    """What LDE reads of some samples.

    Attributes:
        ids: Positions in the training set, (G,) int64.
        probabilities: Predicted class probabilities, (G, C) float32.
        expression: Expression features, (G, Du).
        landmark: Landmark features, (G, Dv); None without a landmark branch.
        has_landmarks: False for samples that have no place in landmark space, (G,) bool.
    """

    ids: Tensor
    probabilities: Tensor
    expression: Tensor
    landmark: Tensor | None
    has_landmarks: Tensor


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest candidates of each sample.

    Attributes:
        index: Rows of the candidates, (B, K) int64.
        is_valid: False where fewer than K candidates were left, (B, K) bool.
    """

    index: Tensor
    is_valid: Tensor


@torch.no_grad()
def find_neighbours(
    features: Tensor, candidates: Tensor, *, is_excluded: Tensor, n_neighbours: int
) -> Neighbours:
    """Find the K candidates of highest cosine similarity; the choice carries no gradient.

    Args:
        features: (B, D).
        candidates: (G, D).
        is_excluded: Pairs that must not be neighbours, (B, G) bool; always contains self.
        n_neighbours: K, below G.

    Raises:
        ConfigError: K is not below G.
    """
    n_candidates = candidates.shape[0]
    if n_neighbours >= n_candidates:
        raise ConfigError(
            f"LA-Net looks for {n_neighbours} neighbours in a global batch of {n_candidates}; take "
            "a larger batch or a smaller n_neighbours."
        )
    directions = functional.normalize(features.float(), dim=1)
    cosine = directions @ functional.normalize(candidates.float(), dim=1).T  # (B, G)
    nearest = cosine.masked_fill(is_excluded, -torch.inf).topk(n_neighbours, dim=1)
    return Neighbours(index=nearest.indices, is_valid=nearest.values.isfinite())


class ContributionScore(nn.Module):
    """Scores how much candidate j should contribute to sample i, in (0, 1); order matters."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        half, quarter = max(n_features // 2, 1), max(n_features // 4, 1)
        self.embedding = nn.Linear(n_features, 2 * half)
        self.scorer = nn.Sequential(
            nn.Linear(2 * half, half),
            nn.ReLU(),
            nn.Linear(half, quarter),
            nn.ReLU(),
            nn.Linear(quarter, 2),
        )

    def forward(self, features: Tensor, candidates: Tensor, index: Tensor) -> Tensor:
        """Score the candidates `index` (B, K) of each sample (B, D): (B, K)."""
        as_sample = self.embedding(features).chunk(2, dim=1)[0]  # (B, D/2)
        as_candidate = self.embedding(candidates).chunk(2, dim=1)[1]  # (G, D/2)
        first = as_sample[:, None].expand(-1, index.shape[1], -1)
        pairs = torch.cat((first, as_candidate[index]), dim=2)  # (B, K, D)
        scores: Tensor = self.scorer(pairs).softmax(dim=2)[..., 0]
        return scores


def contribution_weights(scores: Tensor, neighbours: Neighbours, *, n_candidates: int) -> Tensor:
    """Spread the scores (B, K) over all candidates and normalise: rows (B, G) that sum to 1.

    A candidate that is no neighbour keeps about eps/G, not a hard zero.
    """
    scores = scores * neighbours.is_valid
    spread = scores.new_zeros(scores.shape[0], n_candidates).scatter(1, neighbours.index, scores)
    total = scores.sum(dim=1, keepdim=True) + _WEIGHT_EPSILON
    return (spread + _WEIGHT_EPSILON / n_candidates) / total


class LabelDistributionEstimator(nn.Module):
    """Averages the neighbours' predictions in expression space and in landmark space."""

    def __init__(
        self, *, n_expression: int, n_landmark: int | None = None, n_neighbours: int = 8
    ) -> None:
        super().__init__()
        self.n_neighbours = n_neighbours
        self.expression_score = ContributionScore(n_expression)
        self.landmark_score = None if n_landmark is None else ContributionScore(n_landmark)

    def forward(self, samples: SampleFeatures, candidates: SampleFeatures) -> Tensor:
        """Estimate the label distributions of `samples`, (B, C) float32, rows summing to 1.

        Copies of a sample are not its neighbours. A sample without landmarks is estimated in
        expression space alone, and is no neighbour in landmark space.

        Args:
            samples: This process's part of the batch.
            candidates: The whole global batch; contains `samples`.
        """
        with torch.autocast(samples.expression.device.type, enabled=False):
            is_copy = samples.ids[:, None] == candidates.ids  # (B, G)
            by_expression = self._average(
                samples.expression,
                candidates.expression,
                candidates.probabilities,
                score=self.expression_score,
                is_excluded=is_copy,
            )
            if self.landmark_score is None:
                return by_expression
            if samples.landmark is None or candidates.landmark is None:
                raise ValueError("this estimator works in landmark space and got no features of it")
            is_excluded = is_copy | ~candidates.has_landmarks
            by_landmark = self._average(
                samples.landmark,
                candidates.landmark,
                candidates.probabilities,
                score=self.landmark_score,
                is_excluded=is_excluded,
            )
            is_seen = samples.has_landmarks & ~is_excluded.all(dim=1)
            both = (by_expression + by_landmark) / 2
            return torch.where(is_seen[:, None], both, by_expression)

    def _average(
        self,
        features: Tensor,
        candidates: Tensor,
        probabilities: Tensor,
        *,
        score: ContributionScore,
        is_excluded: Tensor,
    ) -> Tensor:
        """Average the candidates' probabilities (G, C) by their contribution in one space."""
        features, candidates = features.float(), candidates.float()
        neighbours = find_neighbours(
            features, candidates, is_excluded=is_excluded, n_neighbours=self.n_neighbours
        )
        scores = score(features, candidates, neighbours.index)
        weights = contribution_weights(scores, neighbours, n_candidates=candidates.shape[0])
        return weights @ probabilities.float()


def blend_with_bank(bank_rows: Tensor, estimates: Tensor, *, momentum: float) -> Tensor:
    """Blend estimates (B, C) into the bank's rows (B, C); gradient flows through the estimates."""
    return momentum * bank_rows + (1 - momentum) * estimates


def kl_to_prediction(targets: Tensor, logits: Tensor) -> Tensor:
    """Return KL(target || softmax(logits)), averaged over the batch.

    It differentiates with respect to the targets too: that is the only way the contribution
    scores learn.

    Args:
        targets: Distributions, (B, C).
        logits: (B, C).
    """
    targets = targets.float()
    log_ratio = targets.clamp_min(_TINY).log() - logits.float().log_softmax(dim=1)
    return (targets * log_ratio).sum(dim=1).mean()
