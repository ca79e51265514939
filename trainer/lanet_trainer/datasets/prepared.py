"""Read a prepared data set. Pictures and landmarks stay on disk until they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.alignment import N_LANDMARKS
from lanet_live.face.template import TEMPLATE_ID
from lanet_trainer.datasets.base import LABEL_RULES, Sample
from lanet_trainer.datasets.chips import ChipFile
from lanet_trainer.datasets.layout import (
    ALIGNMENT_FILE,
    CHIPS_FILE,
    LANDMARKS_FILE,
    OFFSETS_FILE,
    read_record,
    read_samples,
)
from lanet_trainer.datasets.vote_rules import apply_vote_rule
from lanet_trainer.errors import ConfigError, DataError
from lanet_trainer.landmarks import N_POINTS, reduce_to_19_points

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]

# How many faces are reduced to 19 points at a time.
_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True)
class _Store:
    """The files of one split."""

    chips: ChipFile
    landmarks_px: F32Array  # (N, 478, 2), mapped into memory

    @classmethod
    def open(cls, folder: Path, n_samples: int) -> "_Store":
        offsets = _load(folder / OFFSETS_FILE, np.int64, (n_samples + 1,))
        landmarks = _load(
            folder / LANDMARKS_FILE, np.float32, (n_samples, N_LANDMARKS, 2), is_mapped=True
        )
        return cls(ChipFile(folder / CHIPS_FILE, offsets), landmarks)


@dataclass(frozen=True, slots=True)
class PreparedSplit:
    """Samples of a prepared data set; a sample is known by its position here.

    Attributes:
        name: "train", "valid" or "test".
        class_names: The C classes.
        sample_ids: (N,), distinct.
        source_files: Names of the pictures inside the data set, (N,).
        label: (N,) int64; -1 where the label rule leaves a sample out.
        distribution: Target by the label rule, (N, C) float32: one-hot under a rule that names one
            class; a row of zeros where a sample is left out.
        votes: Votes for the classes, (N, C) float32; None if the data set has none.
        n_ignored_votes: Votes for answers that are no class, (N,) int64.
        has_face: Whether landmarks were found, (N,) bool.
        alignment: Chip -> crop of side 1 in continuous coordinates, (N, 2, 3) float64; the usual
            framing of the data set where no face was found.
    """

    name: str
    class_names: tuple[str, ...]
    sample_ids: tuple[str, ...]
    source_files: tuple[str, ...]
    label: I64Array
    distribution: F32Array
    votes: F32Array | None
    n_ignored_votes: I64Array
    has_face: NDArray[np.bool_]
    alignment: F64Array
    _stores: tuple[_Store, ...]
    _store: I64Array
    _row: I64Array

    def __len__(self) -> int:
        return len(self.sample_ids)

    @property
    def landmarks_px(self) -> F32Array:
        """All landmarks in chip pixels, (N, 478, 2), NaN without a face. Reads from disk."""
        landmarks = np.empty((len(self), N_LANDMARKS, 2), dtype=np.float32)
        for number, store in enumerate(self._stores):
            is_here = self._store == number
            landmarks[is_here] = store.landmarks_px[self._row[is_here]]
        return landmarks

    @property
    def points_px(self) -> F32Array:
        """The 19 points of LA-Net in chip pixels, (N, 19, 2), NaN without a face."""
        points = np.empty((len(self), N_POINTS, 2), dtype=np.float32)
        for start in range(0, len(self), _CHUNK):
            part = slice(start, start + _CHUNK)
            for number, store in enumerate(self._stores):
                chosen = start + np.flatnonzero(self._store[part] == number)
                points[chosen] = reduce_to_19_points(store.landmarks_px[self._row[chosen]])
        return points

    def image(self, position: int) -> U8Array:
        """Decode the chip of a sample: (H, W) if it is grey, else (H, W, 3) BGR, uint8."""
        return self._stores[self._store[position]].chips.read(int(self._row[position]))

    def select(self, positions: NDArray[np.integer[Any]]) -> "PreparedSplit":
        """Return a split of the samples at these positions, in this order."""
        return replace(
            self,
            sample_ids=tuple(self.sample_ids[i] for i in positions),
            source_files=tuple(self.source_files[i] for i in positions),
            label=self.label[positions],
            distribution=self.distribution[positions],
            votes=None if self.votes is None else self.votes[positions],
            n_ignored_votes=self.n_ignored_votes[positions],
            has_face=self.has_face[positions],
            alignment=self.alignment[positions],
            _store=self._store[positions],
            _row=self._row[positions],
        )

    def with_classes(self, class_names: tuple[str, ...]) -> "PreparedSplit":
        """Return the split with its classes in another order, and others beside them.

        Raises:
            DataError: A class of its own is not among them.
        """
        unknown = [name for name in self.class_names if name not in class_names]
        if unknown:
            raise DataError(
                f"The class {unknown[0]} is not among {', '.join(class_names)}; leave it out with "
                "--without."
            )
        position = np.array([class_names.index(name) for name in self.class_names])

        def move(values: F32Array) -> F32Array:
            moved = np.zeros((len(values), len(class_names)), dtype=values.dtype)
            moved[:, position] = values
            return moved

        return replace(
            self,
            class_names=class_names,
            label=np.where(self.label >= 0, position[self.label], -1),
            distribution=move(self.distribution),
            votes=None if self.votes is None else move(self.votes),
        )

    def joined_with(self, other: "PreparedSplit") -> "PreparedSplit":
        """Return a split of the samples of both; ids of both carry the split's name."""
        if self.class_names != other.class_names:
            raise ValueError("the splits have different classes")
        votes = None
        if self.votes is not None and other.votes is not None:
            votes = np.concatenate([self.votes, other.votes])
        return PreparedSplit(
            name=f"{self.name}+{other.name}",
            class_names=self.class_names,
            sample_ids=(
                *(f"{self.name}/{name}" for name in self.sample_ids),
                *(f"{other.name}/{name}" for name in other.sample_ids),
            ),
            source_files=self.source_files + other.source_files,
            label=np.concatenate([self.label, other.label]),
            distribution=np.concatenate([self.distribution, other.distribution]),
            votes=votes,
            n_ignored_votes=np.concatenate([self.n_ignored_votes, other.n_ignored_votes]),
            has_face=np.concatenate([self.has_face, other.has_face]),
            alignment=np.concatenate([self.alignment, other.alignment]),
            _stores=self._stores + other._stores,
            _store=np.concatenate([self._store, other._store + len(self._stores)]),
            _row=np.concatenate([self._row, other._row]),
        )


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """A prepared data set.

    Attributes:
        name: E.g. "ferplus".
        labels: Class names, (C,).
        left_out: Classes that were asked to be left out. Samples labelled so have no label, and
            votes for them count as answers that are no class.
        splits: Names of the splits it has.
        rule: The label rule; "distribution" is for the train split, the others go by majority then.
        train_rule: The label rule of the train split.
        folder: Where it is.
        record: Everything `dataset.json` says.
    """

    name: str
    labels: tuple[str, ...]
    left_out: tuple[str, ...]
    splits: tuple[str, ...]
    rule: str
    train_rule: str
    folder: Path
    record: dict[str, Any]

    def split(self, name: str) -> PreparedSplit:
        """Open a split.

        Raises:
            DataError: There is none of this name, or its files are damaged.
        """
        if name not in self.splits:
            raise DataError(
                f"The data set in '{self.folder}' has no split '{name}'; "
                f"it has {', '.join(self.splits)}."
            )
        folder = self.folder / name
        every_label = tuple(self.record["labels"])
        rows = read_samples(
            folder, labels=every_label, ignored_names=tuple(self.record["ignored_names"])
        )
        split = _build_split(self, name, rows, folder, every_label)
        return _leave_out(split, self.left_out) if self.left_out else split


