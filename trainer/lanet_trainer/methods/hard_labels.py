"""The check of methods that correct single labels and have no use for vote distributions."""

import torch
from torch import Tensor
from torch.nn import functional

from lanet_trainer.errors import ConfigError


def require_hard_labels(method: str, labels: Tensor, targets: Tensor) -> None:
    """Refuse targets that are not the one-hot labels.

    Raises:
        ConfigError: Some row of `targets` is a distribution.
    """
    if not torch.equal(functional.one_hot(labels, targets.shape[1]).to(targets), targets):
        raise ConfigError(
            f"{method} corrects hard labels and cannot train on vote distributions; train it on "
            "labels, or take baseline, rul, eac or lanet."
        )
