"""The options of a training run: one record, saved in the run's folder."""

import dataclasses
import difflib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lanet_trainer.errors import CheckpointError, ConfigError
from lanet_trainer.methods.registry import method_class, method_entry

Setting = int | float | bool | str

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("exp", "cosine", "linear", "one-cycle")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
TARGETS = ("hard", "votes", "distribution")
RULES = ("majority", "plurality", "given")
SELECTIONS = ("accuracy", "mean_class_accuracy", "macro_f1", "js", "nll")
CONFIG_FILE = "config.json"

# These may differ when a run is resumed: they change no number in it.
_FREE_ON_RESUME = frozenset({"data", "more_data", "teacher", "workers"})


@dataclass(frozen=True, slots=True)
class FitConfig:
    """Everything that decides the outcome of a run.

    Attributes:
        data: Prepared data set, as given; it decides the classes and what epochs are chosen on.
        more_data: Further prepared data sets to train on.
        shares: Share of an epoch per data set, `data` first; empty: by their sizes.
        assumed_noise: Per data set, the share of its single labels taken to be wrong; empty: none.
        teacher: Model whose answers share out the assumed noise; None shares it evenly.
        method: Name in `lanet_trainer.methods.registry`.
        backbone: Name for `lanet_trainer.backbones.build_backbone`.
        pretrained: Package or file of initial weights, or None.
        size_px: Side of the crops.
        color: "gray" or "rgb".
        mean: Normalisation, per channel, on the 0 to 1 scale.
        std: Likewise.
        epochs: Passes over the training set.
        batch_size: Over all processes.
        optimizer: One of `OPTIMIZERS`.
        learning_rate: At the peak of the schedule.
        weight_decay: Of the optimiser.
        schedule: One of `SCHEDULES`.
        clip_norm: Largest norm of the gradient; 0 switches clipping off.
        ema_decay: Of the averaged weights used for inference; 0 switches averaging off.
        precision: One of `PRECISIONS`.
        targets: "hard" labels, "votes" (the shares of all votes for a class), or "distribution"
            (the shares by the data set's own rule, which drops single votes).
        rule: How votes become hard training labels, one of `RULES`; None: the data set's own rule.
            The validation split keeps its own rule.
        noise: Label noise, e.g. "none" or "asymmetric:0.2".
        noise_seed: Of the noise alone; None draws it from `seed`.
        augment: Preset of `lanet_trainer.transforms`.
        sampler: "shuffle", "balanced" or "progressive", see
            `lanet_trainer.training.samplers.EpochSampler`.
        selection: Validation figure that names the best epoch, one of `SELECTIONS`.
        include_valid: Train on the validation split as well; nothing is selected then.
        holdout: Share of the training split, class by class, that is set aside and chosen on in
            place of the validation split; the same images for every seed. 0: off.
        report_split: Split measured after every epoch and never chosen on; empty for none.
        without: Classes to leave out of the data set.
        n_train: Train on so many samples only, drawn at random, the same ones for every seed; 0:
            on all.
        drop_path_rate: Stochastic depth of the backbone.
        workers: Processes that prepare batches.
        seed: Of the run.
        settings: Hyper-parameters of the method that differ from its defaults.
    """

    data: str
    method: str
    backbone: str
    size_px: int
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    sampler: str
    more_data: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    assumed_noise: tuple[float, ...] = ()
    teacher: str | None = None
    pretrained: str | None = None
    color: str = "gray"
    clip_norm: float = 0.0
    ema_decay: float = 0.0
    precision: str = "auto"
    targets: str = "hard"
    rule: str | None = None
    noise: str = "none"
    noise_seed: int | None = None
    augment: str = "standard"
    selection: str = "accuracy"
    include_valid: bool = False
    holdout: float = 0.0
    report_split: str = ""
    without: tuple[str, ...] = ()
    n_train: int = 0
    drop_path_rate: float = 0.0
    workers: int = 2
    seed: int = 0
    settings: dict[str, Setting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = [
            (self.epochs < 1, "--epochs must be at least 1"),
            (self.batch_size < 2, "--batch-size must be at least 2"),
            (not 16 <= self.size_px <= 1024, "--size must lie in 16 to 1024"),
            (not self.learning_rate > 0, "--lr must be positive"),
            (self.weight_decay < 0, "--weight-decay must not be negative"),
            (self.clip_norm < 0, "--clip-norm must not be negative"),
            (not 0 <= self.ema_decay < 1, "--ema must lie in 0 to 1, 1 excluded"),
            (not 0 <= self.drop_path_rate < 1, "--drop-path must lie in 0 to 1, 1 excluded"),
            (self.n_train < 0, "--n-train must not be negative"),
            (self.workers < 0, "--workers must not be negative"),
            *self._problems_of_sets(),
            (not 0 <= self.holdout < 1, "--holdout must lie in 0 to 1, 1 excluded"),
            (
                self.include_valid and bool(self.holdout),
                "--include-valid chooses no epoch; it does not go with --holdout",
            ),
            (
                self.report_split == "train"
                or (self.include_valid and self.report_split == "valid"),
                "--report-split must name a split that is not trained on",
            ),
            (
                self.noise != "none" and self.targets != "hard",
                f"--noise changes hard labels; it does not go with --targets {self.targets}",
            ),
            (
                self.rule is not None and self.targets != "hard",
                f"--rule makes hard labels; it does not go with --targets {self.targets}",
            ),
        ]
        for is_wrong, sentence in problems:
            if is_wrong:
                raise ConfigError(f"{sentence}.")

    def _problems_of_sets(self) -> list[tuple[bool, str]]:
        n_sets = 1 + len(self.more_data)
        return [
            (len(self.shares) not in (0, n_sets), "--share takes a number for each data set"),
            (
                bool(self.shares) and (min(self.shares) <= 0 or abs(sum(self.shares) - 1) > 1e-6),
                "--share takes numbers above 0 that sum to 1",
            ),
            (
                len(self.assumed_noise) not in (0, n_sets),
                "--assumed-noise takes a number for each data set",
            ),
            (
                any(not 0 <= share < 1 for share in self.assumed_noise),
                "--assumed-noise must lie in 0 to 1, 1 excluded",
            ),
            (
                self.teacher is not None and not any(self.assumed_noise),
                "--teacher shares out assumed noise; give --assumed-noise",
            ),
            (
                bool(self.more_data) and (self.noise != "none" or bool(self.holdout)),
                "--noise and --holdout go with one data set",
            ),
        ]

    def write(self, folder: Path) -> None:
        """Save the record in a run's folder."""
        text = json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True)
        (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "FitConfig":
        """Read the record of a run.

        Raises:
            ConfigError: The folder holds no run.
            CheckpointError: The record is damaged or of another version.
        """
        path = folder / CONFIG_FILE
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            values["mean"], values["std"] = tuple(values["mean"]), tuple(values["std"])
            for name in ("without", "more_data", "shares", "assumed_noise"):
                values[name] = tuple(values.get(name, ()))
            return cls(**values)
        except OSError as error:
            raise ConfigError(f"'{folder}' holds no training run: {path} is missing.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path} is damaged or was written by another version: {error}"
            ) from error

    def method_settings(self) -> Any:
        """Return the method's hyper-parameters, its defaults with `settings` on top.

        A method that draws random numbers of its own draws them from the run's seed.
        """
        kind = method_class(self.method).Settings
        has_seed = any(f.name == "seed" for f in dataclasses.fields(kind))
        own: dict[str, Setting] = {"seed": self.seed} if has_seed else {}
        return kind(**(own | self.settings))


def check_resumable(saved: FitConfig, given: FitConfig) -> None:
    """Refuse to resume a run with other options than it was started with.

    Raises:
        CheckpointError: An option that decides the outcome differs; the message names it.
    """
    for name in (f.name for f in dataclasses.fields(FitConfig)):
        old, new = getattr(saved, name), getattr(given, name)
        if old != new and name not in _FREE_ON_RESUME:
            raise CheckpointError(
                f"The run was started with {name} = {old!r} and cannot be resumed with {new!r}; "
                "use the old value, or another --out for a new run."
            )


def parse_settings(method: str, assignments: list[str]) -> dict[str, Setting]:
    """Read `--set name=value` options into typed hyper-parameters of a method.

    Raises:
        ConfigError: No "=", an unknown name (with a close match), or a value of the wrong type.
    """
    method_entry(method)
    known = {f.name: f for f in dataclasses.fields(method_class(method).Settings)}
    settings: dict[str, Setting] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator:
            raise ConfigError(f"--set takes name=value, got '{assignment}'.")
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else f" It has: {', '.join(known)}."
            raise ConfigError(f"The method {method} has no hyper-parameter '{name}'.{hint}")
        settings[name] = _parse_value(name, text, kind=type(known[name].default))
    return settings


def _parse_value(name: str, text: str, *, kind: type) -> Setting:
    """Read one value as the type of the hyper-parameter's default."""
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ConfigError(f"--set {name} takes true or false, got '{text}'.")
        return text.lower() == "true"
    try:
        value: Setting = kind(text)
    except ValueError as error:
        article = "a whole number" if kind is int else "a number"
        raise ConfigError(f"--set {name} takes {article}, got '{text}'.") from error
    return value
