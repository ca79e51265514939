"""Crops that an int8 build is calibrated with, from a .npy file."""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np

from lanet_engines.base import U8Array
from lanet_engines.errors import EngineBuildError
from lanet_engines.spec import ModelSpec

MIN_CROPS: Final = 16
_MAX_FILE_BYTES: Final = 4 * 1024**3


def read_crops(path: Path, spec: ModelSpec) -> U8Array:
    """Read crops, (N, S, S, 3) uint8; nothing in the file is unpickled.

    Raises:
        EngineBuildError: The file is missing, not a .npy file, or does not fit the model.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise EngineBuildError(f"The crops {path} are larger than {_MAX_FILE_BYTES} bytes.")
        with path.open("rb") as file:
            crops = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise EngineBuildError(
            f"The crops {path} cannot be read ({error}); give a .npy file of uint8 crops."
        ) from error
    side = spec.input_size_px
    if crops.dtype != np.uint8 or crops.shape[1:] != (side, side, 3) or len(crops) < MIN_CROPS:
        raise EngineBuildError(
            f"The crops {path} have the shape {crops.shape} and the type {crops.dtype}; the model "
            f"takes uint8 of shape (N, {side}, {side}, 3), N at least {MIN_CROPS}."
        )
    return crops


def hash_crops(path: Path) -> str:
    """Return the sha256 of the file, hex.

    Raises:
        EngineBuildError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EngineBuildError(f"The crops {path} cannot be read: {error.strerror}.") from error
