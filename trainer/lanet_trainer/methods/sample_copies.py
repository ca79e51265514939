"""Samples that occur more than once in a global batch, as balanced sampling makes them."""

import torch
from torch import Tensor


def average_over_copies(rows: Tensor, ids: Tensor) -> Tensor:
    """Replace each row by the mean over the rows of the same sample.

    Args:
        rows: (G, C).
        ids: Positions in the training set, (G,).

    Returns:
        (G, C); all copies of a sample hold the same row, so the order of writing them no longer
        matters. Gradients flow to every copy.
    """
    is_same = (ids[:, None] == ids).to(rows)  # (G, G)
    return is_same @ rows / is_same.sum(dim=1, keepdim=True)


def is_first_copy(ids: Tensor) -> Tensor:
    """Mark the first row of every sample, (G,) bool."""
    is_same = ids[:, None] == ids
    return ~torch.tril(is_same, diagonal=-1).any(dim=1)
