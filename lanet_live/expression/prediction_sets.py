"""The set of classes an estimate leaves possible, with a promise of how often it holds the truth.

Which thresholds keep the promise is fitted by the trainer (`lanet_trainer.evaluation.conformal`)
and comes with the model, as `lanet_engines.spec.PredictionSets`.
"""

import numpy as np
from numpy.typing import NDArray

from lanet_live.records import F64Array


def set_members(probabilities: F64Array, min_probabilities: F64Array) -> NDArray[np.bool_]:
    """Return which classes belong to the sets: those probable enough, and always the first.

    Args:
        probabilities: Calibrated, (N, C).
        min_probabilities: Threshold of each class, (C,).

    Returns:
        (N, C).
    """
    members: NDArray[np.bool_] = probabilities >= min_probabilities
    members[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
    return members


def sets_of(
    probabilities: F64Array, min_probabilities: F64Array, labels: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """Return the names of the classes in each set, the most probable first.

    Args:
        probabilities: Calibrated, (N, C).
        min_probabilities: Threshold of each class, (C,).
        labels: Class names, (C,).
    """
    members = set_members(probabilities, min_probabilities)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return tuple(
        tuple(labels[k] for k in ranked if inside[k])
        for ranked, inside in zip(order.tolist(), members, strict=True)
    )
