"""Folders that only the user can write to.

Built engines hold machine code, so they are read from no other.
"""

import os
import stat
from pathlib import Path

from lanet_engines.errors import UnsafeFolderError


def make_private_folder(folder: Path) -> Path:
    """Create a folder for the user alone if it is missing, then check it.

    Raises:
        UnsafeFolderError: It exists and another user owns it or may write to it.
        OSError: It cannot be created.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    check_private_folder(folder)
    return folder


def check_private_folder(folder: Path) -> None:
    """Refuse a folder that another user owns or may write to.

    On Windows the folders below the user's profile are private by their inherited access lists;
    there is no owner in `os.stat` to check.

    Raises:
        UnsafeFolderError: Another user owns it or may write to it, or it is not a folder.
    """
    try:
        facts = folder.stat()
    except OSError as error:
        raise UnsafeFolderError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    if not stat.S_ISDIR(facts.st_mode):
        raise UnsafeFolderError(f"{folder} is not a folder.")
    if os.name == "nt":
        return
    if facts.st_uid != os.geteuid():
        raise UnsafeFolderError(
            f"The folder {folder} belongs to another user; built engines are only read from "
            "your own folders."
        )
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnsafeFolderError(
            f"Other users may write to the folder {folder}; run: chmod go-w '{folder}'"
        )
