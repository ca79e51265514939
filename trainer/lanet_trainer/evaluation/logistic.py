"""The probability of an event from a few figures, fitted on other groups than it is used on."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Keeps the weights finite where the figures separate the event perfectly.
_RIDGE = 1e-3
_N_STEPS = 30


def cross_fitted_probability(
    figures: F64Array, is_event: BoolArray, *, groups: I64Array, n_folds: int, seed: int
) -> F64Array:
    """Fit a logistic regression on all groups but a fold's, and use it on the fold.

    Args:
        figures: (N, K), finite.
        is_event: (N,).
        groups: Rows of one group stay in one fold, (N,).
        n_folds: How many parts; fewer where there are fewer groups.
        seed: Shuffles the groups.

    Returns:
        (N,), 0 to 1.
    """
    names, group = np.unique(groups, return_inverse=True)
    n_folds = max(2, min(n_folds, len(names)))
    fold = np.random.default_rng(seed).permutation(len(names))[group] % n_folds
    spread = np.maximum(figures.std(axis=0), 1e-9)
    rows = np.column_stack([np.ones(len(figures)), (figures - figures.mean(axis=0)) / spread])
    probability = np.empty(len(rows))
    for number in range(n_folds):
        inside = fold == number
        weights = _fit(rows[~inside], is_event[~inside].astype(np.float64))
        probability[inside] = expit(rows[inside] @ weights)
    return probability


def _fit(rows: F64Array, target: F64Array) -> F64Array:
    """Newton's method on the penalised likelihood; returns the weights, (K,)."""
    weights = np.zeros(rows.shape[1])
    penalty = _RIDGE * len(rows) * np.eye(rows.shape[1])
    penalty[0, 0] = 1e-9
    for _ in range(_N_STEPS):
        predicted = expit(rows @ weights)
        gradient = rows.T @ (predicted - target) + penalty @ weights
        curvature = (rows * (predicted * (1 - predicted))[:, None]).T @ rows + penalty
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return weights
