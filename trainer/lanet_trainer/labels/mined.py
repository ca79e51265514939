"""Label distributions a run mined for its training samples, beside what people said of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_trainer.datasets.prepared import PreparedSplit
from lanet_trainer.errors import CheckpointError, ConfigError
from lanet_trainer.training.checkpoint import CHECKPOINT_FILE, read_checkpoint
from lanet_trainer.training.config import FitConfig
from lanet_trainer.training.run_folder import RunFacts
from lanet_trainer.training.training_data import (
    choose_training_data,
    open_for_training,
    vote_shares,
)

F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]

# Method -> its per-sample buffer, and whether that holds logits.
_BUFFERS: Final = {"lanet": ("bank", False), "slm-aea": ("label_logits", True)}
_SUM_TOLERANCE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class MinedRun:
    """A run with mined label distributions.

    Attributes:
        facts: What it was made from.
        epochs_done: How long it has mined.
    """

    facts: RunFacts
    epochs_done: int


@dataclass(frozen=True, slots=True)
class MinedLabels:
    """One distribution a training sample.

    Attributes:
        split: The training samples, in the order of the arrays.
        labels: Trained on, synthetic noise included, (N,).
        clean_labels: Before synthetic noise, (N,); equal to `labels` without it.
        distributions: Mined, (N, C); each row sums to 1.
        votes: Shares of the annotators' votes, (N, C); None without votes.
        runs: What mined them; with several, the distributions are their mean.
        is_from_finished_network: Whether the finished network was asked once more, see
            `lanet_trainer.labels.final_estimate`.
    """

    split: PreparedSplit
    labels: I64Array
    clean_labels: I64Array
    distributions: F64Array
    votes: F64Array | None
    runs: tuple[MinedRun, ...]
    is_from_finished_network: bool = False

    @property
    def is_flipped(self) -> NDArray[np.bool_]:
        """Which labels the synthetic noise changed, (N,)."""
        return np.not_equal(self.labels, self.clean_labels)


def read_mined_labels(run: Path, *, data: str | None = None) -> MinedLabels:
    """Read a run's distributions and put them beside its data.

    Args:
        run: Folder of a run of a method that mines label distributions.
        data: Prepared data set, where it is not at the place the run was given.

    Raises:
        ConfigError: There is no run, or its method mines nothing.
        CheckpointError: The checkpoint is damaged or was trained on other labels.
        DataError: The data set is not there or is damaged.
    """
    config, facts = FitConfig.read(run), RunFacts.read(run)
    if config.method not in _BUFFERS:
        raise ConfigError(
            f"'{run}' was trained with {config.method}, which mines no label distributions; "
            f"train with {' or '.join(_BUFFERS)}."
        )
    if data is not None:
        config = replace(config, data=data)
    chosen = choose_training_data(open_for_training(config), config)
    if chosen.noise["hash"] != facts.noise.get("hash"):
        raise CheckpointError(
            f"The data set in '{config.data}' is not the one '{run}' was trained on: its labels "
            "differ. Name the right one with --data."
        )
    checkpoint = read_checkpoint(run / CHECKPOINT_FILE)
    buffer, is_logits = _BUFFERS[config.method]
    tensor = checkpoint.tensors.get(f"method/{buffer}")
    if tensor is None or tuple(tensor.shape) != (len(chosen.labels), len(facts.labels)):
        raise CheckpointError(f"The checkpoint in '{run}' holds no label distributions that fit.")
    values = tensor.double().numpy()
    return MinedLabels(
        split=chosen.split,
        labels=chosen.labels,
        clean_labels=chosen.clean_labels,
        distributions=_as_distributions(values, run, is_logits=is_logits),
        votes=None if chosen.split.votes is None else vote_shares(chosen.split),
        runs=(MinedRun(facts, _epochs_done(checkpoint.state)),),
    )


def mean_of_runs(mined: Sequence[MinedLabels]) -> MinedLabels:
    """Average what several runs mined for the same labels, e.g. runs of several seeds.

    Args:
        mined: One or more, each as read from its run.

    Raises:
        ConfigError: They were trained on different labels.
    """
    first = mined[0]
    if any(
        other.split.sample_ids != first.split.sample_ids
        or other.split.class_names != first.split.class_names
        or not np.array_equal(other.labels, first.labels)
        for other in mined[1:]
    ):
        raise ConfigError(
            "The runs were trained on different labels (data, rule, noise or its seed), so their "
            "distributions have no mean."
        )
    return replace(
        first,
        distributions=np.mean([one.distributions for one in mined], axis=0),
        runs=tuple(run for one in mined for run in one.runs),
    )


def _as_distributions(values: F64Array, run: Path, *, is_logits: bool) -> F64Array:
    if is_logits:
        values = np.exp(values - values.max(axis=1, keepdims=True))
    elif not np.allclose(values.sum(axis=1), 1, atol=_SUM_TOLERANCE) or (values < 0).any():
        raise CheckpointError(f"The label distributions in '{run}' do not sum to 1.")
    shares: F64Array = values / values.sum(axis=1, keepdims=True)
    return shares


def _epochs_done(state: dict[str, Any]) -> int:
    position = state.get("position", {})
    return int(position.get("epoch", 0))
