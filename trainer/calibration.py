"""Temperature scaling: one number that makes probabilities as sure as they are right.

Against votes the divergence of Jensen and Shannon is the default measure. The cross-entropy
forgives no vote that was not foreseen, so that it leaves the predictions too flat: on FER+ Valid, a
network trained on votes had a calibration error of 0.10 at its minimum and 0.02 at the
divergence's, where the divergence itself and the ranking by uncertainty are better too.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from lanet_live.expression.uncertainty import softmax
from trainer.errors import DataError
from trainer.metrics import jensen_shannon

F64Array = NDArray[np.float64]

_LOG_TEMPERATURES = np.linspace(np.log(0.1), np.log(10.0), 47)


def fit_temperature(logits: F64Array, targets: F64Array, *, measure: str = "js") -> float:
    """Find the temperature under which predictions are closest to the targets.

    Args:
        logits: (N, C), the mean over the model's views.
        targets: (N, C), each row sums to 1: shares of votes, or one-hot labels.
        measure: "js", or "nll" for the cross-entropy.

    Returns:
        T, from 0.1 to 10; probabilities = softmax(logits / T).

    Raises:
        DataError: There is nothing to fit on.
    """
    if not len(logits):
        raise DataError("No validation image has a label to fit the temperature on.")
    loss = MEASURES[measure]

    def loss_at(log_temperature: float) -> float:
        return loss(logits, targets, float(np.exp(log_temperature)))

    losses = [loss_at(log_temperature) for log_temperature in _LOG_TEMPERATURES]
    best = int(np.argmin(losses))
    neighbours = _LOG_TEMPERATURES[[max(0, best - 1), min(len(losses) - 1, best + 1)]]
    found = minimize_scalar(
        loss_at, bounds=tuple(neighbours), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def soft_nll(logits: F64Array, targets: F64Array, temperature: float) -> float:
    """Return the mean cross-entropy of targets and tempered predictions, in nats."""
    probabilities = np.maximum(softmax(logits, temperature=temperature), 1e-300)
    return float(-(targets * np.log(probabilities)).sum(axis=1).mean())


def mean_divergence(logits: F64Array, targets: F64Array, temperature: float) -> float:
    """Return the mean Jensen–Shannon divergence of targets and tempered predictions, in nats."""
    return float(jensen_shannon(softmax(logits, temperature=temperature), targets).mean())


MEASURES: dict[str, Callable[[F64Array, F64Array, float], float]] = {
    "js": mean_divergence,
    "nll": soft_nll,
}
