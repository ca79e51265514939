"""Probabilities from logits, and how unsure they are. Pure functions on arrays.

The trainer measures its models with these same functions, so a figure in a report and a value in an
exported table mean the same thing.
"""

import numpy as np
from numpy.typing import NDArray

F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]


def softmax(logits: F32Array | F64Array, *, temperature: float = 1.0) -> F64Array:
    """Turn logits into probabilities, safely for logits of any size.

    Args:
        logits: (..., C).
        temperature: Above 1 the distribution gets flatter.

    Returns:
        (..., C) float64, each row sums to 1.

    Raises:
        ValueError: If the temperature is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    probabilities: F64Array = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def entropy_nats(probabilities: F64Array) -> F64Array:
    """Return the Shannon entropy of each row, with 0 ln 0 = 0.

    Args:
        probabilities: (..., C), each row sums to 1.

    Returns:
        (...), 0 to ln C.
    """
    positive = np.where(probabilities > 0, probabilities, 1.0)
    entropy: F64Array = -(probabilities * np.log(positive)).sum(axis=-1)
    return entropy


def normalised_entropy(probabilities: F64Array) -> F64Array:
    """Return the entropy as a share of its maximum: 0 when certain, 1 when all classes tie.

    Args:
        probabilities: (..., C), C >= 2, each row sums to 1.

    Returns:
        (...), 0 to 1.
    """
    share = entropy_nats(probabilities) / np.log(probabilities.shape[-1])
    clipped: F64Array = np.clip(share, 0.0, 1.0)
    return clipped


def mutual_information(view_probabilities: F64Array) -> F64Array:
    """Measure how far several views of one face disagree about it.

    The entropy of the mean distribution less the mean entropy of the views (the Jensen-Shannon
    divergence of the views), as a share of ln C. Views that agree give 0, however ambiguous the
    expression is; that is what `normalised_entropy` measures.

    Args:
        view_probabilities: (V, ..., C), each row sums to 1.

    Returns:
        (...), 0 to 1.
    """
    of_mean = entropy_nats(view_probabilities.mean(axis=0))
    mean_of_views = entropy_nats(view_probabilities).mean(axis=0)
    share = (of_mean - mean_of_views) / np.log(view_probabilities.shape[-1])
    clipped: F64Array = np.clip(share, 0.0, 1.0)
    return clipped
