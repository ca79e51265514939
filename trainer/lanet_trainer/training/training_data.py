"""What a run trains on: the chosen samples, their labels with the noise, their soft targets."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanet_trainer.datasets.prepared import PreparedDataset, PreparedSplit, open_prepared
from lanet_trainer.errors import ConfigError, DataError
from lanet_trainer.noise import apply_noise, hash_labels, parse_noise
from lanet_trainer.seeding import derive_seed
from lanet_trainer.training.config import FitConfig
from lanet_trainer.training.samplers import DomainShares
from lanet_trainer.training.teacher import teacher_answers

I64Array = NDArray[np.int64]
F32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Samples with what they are trained towards.

    Attributes:
        split: The samples in use.
        valid: The samples epochs are chosen on; None if there are none.
        measured: Prefix of the figures -> samples that are measured and never chosen on.
        clean_labels: (N,) int64, before the noise.
        labels: (N,) int64, with the noise.
        targets: (N, C) float32, each row sums to 1.
        noise: Kind, rate, realised flips and hash of the labels, for the record of the run.
        domains: Which sample is of which data set, and how much of an epoch each gets; None with
            one data set.
    """

    split: PreparedSplit
    valid: PreparedSplit | None
    measured: dict[str, PreparedSplit]
    clean_labels: I64Array
    labels: I64Array
    targets: F32Array
    noise: dict[str, Any]
    domains: DomainShares | None = None


def open_for_training(config: FitConfig) -> PreparedDataset:
    """Open the data set, with the label rule the run asks for; it holds for the train split alone.

    Raises:
        ConfigError: The data set has no votes to train on, or the rule does not fit it.
        DataError: There is no prepared data set.
    """
    dataset = open_prepared(config.data, train_rule=config.rule, without=config.without)
    if config.targets == "hard":
        return dataset
    if not dataset.record["has_votes"]:
        raise ConfigError(
            f"The data set {dataset.name} has no votes: --targets {config.targets} cannot be used."
        )
    return open_prepared(config.data, rule="distribution", without=config.without)


def choose_training_data(dataset: PreparedDataset, config: FitConfig) -> TrainingData:
    """Select the training samples and apply the noise, once.

    Raises:
        ConfigError: The noise is not known.
        DataError: A class has no sample, or nothing is left to train on.
    """
    split, valid = _choose_splits(dataset, config)
    label, distribution = split.label, split.distribution
    if config.targets == "votes":
        label, distribution = _plain_shares(split)
    usable = np.flatnonzero(label >= 0)
    if config.holdout:
        usable, held_out = set_aside(usable, split.label, config.holdout)
        valid = split.select(held_out)
    chosen = _draw_part(usable, config.n_train)
    measured = {"report": _labelled(dataset, config.report_split)} if config.report_split else {}
    split, clean = split.select(chosen), label[chosen]
    _check_classes(dataset.labels, clean)
    labels, noise = apply_noise(
        clean,
        parse_noise(config.noise),
        class_names=dataset.labels,
        seed=derive_seed(config.seed if config.noise_seed is None else config.noise_seed, "noise"),
        sample_ids=split.sample_ids,
    )
    if config.targets == "hard":
        targets = np.eye(len(dataset.labels), dtype=np.float32)[labels]
    else:
        targets = distribution[chosen].astype(np.float32)
    targets = soften(targets, split, config, number=0)
    data = TrainingData(split, valid, measured, clean, labels, targets, noise)
    for number, path in enumerate(config.more_data, start=1):
        data = _join(data, path, config, number)
    return data


def soften(targets: F32Array, split: PreparedSplit, config: FitConfig, *, number: int) -> F32Array:
    """Take a share of every target away from the given label: so often it is assumed to be wrong.

    The share goes to what a teacher says of the picture (soft bootstrapping, Reed et al. 2015,
    arXiv 1412.6596, with a fixed teacher), or without one evenly to all classes.

    Args:
        targets: (N, C), each row sums to 1.
        split: The samples.
        config: Of the run.
        number: Of the data set.
    """
    share = config.assumed_noise[number] if config.assumed_noise else 0.0
    if not share:
        return targets
    n_classes = targets.shape[1]
    answers = np.full_like(targets, 1 / n_classes)
    if config.teacher is not None:
        answers = teacher_answers(Path(config.teacher), split)
    return ((1 - share) * targets + share * answers).astype(np.float32)


