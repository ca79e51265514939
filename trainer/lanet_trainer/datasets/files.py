"""Read the files of a data set from a folder or straight from a zip archive.

Names are relative, with forward slashes. Nothing is unpacked and nothing outside the root is read.
"""

import hashlib
import threading
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from lanet_trainer.errors import DataError

# A picture or a list file above this is not what a data set of faces holds.
MAX_FILE_BYTES = 512 * 1024 * 1024
_SEARCH_DEPTH = 2


class SourceFiles(Protocol):
    """The files below one root. Can be sent to another process."""

    @property
    def root(self) -> str:
        """The root as the user named it, for messages."""
        ...

    def has(self, name: str) -> bool:
        """Return whether there is such a file."""
        ...

    def read(self, name: str) -> bytes:
        """Return the content of a file, or raise `DataError`."""
        ...

    def children(self, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the sorted names of the folders and of the files directly in a folder."""
        ...

    def fingerprint(self, names: Iterable[str]) -> str:
        """Return a digest that changes with the files; raise `DataError` if one is missing."""
        ...


def open_source(root: Path) -> SourceFiles:
    """Open a folder or a zip archive.

    Raises:
        DataError: There is no such folder or archive, or it is damaged.
    """
    if root.is_dir():
        return FolderFiles(root)
    if root.is_file() and zipfile.is_zipfile(root):
        return ZipFiles(root)
    if root.is_file():
        raise DataError(f"'{root}' is neither a folder nor a zip archive.")
    raise DataError(f"There is no folder or zip archive '{root}'; check --root.")


def find_base(files: SourceFiles, markers: Iterable[str]) -> str | None:
    """Find the folder that directly holds one of the markers, at most two levels down.

    Args:
        files: Where to look.
        markers: Relative names of files, any of which identifies the layout.

    Returns:
        The folder, "" for the root itself; None when there is none.
    """
    wanted = tuple(markers)
    level = [""]
    for _ in range(_SEARCH_DEPTH + 1):
        for folder in level:
            if any(files.has(join(folder, marker)) for marker in wanted):
                return folder
        level = [join(folder, name) for folder in level for name in files.children(folder)[0]]
    return None


def join(folder: str, name: str) -> str:
    """Join relative names; `folder` may be empty."""
    return f"{folder}/{name}" if folder else name


class FolderFiles:
    """Files in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> str:
        """The folder."""
        return str(self._root)

    def has(self, name: str) -> bool:
        """Return whether there is such a file."""
        return self._path(name).is_file()

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        path = self._path(name)
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise DataError(f"{path} is larger than any file of a face data set should be.")
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}.") from error

    def children(self, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of the folders and of the files directly in a folder."""
        path = self._path(folder) if folder else self._root
        if not path.is_dir():
            return (), ()
        entries = sorted(path.iterdir())
        folders = tuple(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
        return folders, tuple(e.name for e in entries if e.is_file())

    def fingerprint(self, names: Iterable[str]) -> str:
        """Digest names, sizes and times of change."""
        digest = hashlib.sha256()
        for name in names:
            try:
                facts = self._path(name).stat()
            except OSError as error:
                raise DataError(
                    f"The file {self._path(name)} is listed in the data set but missing."
                ) from error
            digest.update(f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def _path(self, name: str) -> Path:
        pure = PurePosixPath(name.replace("\\", "/"))
        if pure.is_absolute() or ".." in pure.parts or ":" in name:
            raise DataError(f"The data set names a file outside its folder: '{name}'.")
        return self._root / pure


class ZipFiles:
    """Files in a zip archive, read in place."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open()

    def _open(self) -> None:
        try:
            self._archive = zipfile.ZipFile(self._root)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"The archive '{self._root}' cannot be opened: {error}.") from error
        self._infos = {i.filename: i for i in self._archive.infolist() if not i.is_dir()}
        self._folders: dict[str, tuple[set[str], set[str]]] = {"": (set(), set())}
        for name in self._infos:
            self._add_to_tree(name)
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"_root": self._root}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._root = state["_root"]
        self._open()

    @property
    def root(self) -> str:
        """The archive."""
        return str(self._root)

    def has(self, name: str) -> bool:
        """Return whether there is such a file."""
        return name in self._infos

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        info = self._infos.get(name)
        if info is None:
            raise DataError(f"The archive '{self._root}' lacks the file {name}.")
        if info.file_size > MAX_FILE_BYTES:
            raise DataError(f"{name} in '{self._root}' is larger than a face data set's files are.")
        try:
            with self._lock:
                return self._archive.read(info)
        # RuntimeError is how zipfile says that a file is encrypted or packed in an unknown way.
        except (OSError, zipfile.BadZipFile, RuntimeError) as error:
            raise DataError(f"{name} in '{self._root}' cannot be read: {error}.") from error

    def children(self, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of the folders and of the files directly in a folder."""
        folders, names = self._folders.get(folder, (set(), set()))
        return tuple(sorted(folders)), tuple(sorted(names))

    def fingerprint(self, names: Iterable[str]) -> str:
        """Digest names, sizes and checksums."""
        digest = hashlib.sha256()
        for name in names:
            info = self._infos.get(name)
            if info is None:
                raise DataError(f"The archive '{self._root}' lacks the listed file {name}.")
            digest.update(f"{name}\0{info.file_size}\0{info.CRC}\n".encode())
        return digest.hexdigest()

    def _add_to_tree(self, name: str) -> None:
        *parents, leaf = name.split("/")
        folder = ""
        for parent in parents:
            self._folders.setdefault(folder, (set(), set()))[0].add(parent)
            folder = join(folder, parent)
        self._folders.setdefault(folder, (set(), set()))[1].add(leaf)
