"""The contrastive loss between expression and landmark features, and its queue of keys.

The published loss is written over every (query, key, queue entry) triple. The queue's part depends
on the query alone, so one logsumexp a query replaces the third axis: with lse_i over the queue
entries of other labels, the term of pair (i, j) is ln(1 + exp(lse_i - s_ij)).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lanet_trainer.errors import ConfigError

# The label of queue entries not written yet; no class and no private id ever equals it.
EMPTY_LABEL = torch.iinfo(torch.int64).min


def pseudo_labels(distributions: Tensor, ids: Tensor, *, confidence: float) -> Tensor:
    """Label the samples for the contrastive loss, (B,) int64.

    A sample whose distribution reaches `confidence` takes its most likely class, any other one an
    id of its own, -(id + 1), so that sample 0 does not fall together with class 0.

    Args:
        distributions: Label distributions, (B, C).
        ids: Positions in the training set, (B,).
        confidence: Least probability that counts as certain.
    """
    highest, classes = distributions.detach().max(dim=1)
    return torch.where(highest >= confidence, classes, -(ids + 1))


class KeyQueue(nn.Module):
    """The last keys of both spaces with their labels, as a ring.

    Until it has been written once around, the rest holds random unit vectors, which act as
    negatives. Everything is a buffer, so a checkpoint carries the queue.

    Attributes:
        expression_keys: (Q, D) unit rows.
        landmark_keys: (Q, D) unit rows.
        labels: (Q,) int64.
        pointer: Where the next key goes, () int64.
    """

    expression_keys: Tensor
    landmark_keys: Tensor
    labels: Tensor
    pointer: Tensor

    def __init__(self, size: int, n_features: int, *, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        for name in ("expression_keys", "landmark_keys"):
            rows = torch.randn(size, n_features, generator=generator)
            self.register_buffer(name, functional.normalize(rows, dim=1))
        self.register_buffer("labels", torch.full((size,), EMPTY_LABEL))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def enqueue(self, expression_keys: Tensor, landmark_keys: Tensor, labels: Tensor) -> None:
        """Overwrite the oldest entries with keys (n, D) and labels (n,); n may differ each time.

        Raises:
            ConfigError: More keys than the queue holds.
        """
        size, n_keys = self.labels.shape[0], labels.shape[0]
        if n_keys > size:
            raise ConfigError(
                f"A batch of {n_keys} does not fit the key queue of {size}; take a queue_size of "
                "at least the global batch."
            )
        places = (self.pointer + torch.arange(n_keys, device=self.pointer.device)) % size
        self.expression_keys[places] = expression_keys.to(self.expression_keys)
        self.landmark_keys[places] = landmark_keys.to(self.landmark_keys)
        self.labels[places] = labels
        self.pointer.copy_((self.pointer + n_keys) % size)


def contrastive_loss(
    queries: Tensor,
    keys: Tensor,
    labels: Tensor,
    *,
    queue_keys: Tensor,
    queue_labels: Tensor,
    temperature: float,
) -> Tensor:
    """Pull queries to the keys of their label and push them from the queue's other labels.

    Args:
        queries: Unit rows of one space, (B, D).
        keys: Unit rows of the other space, (B, D), same samples, no gradient.
        labels: Pseudo-labels of the samples, (B,).
        queue_keys: Unit rows of the keys' space, (Q, D).
        queue_labels: (Q,).
        temperature: Divides the cosines.

    Returns:
        The mean over queries of the mean over their positives; 0 for a query without negatives,
        and 0 for an empty batch.
    """
    queries, keys, queue_keys = queries.float(), keys.float(), queue_keys.float()
    if queries.shape[0] == 0:
        return queries.sum()
    pair_logits = queries @ keys.T / temperature  # (B, B)
    queue_logits = queries @ queue_keys.T / temperature  # (B, Q)
    is_negative = labels[:, None] != queue_labels  # (B, Q)
    has_negative = is_negative.any(dim=1, keepdim=True)  # (B, 1)
    # A row without negatives stays unmasked: the logsumexp of nothing would have no gradient.
    masked = queue_logits.masked_fill(~is_negative & has_negative, -torch.inf)
    negatives = torch.logsumexp(masked, dim=1, keepdim=True)  # (B, 1)
    terms = functional.softplus(negatives - pair_logits) * has_negative  # (B, B)
    is_positive = (labels[:, None] == labels).float()  # (B, B), contains the diagonal
    return ((terms * is_positive).sum(dim=1) / is_positive.sum(dim=1)).mean()