def open_prepared(
    path: str | Path,
    *,
    rule: str | None = None,
    train_rule: str | None = None,
    without: Sequence[str] = (),
) -> PreparedDataset:
    """Open a folder written by `lanet-train prepare`.

    Args:
        path: The folder.
        rule: Label rule instead of the one the data set was prepared with.
        train_rule: Label rule for the train split alone.
        without: Classes to leave out, as EAC leaves out contempt of FER+. The label rule still
            sees the votes for them.

    Raises:
        DataError: There is no prepared data set, or it is damaged or was made for another template.
        ConfigError: The rule does not fit the data set, or it has no class to be left out.
    """
    folder = Path(path)
    record = read_record(folder)
    try:
        splits = tuple(record["counts"])
        labels = tuple(str(name) for name in record["labels"])
        name, own_rule, template = record["name"], record["rule"], record["template_id"]
        has_votes = bool(record["has_votes"])
    except (KeyError, TypeError) as error:
        raise DataError(f"'{folder}' is damaged ({error}); prepare the data set again.") from error
    if template != TEMPLATE_ID:
        raise DataError(
            f"'{folder}' was prepared for the face template {template}, this program uses "
            f"{TEMPLATE_ID}; prepare the data set again."
        )
    rule = own_rule if rule is None else rule
    train_rule = rule if train_rule is None else train_rule
    for wanted in (rule, train_rule):
        if wanted not in LABEL_RULES or (wanted != "given" and not has_votes):
            raise ConfigError(f"The label rule '{wanted}' does not fit the data set {name}.")
    for unknown in (wanted for wanted in without if wanted not in labels):
        raise ConfigError(
            f"The data set {name} has no class '{unknown}' to leave out; "
            f"it has {', '.join(labels)}."
        )
    kept = tuple(label for label in labels if label not in without)
    if len(kept) < 2:
        raise ConfigError("At least two classes must be left.")
    left_out = tuple(label for label in labels if label in without)
    return PreparedDataset(name, kept, left_out, splits, rule, train_rule, folder, record)


