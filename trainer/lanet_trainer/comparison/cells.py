"""The cells of a comparison: which runs it is made of, and the record of each."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lanet_trainer.class_names import canonical_name
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.registry import method_class, method_entry
from lanet_trainer.pretrained import normalisation_of
from lanet_trainer.training.config import FitConfig, parse_settings


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
        {"backbone": "resnet18"},
        "Each method's published protocol, in colour at 224 px; the papers start from face "
        "pretraining, given here with --option '*:pretrained=FILE'.",
    ),
}
# The one name in an option that is no setting: the method whose published protocol is taken.
_RECIPE = "recipe"


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
    """Put one run's record together: recipe, budget, options, in this order of growing weight.

    Under the paper budget EAC's second view is the exact mirror where labels are clean, as in its
    code, and a Baseline can take the protocol of another method: `baseline:recipe=eac`.

    Raises:
        ConfigError: There is no such method, name or value.
    """
    own = [option for option in options if option.method in ("*", method)]
    recipe_of = next((o.text for o in reversed(own) if o.name == _RECIPE), method)
    values = _start(method, recipe_of, budget, own)
    settings = _published_settings(method, budget, fixed.get("noise", "none"))
    for option in own:
        if option.name in _FIELD_TYPES:
            values[option.name] = _field_value(option)
        elif option.name != _RECIPE and (option.method != "*" or _has_setting(method, option.name)):
            settings[option.name] = option.text
    values |= normalisation_of(values.get("pretrained"))
    assignments = [f"{name}={text}" for name, text in settings.items()]
    values["settings"] = parse_settings(method, assignments)
    return FitConfig(data=data, method=method, **{**values, **fixed})


def _start(
    method: str, recipe_of: str, budget: Budget, options: Sequence[Option]
) -> dict[str, Any]:
    """Return what the recipe and the budget say, before the options."""
    if recipe_of != method and (method != "baseline" or budget.name != "paper"):
        raise ConfigError("recipe=METHOD is for baseline, under the paper budget.")
    recipe = method_entry(recipe_of).recipe
    if budget.name != "paper":
        return recipe.optimisation() | budget.changes
    backbones = [option.text for option in options if option.name == "backbone"]
    backbone = backbones[-1] if backbones else budget.changes["backbone"]
    return recipe.published(backbone) | budget.changes


def _published_settings(method: str, budget: Budget, noise: str) -> dict[str, str]:
    is_clean_eac = method == "eac" and budget.name == "paper" and noise == "none"
    return {"view": "mirror_exact"} if is_clean_eac else {}


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
    "without": tuple,
}


def _field_value(option: Option) -> Any:
    if option.name == "without":
        return tuple(canonical_name(name) for name in option.text.split(","))
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
    fixed: Mapping[str, Any] | None = None,
) -> list[Cell]:
    """Name the cells of a table of methods under noise, the cheapest comparison first.

    Under the paper budget Baseline is trained by the protocol of LA-Net if that is in the table,
    else by that of the first other method; `baseline:recipe=METHOD` names another one.

    Args:
        data: Prepared data set.
        noises: One row each.
        seeds_of: One column each: a method, or a variant of one, `METHOD:NAME=VALUE`.
        budget: Of every cell.
        options: Changes to it.
        fixed: Fields of every record that no option changes.

    Raises:
        ConfigError: There is no such method, or a value does not fit.
    """
    options = [*_baseline_recipe(seeds_of, budget), *options]
    cells = []
    for noise in noises:
        for column, seeds in seeds_of.items():
            method, own = split_variant(column)
            for seed in seeds:
                config = make_config(
                    data, method, budget=budget, options=[*options, *own], noise=noise, seed=seed,
                    **(fixed or {}),
                )  # fmt: skip
                cells.append(Cell(noise, column, config))
    return cells


def _baseline_recipe(columns: Iterable[str], budget: Budget) -> list[Option]:
    """Name the protocol that Baseline follows, so that it is compared under equal conditions."""
    others = [method for method, _ in map(split_variant, columns) if method != "baseline"]
    if budget.name != "paper" or not others:
        return []
    return [Option("baseline", _RECIPE, "lanet" if "lanet" in others else others[0])]


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
    data: str,
    *,
    noise: str,
    seed: int,
    budget: Budget,
    options: Sequence[Option],
    fixed: Mapping[str, Any] | None = None,
) -> list[Cell]:
    """Name the cells of LA-Net's grid search; arguments as for `table_cells`."""
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
                **(fixed or {}),
            ),
        )
        for name, values in GRID.items()
        for value in values
    ]
