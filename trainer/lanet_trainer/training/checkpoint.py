"""Checkpoints: one safetensors file, the plain state as JSON in its header. No pickle.

Files are written beside their place and moved there in one step, so that a run that is killed
leaves the previous checkpoint whole.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lanet_trainer.errors import CheckpointError

CHECKPOINT_FILE = "checkpoint.safetensors"
_STATE_KEY = "lanet_trainer"
_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        tensors: By name.
        state: JSON values.
    """

    tensors: dict[str, Tensor]
    state: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors below a prefix such as "method/", the prefix removed."""
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and state to one file, all or nothing.

    Raises:
        CheckpointError: The file cannot be written.
    """
    plain = {name: _plain(tensor) for name, tensor in tensors.items()}
    header = {_STATE_KEY: json.dumps({"schema_version": _SCHEMA_VERSION, **state})}
    temporary = path.with_name(f".{path.name}.partial")
    try:
        save_file(plain, temporary, metadata=header)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise CheckpointError(f"The checkpoint {path} cannot be written: {error}") from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file written by `write_checkpoint`.

    Raises:
        CheckpointError: It is missing, damaged, or not one of ours.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint at {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(_STATE_KEY, "null")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state = json.loads(header)
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"The checkpoint {path} is damaged: {error}") from error
    if not isinstance(state, dict) or state.pop("schema_version", None) != _SCHEMA_VERSION:
        raise CheckpointError(f"{path} is not a checkpoint of this version of lanet-train.")
    return Checkpoint(tensors, state)


def load_exactly(module: nn.Module, tensors: Mapping[str, Tensor], *, what: str) -> None:
    """Fill a module; every tensor must be there, with its shape, and none may be left over.

    Raises:
        CheckpointError: They do not match.
    """
    wanted = module.state_dict()
    different = sorted(set(wanted) ^ set(tensors)) or [
        name for name in wanted if wanted[name].shape != tensors[name].shape
    ]
    if different:
        raise CheckpointError(
            f"The checkpoint does not fit the {what}: {len(different)} tensors differ, "
            f"e.g. '{different[0]}'. It belongs to a run with other options or another version."
        )
    module.load_state_dict(tensors, strict=True)


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, names: dict[Tensor, str]
) -> dict[str, Tensor]:
    """Flatten an optimiser's state to `<parameter>/<key>`."""
    return {
        f"{names[parameter]}/{key}": value
        for parameter, values in optimizer.state.items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], names: dict[Tensor, str]
) -> None:
    """Restore what `optimizer_tensors` returned."""
    by_name = {name: parameter for parameter, name in names.items()}
    optimizer.state.clear()
    for path, value in tensors.items():
        name, _, key = path.rpartition("/")
        if name not in by_name:
            raise CheckpointError(
                f"The checkpoint's optimiser knows a parameter '{name}' too many."
            )
        parameter = by_name[name]
        # Step counters stay on the CPU; moments live where their parameter lives.
        moved = value if key == "step" else torch.empty_like(parameter).copy_(value)
        optimizer.state[parameter][key] = moved


def _plain(tensor: Tensor) -> Tensor:
    """Return an own, contiguous copy on the CPU: safetensors refuses shared memory."""
    return tensor.detach().to("cpu", copy=True).contiguous()