def _join(data: TrainingData, path: str, config: FitConfig, number: int) -> TrainingData:
    """Put the training samples of another data set behind those there are."""
    names = data.split.class_names
    own = dataclasses.replace(
        config, data=path, more_data=(), shares=(), assumed_noise=(), teacher=None
    )
    if not open_prepared(path).record["has_votes"]:
        own = dataclasses.replace(own, targets="hard", rule=None)
    dataset = open_for_training(own)
    split, valid = _choose_splits(dataset, own)
    if own.targets == "votes":
        label, distribution = _plain_shares(split)
        split = dataclasses.replace(split, label=label, distribution=distribution)
    chosen = _draw_part(np.flatnonzero(split.label >= 0), config.n_train)
    split = split.select(chosen).with_classes(names)
    targets = soften(_as_shares(split.distribution), split, config, number=number)
    before = (
        np.zeros(len(data.labels), dtype=np.int64) if data.domains is None else data.domains.domain
    )
    domain = np.concatenate([before, np.full(len(split), number)])
    labels = np.concatenate([data.labels, split.label])
    measured = dict(data.measured)
    if valid is not None:
        measured[dataset.name] = valid.with_classes(names)
    first = dataclasses.replace(data.split, name=f"set{number - 1}") if number == 1 else data.split
    return dataclasses.replace(
        data,
        split=first.joined_with(dataclasses.replace(split, name=f"set{number}")),
        measured=measured,
        clean_labels=np.concatenate([data.clean_labels, split.label]),
        labels=labels,
        targets=np.concatenate([data.targets, targets]),
        noise={**data.noise, "hash": hash_labels(labels)},
        domains=DomainShares(domain, config.shares or _natural_shares(domain)),
    )


def _as_shares(distribution: F32Array) -> F32Array:
    return distribution / distribution.sum(axis=1, keepdims=True)


def _natural_shares(domain: I64Array) -> tuple[float, ...]:
    counts = np.bincount(domain)
    return tuple((counts / counts.sum()).tolist())


def set_aside(positions: I64Array, label: I64Array, share: float) -> tuple[I64Array, I64Array]:
    """Split positions in two, class by class, the same way in every run.

    Args:
        positions: Of the samples that may be trained on, ascending.
        label: Label of every sample of the split, (N,); below 0 where there is none.
        share: Of the labelled ones to set aside; at least one a class that has two.

    Returns:
        The positions to train on, and those set aside, both ascending.
    """
    generator = np.random.default_rng(derive_seed(0, "holdout of the training set"))
    held_out: list[I64Array] = []
    for index in np.unique(label[positions][label[positions] >= 0]):
        members = positions[label[positions] == index]
        if len(members) > 1:
            n_aside = max(1, round(share * len(members)))
            held_out.append(generator.choice(members, size=n_aside, replace=False))
    aside = np.sort(np.concatenate(held_out)) if held_out else positions[:0]
    return np.setdiff1d(positions, aside), aside


def _labelled(dataset: PreparedDataset, name: str) -> PreparedSplit:
    """Return the labelled samples of a split that is only measured."""
    if name not in dataset.splits:
        raise ConfigError(
            f"The data set {dataset.name} has no split '{name}'; "
            f"it has {', '.join(dataset.splits)}."
        )
    split = dataset.split(name)
    return split.select(np.flatnonzero(split.label >= 0))


def _draw_part(positions: I64Array, n_wanted: int) -> I64Array:
    """Return so many of the positions, in order, the same ones in every run; 0 keeps all."""
    if not n_wanted:
        return positions
    if n_wanted > len(positions):
        raise ConfigError(
            f"--n-train {n_wanted} asks for more than the {len(positions)} training samples."
        )
    generator = np.random.default_rng(derive_seed(0, "part of the training set"))
    return np.sort(generator.choice(positions, size=n_wanted, replace=False))


def _choose_splits(
    dataset: PreparedDataset, config: FitConfig
) -> tuple[PreparedSplit, PreparedSplit | None]:
    """Return what is trained on, left-out samples included, and what epochs are chosen on."""
    train = dataset.split("train")
    if config.include_valid:
        return train.joined_with(dataset.split("valid")), None
    if config.holdout or "valid" not in dataset.splits:
        return train, None
    return train, _labelled(dataset, "valid")


def vote_shares(split: PreparedSplit) -> NDArray[np.float64]:
    """Return what people said of samples that have a label, (N, C), each row sums to 1.

    Shares of the votes for the classes; one-hot labels where there are no votes.
    """
    onehot = np.eye(len(split.class_names))[split.label]
    if split.votes is None:
        return onehot
    total = split.votes.sum(axis=1, keepdims=True).astype(np.float64)
    return np.where(total > 0, split.votes / np.maximum(total, 1), onehot)


def _plain_shares(split: PreparedSplit) -> tuple[I64Array, F32Array]:
    """Share the votes as they are; images that most annotators gave no class are left out."""
    votes = split.votes
    if votes is None:
        raise ConfigError("The training split has no votes: take --targets hard.")
    total = votes.sum(axis=1)
    is_kept = total > split.n_ignored_votes
    shares = votes / np.maximum(total, 1)[:, None]
    return np.where(is_kept, votes.argmax(axis=1), -1).astype(np.int64), shares.astype(np.float32)


def _check_classes(class_names: tuple[str, ...], labels: I64Array) -> None:
    counts = np.bincount(labels, minlength=len(class_names))
    missing = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if missing:
        raise DataError(
            f"No training sample is labelled {' or '.join(missing)}: a network trained on this "
            "could never name it. Add samples, or prepare the data set without that class."
        )