def _leave_out(split: PreparedSplit, names: Sequence[str]) -> PreparedSplit:
    """Return the split without some of its classes; their samples stay, without a label."""
    is_kept = np.array([name not in names for name in split.class_names])
    position = np.where(is_kept, np.cumsum(is_kept) - 1, -1)
    distribution = split.distribution[:, is_kept]
    total = distribution.sum(axis=1, keepdims=True)
    votes, ignored = split.votes, split.n_ignored_votes
    if votes is not None:
        ignored = ignored + votes[:, ~is_kept].sum(axis=1).astype(np.int64)
        votes = votes[:, is_kept]
    return replace(
        split,
        class_names=tuple(name for name in split.class_names if name not in names),
        label=np.where(split.label >= 0, position[split.label], -1),
        distribution=np.divide(
            distribution, total, out=np.zeros_like(distribution), where=total > 0
        ),
        votes=votes,
        n_ignored_votes=ignored,
    )


def _build_split(
    dataset: PreparedDataset,
    name: str,
    rows: list[tuple[Sample, bool]],
    folder: Path,
    class_names: tuple[str, ...],
) -> PreparedSplit:
    samples = [sample for sample, _ in rows]
    n_samples, n_classes = len(rows), len(class_names)
    has_votes = n_samples > 0 and all(sample.votes is not None for sample in samples)
    votes = np.zeros((n_samples, n_classes), dtype=np.int64)
    ignored = np.zeros((n_samples, len(dataset.record["ignored_names"])), dtype=np.int64)
    if has_votes:
        votes[:] = np.array([sample.votes for sample in samples])
        ignored[:] = np.array([sample.ignored_votes for sample in samples])
    rule = dataset.train_rule if name == "train" else dataset.rule
    if rule == "distribution" and name != "train":
        rule = "majority"
    if rule == "given":
        label = np.array([sample.label for sample in samples], dtype=np.int64)
        distribution = np.eye(n_classes + 1, n_classes, dtype=np.float32)[label]
    else:
        label, distribution = apply_vote_rule(rule, votes, ignored)
    return PreparedSplit(
        name=name,
        class_names=class_names,
        sample_ids=tuple(sample.sample_id for sample in samples),
        source_files=tuple(sample.file for sample in samples),
        label=label,
        distribution=distribution,
        votes=votes.astype(np.float32) if has_votes else None,
        n_ignored_votes=ignored.sum(axis=1),
        has_face=np.array([has_face for _, has_face in rows], dtype=bool),
        alignment=_load(folder / ALIGNMENT_FILE, np.float64, (n_samples, 2, 3)),
        _stores=(_Store.open(folder, n_samples),),
        _store=np.zeros(n_samples, dtype=np.int64),
        _row=np.arange(n_samples, dtype=np.int64),
    )


def _load(
    path: Path, dtype: type[np.generic], shape: tuple[int, ...], *, is_mapped: bool = False
) -> NDArray[Any]:
    """Load an array and check what it is."""
    try:
        array: NDArray[Any] = np.load(
            path, mmap_mode="r" if is_mapped else None, allow_pickle=False
        )
    except OSError as error:
        raise DataError(f"{path} is missing; prepare the data set again.") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged; prepare the data set again.") from error
    if array.dtype != dtype or array.shape != shape:
        raise DataError(f"{path} is damaged; prepare the data set again.")
    return array
