"""Turn the votes of several annotators into a label or a distribution.

"majority" and "distribution" are the rules of the FER+ data set's own reader: an answer that only
one annotator gave counts for nothing, and "unknown" and "no face" compete with the classes.
"""

import numpy as np
from numpy.typing import NDArray

I64Array = NDArray[np.int64]
F32Array = NDArray[np.float32]

_MIN_MAJORITY = 0.5
_ENOUGH_TAKEN = 0.75
_MAX_CLASSES_TAKEN = 3


def apply_vote_rule(
    rule: str, votes: I64Array, ignored_votes: I64Array
) -> tuple[I64Array, F32Array]:
    """Apply a rule to every sample.

    Args:
        rule: "majority", "distribution" or "plurality".
        votes: Counts per class, (N, C).
        ignored_votes: Counts of the answers that are no class, (N, M).

    Returns:
        Labels, (N,), -1 where the rule leaves a sample out, and distributions over the classes,
        (N, C), rows of zeros there.
    """
    if rule == "majority":
        return _one_hot(_majority(votes, ignored_votes), votes.shape[1])
    if rule == "plurality":
        return _one_hot(_plurality(votes, ignored_votes), votes.shape[1])
    if rule != "distribution":
        raise ValueError(f"no vote rule '{rule}'")
    taken = np.array(
        [_take_distribution(*pair) for pair in zip(votes, ignored_votes, strict=True)]
    ).reshape(votes.shape)
    total = taken.sum(axis=1, keepdims=True)
    distribution = (taken / np.maximum(total, 1)).astype(np.float32)
    label = np.where(total[:, 0] > 0, taken.argmax(axis=1), -1)
    return label.astype(np.int64), distribution


def _majority(votes: I64Array, ignored_votes: I64Array) -> I64Array:
    """More than half of the votes left after single ones are dropped."""
    counts = _without_single_votes(votes, ignored_votes)
    winner = counts.argmax(axis=1)
    is_kept = (counts.max(axis=1) > _MIN_MAJORITY * counts.sum(axis=1)) & (winner < votes.shape[1])
    return np.where(is_kept, winner, -1)


def _plurality(votes: I64Array, ignored_votes: I64Array) -> I64Array:
    """More votes than any other answer; a tie decides nothing."""
    answers = np.hstack([votes, ignored_votes])
    ordered = np.sort(answers, axis=1)
    winner = answers.argmax(axis=1)
    is_kept = (ordered[:, -1] > ordered[:, -2]) & (winner < votes.shape[1])
    return np.where(is_kept, winner, -1)


def _take_distribution(votes: I64Array, ignored_votes: I64Array) -> I64Array:
    """Take the most chosen answers of one sample; all zeros when the rule leaves it out."""
    n_classes = len(votes)
    left = _without_single_votes(votes[None], ignored_votes[None])[0]
    total = int(left.sum())
    taken = np.zeros_like(left)
    n_taken, sum_taken, only_classes = 0, 0, True
    while sum_taken < _ENOUGH_TAKEN * total and n_taken < _MAX_CLASSES_TAKEN and only_classes:
        highest = left.max()
        for answer in np.flatnonzero(left == highest):
            taken[answer], left[answer] = highest, 0
            sum_taken += int(highest)
            n_taken += 1
            if answer >= n_classes:
                only_classes = False
                if taken.sum() > highest:  # A class was taken before: only this answer is dropped.
                    taken[answer] = 0
                    n_taken -= 1
                break
    is_lost = (
        taken.sum() <= _MIN_MAJORITY * total
        or n_taken > _MAX_CLASSES_TAKEN
        or taken.argmax() >= n_classes
    )
    return np.zeros(n_classes, dtype=np.int64) if is_lost else taken[:n_classes]


def _without_single_votes(votes: I64Array, ignored_votes: I64Array) -> I64Array:
    counts = np.concatenate([votes, ignored_votes], axis=1)  # (N, C + M)
    return np.where(counts == 1, 0, counts)


def _one_hot(label: I64Array, n_classes: int) -> tuple[I64Array, F32Array]:
    rows = np.eye(n_classes + 1, n_classes, dtype=np.float32)  # the last row, of label -1, is zero
    return label.astype(np.int64), rows[label]
