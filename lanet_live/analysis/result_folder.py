"""A new folder for the files of one item, so that no run touches the results of another."""

import re
from pathlib import Path
from typing import Final

from lanet_live.analysis.item import AnalysisItem
from lanet_live.errors import ConfigError

BESIDE_SOURCE: Final = "LA-Net Live results"
"""Name of the folder made next to a source when no other was chosen."""

_IN_SESSION: Final = "analysis"
_MAX_ATTEMPTS: Final = 1000


def results_parent(item: AnalysisItem) -> Path:
    """Return the folder in which the item's own folder is made."""
    if item.options.out_dir is not None:
        return item.options.out_dir
    if item.kind == "session":
        return item.path / _IN_SESSION
    return item.path.absolute().parent / BESIDE_SOURCE


def create_result_folder(item: AnalysisItem) -> Path:
    """Make a folder named after the source; `clip`, then `clip_2`, `clip_3`, ...

    Raises:
        ConfigError: It cannot be made.
    """
    parent = results_parent(item)
    name = item.path.name if item.path.is_dir() else item.path.stem
    # A trailing dot or blank would be dropped by Windows.
    stem = re.sub(r"[^\w .-]+", "_", name).strip(" .") or "result"
    for attempt in range(1, _MAX_ATTEMPTS + 1):
        folder = parent / (stem if attempt == 1 else f"{stem}_{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if parent.is_dir():
                continue
            raise ConfigError(
                f"{parent} is a file, so no folder can be made in it; choose another output folder."
            ) from None
        except OSError as error:
            raise ConfigError(
                f"The result folder {folder} cannot be made: {error.strerror}. "
                "Choose another output folder."
            ) from error
        return folder
    raise ConfigError(f"{parent} holds {_MAX_ATTEMPTS} results of {stem}; choose another folder.")
