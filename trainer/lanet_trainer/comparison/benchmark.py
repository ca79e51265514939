"""Repeat a comparison: methods × noise rates × seeds, one training run a cell, resumable.

Every cell is an ordinary run in a folder of its own; a cell that is finished is not run again, one
that was interrupted goes on from its checkpoint.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.registry import method_class, method_entry
from lanet_trainer.pretrained import PACKAGES
from lanet_trainer.training.config import CONFIG_FILE, FitConfig, check_resumable, parse_settings
from lanet_trainer.training.fit import FitOptions, fit
from lanet_trainer.training.loop import Watcher
from lanet_trainer.training.run_folder import RESULT_FILE, RunFacts, read_json


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is spent on a cell.

    Attributes:
        name: "smoke", "cpu" or "paper".
        changes: Fields of `FitConfig` that differ from the method's published recipe.
        remark: What that means for the figures, in one sentence.
    """

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    remark: str = ""


_SAME_FOR_ALL: dict[str, Any] = {
    "batch_size": 128,
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "weight_decay": 0.05,
    "schedule": "one-cycle",
    "clip_norm": 5.0,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.25, 0.25, 0.25),
}
BUDGETS = {
    "smoke": Budget(
        "smoke",
        {
            **_SAME_FOR_ALL,
            "backbone": "test_resnet",
            "size_px": 32,
            "epochs": 1,
            "batch_size": 32,
            "augment": "standard",
        },
        "A smoke test, not a result: a toy network for one epoch.",
    ),
    "cpu": Budget(
        "cpu",
        {
            **_SAME_FOR_ALL,
            "backbone": "resnet18",
            "size_px": 64,
            "epochs": 16,
            "augment": "standard",
        },
        "One short schedule at a low resolution for all methods, and no face pretraining: compare "
        "the methods with each other, not with the papers.",
    ),
    "paper": Budget(
        "paper",
        {"backbone": "resnet18", "size_px": 224},
        "Each method's published recipe; the papers start from face pretraining, given here "
        "with --option '*:pretrained=FILE'.",
    ),
}
# How each method's own code augments, for the paper budget.
_PAPER_AUGMENT = {
    "baseline": "scn",
    "scn": "scn",
    "rul": "rul",
    "eac": "eac",
    "slm-aea": "slm",
    "lanet": "lanet-paper",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the comparison.

    Attributes:
        row: What the table calls its row, e.g. the noise.
        column: What is compared, e.g. the method.
        config: The run's record.
    """

    row: str
    column: str
    config: FitConfig

    @property
    def name(self) -> str:
        """Name of its folder."""
        text = f"{self.row}-{self.column}-seed{self.config.seed}"
        return "".join(c if c.isalnum() or c in "-._=" else "_" for c in text)


@dataclass(frozen=True, slots=True)
class Option:
    """A change to the runs of one method, or of all: `METHOD:NAME=VALUE`.

    Attributes:
        method: Or "*".
        name: Field of `FitConfig`, or hyper-parameter of the method.
        text: The value as typed.
    """

    method: str
    name: str
    text: str

    @classmethod
    def parse(cls, text: str) -> "Option":
        """Read an option.

        Raises:
            ConfigError: It is not of that form, or there is no such method.
        """
        target, colon, assignment = text.partition(":")
        name, equals, value = assignment.partition("=")
        if not (colon and equals and name):
            raise ConfigError(f"--option takes METHOD:NAME=VALUE, got '{text}'.")
        if target != "*":
            method_entry(target)
        return cls(target, name, value)


def make_config(
    data: str, method: str, *, budget: Budget, options: Sequence[Option], **fixed: Any
) -> FitConfig:
    """Put one run's record together: recipe, budget, options, in this order of growing weight."""
    values = dataclasses.asdict(method_entry(method).recipe) | budget.changes
    if budget.name == "paper":
        values["augment"] = _PAPER_AUGMENT[method]
    settings: list[str] = []
    for option in options:
        if option.method not in ("*", method):
            continue
        if option.name in _FIELD_TYPES:
            values[option.name] = _field_value(option)
        elif option.method == "*" and not _has_setting(method, option.name):
            continue
        else:
            settings.append(f"{option.name}={option.text}")
    package = PACKAGES.get(values.get("pretrained") or "")
    if package is not None:
        values |= {"mean": package.mean, "std": package.std}
    values["settings"] = parse_settings(method, settings)
    return FitConfig(data=data, method=method, **{**values, **fixed})


_TEXT_FIELDS = (
    "backbone",
    "pretrained",
    "color",
    "optimizer",
    "schedule",
    "sampler",
    "precision",
    "augment",
)
_WHOLE_FIELDS = ("size_px", "epochs", "batch_size", "workers", "n_train")
_NUMBER_FIELDS = ("learning_rate", "weight_decay", "clip_norm", "ema_decay", "drop_path_rate")
_FIELD_TYPES: dict[str, type] = {
    **dict.fromkeys(_TEXT_FIELDS, str),
    **dict.fromkeys(_WHOLE_FIELDS, int),
    **dict.fromkeys(_NUMBER_FIELDS, float),
}


def _field_value(option: Option) -> Any:
    try:
        return _FIELD_TYPES[option.name](option.text)
    except ValueError as error:
        raise ConfigError(f"--option {option.name} takes a number, got '{option.text}'.") from error


def _has_setting(method: str, name: str) -> bool:
    return any(f.name == name for f in dataclasses.fields(method_class(method).Settings))


def table_cells(
    data: str,
    *,
    noises: Iterable[str],
    seeds_of: Mapping[str, Sequence[int]],
    budget: Budget,
    options: Sequence[Option],
) -> list[Cell]:
    """Name the cells of a table of methods under noise, the cheapest comparison first.

    Args:
        data: Prepared data set.
        noises: One row each.
        seeds_of: One column each: a method, or a variant of one, `METHOD:NAME=VALUE`.
        budget: Of every cell.
        options: Changes to it.

    Raises:
        ConfigError: There is no such method, or a value does not fit.
    """
    cells = []
    for noise in noises:
        for column, seeds in seeds_of.items():
            method, own = split_variant(column)
            for seed in seeds:
                config = make_config(
                    data, method, budget=budget, options=[*options, *own], noise=noise, seed=seed
                )
                cells.append(Cell(noise, column, config))
    return cells


def split_variant(column: str) -> tuple[str, list[Option]]:
    """Return the method of a column, and what the column changes.

    Raises:
        ConfigError: There is no such method, or the change is not of the form NAME=VALUE.
    """
    method = column.partition(":")[0]
    method_entry(method)
    return method, [Option.parse(column)] if method != column else []


# The supplementary's search: one hyper-parameter is changed at a time.
GRID: dict[str, tuple[float, ...]] = {
    "temperature": (0.05, 0.07, 0.1, 0.15, 0.2),
    "bank_momentum": (0.8, 0.85, 0.9, 0.95, 0.99),
    "confidence": (0.5, 0.6, 0.7, 0.8, 0.9),
    "kl_weight": (0.25, 0.5, 1.0, 2.0, 4.0),
    "contrastive_weight": (0.02, 0.05, 0.1, 0.2, 0.5),
}


def grid_cells(
    data: str, *, noise: str, seed: int, budget: Budget, options: Sequence[Option]
) -> list[Cell]:
    """Name the cells of LA-Net's grid search."""
    return [
        Cell(
            name,
            f"{value:g}",
            make_config(
                data,
                "lanet",
                budget=budget,
                options=[*options, Option("lanet", name, f"{value}")],
                noise=noise,
                seed=seed,
            ),
        )
        for name, values in GRID.items()
        for value in values
    ]


@dataclass(frozen=True, slots=True)
class CellResult:
    """What came out of one cell.

    Attributes:
        cell: Which one.
        accuracy: "last", "mean_of_last_5" and "best" on the validation split, 0 to 1.
        elapsed_s: Training time.
        dataset: Name of the data set.
        labels: Its classes.
        initialisation: Where the first weights came from.
        details: The run's whole result.
    """

    cell: Cell
    accuracy: dict[str, float]
    elapsed_s: float
    dataset: str
    labels: tuple[str, ...]
    initialisation: str
    details: dict[str, Any]


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
    """Tell whether a cell is done with exactly these options."""
    if not (folder / RESULT_FILE).is_file() or not (folder / CONFIG_FILE).is_file():
        return False
    check_resumable(FitConfig.read(folder), config)
    return bool(read_json(folder / RESULT_FILE)["is_finished"])


def _read_result(folder: Path, cell: Cell) -> CellResult:
    result = read_json(folder / RESULT_FILE)
    if result["best"] is None:
        raise ConfigError("The data set has no validation split to compare on.")
    accuracy = {
        name: float(result[name]["valid_accuracy"]) for name in ("last", "mean_of_last_5", "best")
    }
    facts = RunFacts.read(folder)
    return CellResult(
        cell=cell,
        accuracy=accuracy,
        elapsed_s=float(result["elapsed_s"]),
        dataset=facts.dataset,
        labels=facts.labels,
        initialisation=facts.initialisation,
        details=result,
    )
