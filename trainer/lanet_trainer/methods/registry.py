"""The methods that can be trained: a literal table, read without importing any of them.

Other packages add methods by entry points in the group `lanet_train.methods`, each of which names a
`MethodEntry`; see docs/plugins.md.

The default schedules are those of the official code of each method (see docs/methods.md); where
the code gives none, those of the method it is usually compared with.
"""

import dataclasses
import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lanet_engines.plugins import Plugin, find_plugin, find_plugins
from lanet_trainer.errors import ConfigError, TrainerError

if TYPE_CHECKING:
    from lanet_trainer.methods.base import Method


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is optimised. Every field can be overridden on the command line.

    Attributes:
        epochs: Passes over the training set.
        batch_size: Over all processes.
        optimizer: "adam", "adamw" or "sgd".
        learning_rate: At the peak of the schedule.
        weight_decay: Of the optimiser.
        schedule: "exp" (times 0.9 an epoch), "cosine", "linear" (to 0) or "one-cycle".
        sampler: "shuffle", "balanced" or "progressive".
        mean: Normalisation, per channel, on the 0 to 1 scale.
        std: Likewise.
        augment: How the method's own code augments, a preset of `lanet_trainer.transforms`.
        size_px: Side of its crops.
        color: Of its crops, "rgb" or "gray".
        learning_rates: Backbone -> learning rate, where the method gives one for it.
    """

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    sampler: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    augment: str = "standard"
    size_px: int = 224
    color: str = "rgb"
    learning_rates: Mapping[str, float] = field(default_factory=dict)

    def optimisation(self) -> dict[str, Any]:
        """Return the fields of `FitConfig` that say how the network is optimised."""
        return {name: getattr(self, name) for name in _OPTIMISATION}

    def published(self, backbone: str) -> dict[str, Any]:
        """Return the whole published protocol as fields of `FitConfig`, for this backbone."""
        return self.optimisation() | {
            "augment": self.augment,
            "size_px": self.size_px,
            "color": self.color,
            "learning_rate": self.learning_rates.get(backbone, self.learning_rate),
        }


_OPTIMISATION = (
    "epochs", "batch_size", "optimizer", "learning_rate", "weight_decay", "schedule", "sampler",
    "mean", "std",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MethodEntry:
    """Where a method lives and how it is trained by default."""

    module: str
    class_name: str
    summary: str
    recipe: Recipe


_IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_HALF: dict[str, Any] = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
_FACES: dict[str, Any] = {"mean": (0.5412, 0.4324, 0.3795), "std": (0.2485, 0.2182, 0.2066)}

METHODS: dict[str, MethodEntry] = {
    "baseline": MethodEntry(
        "lanet_trainer.methods.baseline",
        "Baseline",
        "cross-entropy with hard labels or vote distributions",
        Recipe(60, 64, "adam", 1e-3, 1e-4, "exp", "shuffle", **_IMAGENET, augment="scn"),
    ),
    "scn": MethodEntry(
        "lanet_trainer.methods.scn",
        "SCN",
        "Self-Cure Network (CVPR 2020)",
        Recipe(70, 64, "adam", 1e-3, 1e-4, "exp", "shuffle", **_IMAGENET, augment="scn"),
    ),
    "rul": MethodEntry(
        "lanet_trainer.methods.rul",
        "RUL",
        "Relative Uncertainty Learning (NeurIPS 2021)",
        Recipe(60, 64, "adam", 2e-4, 1e-4, "exp", "shuffle", **_IMAGENET, augment="rul"),
    ),
    "eac": MethodEntry(
        "lanet_trainer.methods.eac",
        "EAC",
        "Erasing Attention Consistency (ECCV 2022)",
        Recipe(
            60,
            32,
            "adam",
            1e-4,
            1e-4,
            "exp",
            "shuffle",
            **_IMAGENET,
            augment="eac",
            learning_rates={"resnet18": 2e-4},
        ),
    ),
    "slm-aea": MethodEntry(
        "lanet_trainer.methods.slm_aea",
        "SLMAEA",
        "Soft Label Mining and Average Expression Anchoring (ACCV 2022)",
        Recipe(40, 72, "adam", 1e-3, 0.0, "cosine", "shuffle", **_HALF, augment="slm"),
    ),
    "lanet": MethodEntry(
        "lanet_trainer.methods.lanet",
        "LANet",
        "LA-Net, landmark-aware learning (ICCV 2023)",
        Recipe(
            80, 128, "adam", 1e-3, 0.0, "linear", "progressive", **_FACES, augment="lanet-paper"
        ),
    ),
}


METHOD_GROUP: Final = "lanet_train.methods"


def method_names() -> tuple[str, ...]:
    """Return the names of all methods, the project's own first. Imports none of them."""
    added = (plugin.name for plugin in find_plugins(METHOD_GROUP) if plugin.name not in METHODS)
    return (*METHODS, *dict.fromkeys(added))


def method_entry(name: str) -> MethodEntry:
    """Look up a method.

    Raises:
        ConfigError: There is no such method; the message offers a close one.
        PluginError: The package that adds the method is broken.
    """
    if name in METHODS:
        return METHODS[name]
    plugin = find_plugin(METHOD_GROUP, name)
    if plugin is None:
        names = method_names()
        close = difflib.get_close_matches(name.lower(), names, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"There is no method called '{name}'.{hint} Methods: {', '.join(names)}.")
    entry = plugin.load()
    if not isinstance(entry, MethodEntry):
        raise plugin.refuse(f"is no MethodEntry but a {type(entry).__name__}")
    return entry


def method_class(name: str) -> "type[Method]":
    """Import a method's class.

    Raises:
        ConfigError: There is no such method.
        PluginError: The package that adds the method is broken.
    """
    entry = method_entry(name)
    plugin = None if name in METHODS else find_plugin(METHOD_GROUP, name)
    if plugin is not None:
        return _added_class(plugin, entry)
    loaded: type[Method] = getattr(importlib.import_module(entry.module), entry.class_name)
    return loaded


def _added_class(plugin: Plugin, entry: MethodEntry) -> "type[Method]":
    from lanet_trainer.methods.base import Method as AnyMethod

    with plugin.blamed("cannot be loaded", TrainerError):
        loaded = getattr(importlib.import_module(entry.module), entry.class_name)
    if not (isinstance(loaded, type) and issubclass(loaded, AnyMethod)):
        raise plugin.refuse(f"names {entry.class_name}, which is no Method")
    if not dataclasses.is_dataclass(getattr(loaded, "Settings", None)):
        raise plugin.refuse(f"names {entry.class_name}, which has no dataclass Settings")
    return loaded
