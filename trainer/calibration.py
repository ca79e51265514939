"""Temperature scaling: one number that makes probabilities as sure as they are right."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from lanet_live.expression.uncertainty import softmax
from trainer.errors import DataError

F64Array = NDArray[np.float64]

_LOG_RANGE = (np.log(0.1), np.log(10.0))


def fit_temperature(logits: F64Array, targets: F64Array) -> float:
    """Find the temperature under which the targets are most likely.

    The mean cross-entropy is convex in 1/T, so that a search along the line finds its one minimum.

    Args:
        logits: (N, C), the mean over the model's views.
        targets: (N, C), each row sums to 1: shares of votes, or one-hot labels.

    Returns:
        T, from 0.1 to 10; probabilities = softmax(logits / T).

    Raises:
        DataError: There is nothing to fit on.
    """
    if not len(logits):
        raise DataError("No validation image has a label to fit the temperature on.")

    def loss(log_temperature: float) -> float:
        return soft_nll(logits, targets, temperature=float(np.exp(log_temperature)))

    found = minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def soft_nll(logits: F64Array, targets: F64Array, *, temperature: float) -> float:
    """Return the mean cross-entropy of targets and tempered predictions, in nats."""
    probabilities = np.maximum(softmax(logits, temperature=temperature), 1e-300)
    return float(-(targets * np.log(probabilities)).sum(axis=1).mean())
