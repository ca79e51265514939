"""What a training run leaves in its folder, and how its network is built again from it."""

import dataclasses
import json
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lanet_engines.spec import ModelSpec
from lanet_live.face.template import TEMPLATE_ID
from lanet_trainer.backbones import build_backbone
from lanet_trainer.errors import CheckpointError, ConfigError
from lanet_trainer.methods.base import Method
from lanet_trainer.methods.registry import method_class
from lanet_trainer.onnx_weights import restore_batch_norm
from lanet_trainer.training.checkpoint import load_exactly, read_checkpoint
from lanet_trainer.training.config import FitConfig
from lanet_trainer.training.loop import BEST_FILE, LAST_FILE

FACTS_FILE = "run.json"
RESULT_FILE = "result.json"
WEIGHTS = ("best", "last")
_LIBRARIES = ("torch", "torchvision", "timm", "numpy", "opencv-contrib-python", "lanet-live")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run was made from, without any path.

    Attributes:
        dataset: Name of the data set.
        labels: Class names in the order of the logits.
        n_train: Training samples in use.
        n_valid: Validation samples with a label.
        initialisation: Where the backbone's first weights came from.
        noise: Kind, rate, realised flips and hash of the labels trained on.
        is_trained_on_valid: The validation split was trained on as well.
        n_processes: Processes that trained together.
        command: As typed, without folders.
        libraries: Package -> version.
        commit: Of the code, where it runs from a git checkout; else empty.
    """

    dataset: str
    labels: tuple[str, ...]
    n_train: int
    n_valid: int
    initialisation: str
    noise: dict[str, Any]
    is_trained_on_valid: bool
    n_processes: int
    command: str
    libraries: dict[str, str] = field(default_factory=dict)
    commit: str = ""

    def write(self, folder: Path) -> None:
        """Save the record."""
        write_json(folder / FACTS_FILE, dataclasses.asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "RunFacts":
        """Read the record of a run.

        Raises:
            ConfigError: The folder holds no run.
            CheckpointError: The record is damaged.
        """
        values = read_json(folder / FACTS_FILE)
        try:
            values["labels"] = tuple(values["labels"])
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{folder / FACTS_FILE} is damaged: {error}") from error


def build_method(
    config: FitConfig,
    *,
    labels: torch.Tensor,
    targets: torch.Tensor,
    images: torch.Tensor | None = None,
) -> Method:
    """Build the network and the rule a run trains, with its first weights.

    Args:
        config: Of the run.
        labels: As for `Method`.
        targets: As for `Method`.
        images: Normalised training crops, (N, 3, S, S), for first weights without batch norm.
    """
    backbone = build_backbone(
        config.backbone, pretrained=config.pretrained, drop_path_rate=config.drop_path_rate
    )
    if images is not None:
        restore_batch_norm(backbone, images)
    build: Callable[..., Method] = method_class(config.method)
    return build(
        backbone,
        labels=labels,
        targets=targets,
        size_px=config.size_px,
        settings=config.method_settings(),
    )


def choose_weights(folder: Path) -> str:
    """Return "best" where an epoch was chosen on the validation split, else "last"."""
    return "best" if (folder / BEST_FILE).is_file() else "last"


def load_network(folder: Path, *, weights: str = "best") -> tuple[nn.Module, ModelSpec]:
    """Build the inference network of a run and fill it.

    Args:
        folder: The run's folder.
        weights: "best", the epoch chosen on the validation split, or "last".

    Returns:
        The network in evaluation mode, and its description with temperature 1.

    Raises:
        ConfigError: The folder holds no run, or no such weights.
        CheckpointError: A file of it is damaged or does not fit.
    """
    config, facts = FitConfig.read(folder), RunFacts.read(folder)
    path = folder / (BEST_FILE if weights == "best" else LAST_FILE)
    if weights == "best" and not path.is_file():
        raise ConfigError(
            f"'{folder}' has no best epoch, since nothing was validated; take --weights last."
        )
    checkpoint = read_checkpoint(path)
    n_classes = len(facts.labels)
    method = build_method(
        dataclasses.replace(config, pretrained=None),
        labels=torch.arange(n_classes),
        targets=torch.eye(n_classes),
    )
    network = method.inference_network().eval().requires_grad_(False)
    load_exactly(network, checkpoint.tensors, what="run's network")
    metrics = checkpoint.state["metrics"]
    trained = {
        "weights": weights,
        "epoch": checkpoint.state["epoch"],
        "metrics": {name: value for name, value in metrics.items() if name.startswith("valid_")},
    }
    return network, describe_model(config, facts, trained=trained)


def describe_model(
    config: FitConfig, facts: RunFacts, *, trained: dict[str, Any] | None = None
) -> ModelSpec:
    """Write down everything the app needs to know, and where the network comes from.

    Args:
        config: Of the run.
        facts: Of the run.
        trained: Which weights, their epoch and their figures, once there are any.
    """
    recipe = dataclasses.asdict(config)
    for name in ("data", "workers"):
        del recipe[name]
    if config.pretrained is not None:
        recipe["pretrained"] = facts.initialisation
    return ModelSpec(
        name=f"{config.method}-{config.backbone}-{config.size_px}",
        labels=facts.labels,
        input_size_px=config.size_px,
        color=config.color,
        mean=config.mean,
        std=config.std,
        alignment=TEMPLATE_ID,
        provenance={"recipe": recipe, "run": dataclasses.asdict(facts), **(trained or {})},
    )


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide the figures."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "unknown"
    return versions


def source_commit() -> str:
    """Return the git commit of the code that runs; empty where it is installed without one."""
    folder = Path(__file__).parent
    try:
        finished = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return finished.stdout.strip()


def write_json(path: Path, values: Any) -> None:
    """Write JSON beside its place and move it there."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a run.

    Raises:
        ConfigError: The file is missing.
        CheckpointError: It is damaged.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"'{path.parent}' holds no training run: {path.name} is missing."
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is damaged: it holds no object.")
    return values
