"""Run a comparison: methods × noise rates × seeds, one training run a cell, resumable.

Every cell is an ordinary run in a folder of its own; a cell that is finished is not run again, one
that was interrupted goes on from its checkpoint. Each cell chooses its epoch on images set aside
from the training split; the split the table is about is measured and never chosen on.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from lanet_trainer.backbones import build_backbone
from lanet_trainer.comparison.cells import Cell
from lanet_trainer.datasets.prepared import PreparedDataset
from lanet_trainer.errors import CheckpointError, ConfigError
from lanet_trainer.training.config import CONFIG_FILE, FitConfig, check_resumable
from lanet_trainer.training.fit import FitOptions, check_method, fit
from lanet_trainer.training.history import HISTORY_FILE
from lanet_trainer.training.loop import Watcher
from lanet_trainer.training.run_folder import RESULT_FILE, RunFacts, read_json
from lanet_trainer.training.samplers import EpochSampler
from lanet_trainer.training.training_data import choose_training_data, open_for_training

READINGS: Final = ("last", "mean_of_last_5", "best")
_PREFIX: Final = "report_"


@dataclass(frozen=True, slots=True)
class CellResult:
    """What came out of one cell, on the split the table is about.

    Attributes:
        cell: Which one.
        figures: Reading ("last", "mean_of_last_5", "best": the epoch chosen on the held-out part of
            the training split) -> name of the figure -> value, shares from 0 to 1.
        curve: Accuracy after every epoch, 0 to 1.
        elapsed_s: Training time.
        facts: What the run was made from.
        details: The run's whole result.
    """

    cell: Cell
    figures: dict[str, dict[str, float]]
    curve: tuple[float, ...]
    elapsed_s: float
    facts: RunFacts
    details: dict[str, Any]


def choose_split(dataset: PreparedDataset, wanted: str | None) -> str:
    """Return the split a table is about: the wanted one, else "test", else "valid".

    Raises:
        ConfigError: The data set has no such split.
    """
    candidates = (wanted,) if wanted else ("test", "valid")
    for name in candidates:
        if name in dataset.splits and name != "train":
            return name
    raise ConfigError(
        f"The data set {dataset.name} has no split {' or '.join(candidates)} to compare on; it has "
        f"{', '.join(dataset.splits)}."
    )


def check_cells(cells: Sequence[Cell]) -> None:
    """Check all that can be checked before the first epoch of the first cell.

    Raises:
        ConfigError: An option of a cell cannot be used.
        DataError: The data set is not as expected.
        CheckpointError: The first weights do not fit a backbone.
    """
    seen: set[tuple[object, ...]] = set()

    def is_new(*key: object) -> bool:
        known = key in seen
        seen.add(key)
        return not known

    for config in (cell.config for cell in cells):
        if is_new("method", config.method, config.augment):
            check_method(config)
        if is_new("backbone", config.backbone, config.pretrained):
            build_backbone(config.backbone, pretrained=config.pretrained)
        if is_new("data", config.noise, config.n_train, config.targets, config.rule):
            data = choose_training_data(open_for_training(config), config)
            EpochSampler(config.sampler, data.labels, config.epochs, config.seed)
            if len(data.measured["report"]) == 0:
                raise ConfigError(f"The split '{config.report_split}' has no labelled image.")
        elif is_new("sampler", config.sampler):
            EpochSampler(config.sampler, data.labels, config.epochs, config.seed)


def run_cells(
    cells: Sequence[Cell], out: Path, *, device: torch.device, watcher: Watcher
) -> list[CellResult]:
    """Run what is not finished yet, in order, and read what is.

    Returns:
        The finished cells; fewer than were asked for when a stop was requested.

    Raises:
        CheckpointError: A cell was begun with other options.
    """
    results: list[CellResult] = []
    folders: dict[str, Path] = {}  # A grid meets its default values once a row: run them once.
    for cell in cells:
        folder = folders.setdefault(repr(cell.config), out / "cells" / cell.name)
        if not _is_finished(folder, cell.config):
            options = FitOptions(should_resume=True)
            fit(cell.config, folder, device=device, watcher=watcher, options=options)
        if not _is_finished(folder, cell.config):
            break
        results.append(_read_result(folder, cell))
    return results


def _is_finished(folder: Path, config: FitConfig) -> bool:
    """Return whether a cell is done with exactly these options."""
    if not (folder / RESULT_FILE).is_file() or not (folder / CONFIG_FILE).is_file():
        return False
    check_resumable(FitConfig.read(folder), config)
    return bool(read_json(folder / RESULT_FILE)["is_finished"])


def _read_result(folder: Path, cell: Cell) -> CellResult:
    result = read_json(folder / RESULT_FILE)
    return CellResult(
        cell=cell,
        figures={reading: _reported(result[reading] or {}) for reading in READINGS},
        curve=_read_curve(folder),
        elapsed_s=float(result["elapsed_s"]),
        facts=RunFacts.read(folder),
        details=result,
    )


def _reported(row: Mapping[str, Any]) -> dict[str, float]:
    """Keep the figures of the split the table is about, under their plain names."""
    return {
        name.removeprefix(_PREFIX): float(value)
        for name, value in row.items()
        if name.startswith(_PREFIX)
    }


def _read_curve(folder: Path) -> tuple[float, ...]:
    path = folder / HISTORY_FILE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(float(row[f"{_PREFIX}accuracy"]) for row in csv.DictReader(file))
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is missing or damaged: {error}") from error
