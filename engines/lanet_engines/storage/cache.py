"""Built engines, kept between starts under a key made of everything they depend on.

An entry is built in a temporary folder and published by renaming it, so a half-built one is never
seen. One process builds; others wait for its lock, which the operating system releases if the
builder dies.
"""

import hashlib
import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import platformdirs

from lanet_engines.errors import ArtefactError
from lanet_engines.storage.artefact import is_artefact, read_artefact
from lanet_engines.storage.file_lock import hold_lock
from lanet_engines.storage.private_folder import make_private_folder

logger = logging.getLogger(__name__)

MAX_CACHE_BYTES: Final = 2 * 1024**3
_TEMPORARY: Final = ".building-"


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Everything a built engine depends on.

    Attributes:
        model_sha256: Of the ONNX bytes.
        backend: Name in the registry.
        runtime: Package that builds, e.g. "tensorrt_rtx".
        runtime_version: Of that package.
        capabilities: GPU compute capabilities, sorted; empty for CPUs.
        precision: To build in.
        max_batch: Largest batch.
        builder_version: Raised when this project builds differently from the same inputs.
        calibration_sha256: Of the crops an int8 build is calibrated with; else empty.
    """

    model_sha256: str
    backend: str
    runtime: str
    runtime_version: str
    capabilities: tuple[str, ...]
    precision: str
    max_batch: int
    builder_version: int
    calibration_sha256: str = ""

    def digest(self) -> str:
        """Return the name of the entry, hex."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A built engine in the cache: its folder, and whether this call built it."""

    folder: Path
    was_built: bool


def default_cache_folder() -> Path:
    """Return the folder for built engines in the user's cache folder."""
    return platformdirs.user_cache_path("lanet-live", appauthor=False) / "engines"


class EngineCache:
    """A folder of built engines, bounded in size; the ones not used longest go first."""

    def __init__(self, folder: Path | None = None, *, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._folder = make_private_folder(folder or default_cache_folder())
        self._max_bytes = max_bytes

    @property
    def folder(self) -> Path:
        """Where the entries are."""
        return self._folder

    def get_or_build(self, key: CacheKey, build: Callable[[Path], None]) -> CacheEntry:
        """Return the entry of a key, building it if it is missing or damaged.

        Args:
            key: What the engine depends on.
            build: Fills an empty folder with an artefact, its manifest last.

        Returns:
            The entry, checked.

        Raises:
            EngineError: The build failed; nothing is kept of it.
        """
        digest = key.digest()
        entry = self._folder / digest
        with hold_lock(self._lock_path(digest)):
            if self._is_usable(entry):
                os.utime(entry)
                return CacheEntry(entry, was_built=False)
            self._remove_leftovers(digest)
            temporary = self._folder / f"{digest}{_TEMPORARY}{secrets.token_hex(4)}"
            temporary.mkdir(mode=0o700)
            try:
                build(temporary)
                read_artefact(temporary)
                temporary.rename(entry)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        self.trim(keep=entry)
        return CacheEntry(entry, was_built=True)

    def runtime_folder(self, name: str) -> Path:
        """Return a folder in which a runtime keeps what it compiles; emptied when it grew too big.

        Args:
            name: Of the runtime; a plain word.
        """
        folder = self._folder / name
        with hold_lock(self._lock_path(name)):
            if folder.exists() and _size(folder) > self._max_bytes:
                shutil.rmtree(folder, ignore_errors=True)
            return make_private_folder(folder)

    def trim(self, *, keep: Path | None = None) -> None:
        """Remove the entries not used longest until the rest fits, never `keep`."""
        entries = sorted(self._entries(), key=_last_use, reverse=True)
        n_bytes = 0
        for entry in entries:
            n_bytes += _size(entry)
            if n_bytes > self._max_bytes and entry != keep:
                self._remove(entry)

    def clear(self) -> int:
        """Remove everything that no other process is building; return the bytes freed."""
        before = _size(self._folder)
        for digest in {path.name[:40] for path in self._folder.iterdir()}:
            with hold_lock(self._lock_path(digest), wait=False) as is_held:
                if is_held:
                    self._remove_leftovers(digest)
                    with suppress(OSError):  # Windows keeps a file that is open, as this lock is
                        self._lock_path(digest).unlink()
        return before - _size(self._folder)

    def clear_and_tell(self) -> str:
        """Clear the cache and say in a sentence what that freed."""
        return f"Removed {self.clear() / 1e6:.1f} MB of built engines from {self._folder}."

    def _lock_path(self, digest: str) -> Path:
        return self._folder / f"{digest}.lock"

    def _entries(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if is_artefact(path)]

    def _is_usable(self, entry: Path) -> bool:
        if not entry.exists():
            return False
        try:
            read_artefact(entry)
        except ArtefactError as error:
            logger.warning("%s It is built again now.", error)
            return False
        return True

    def _remove(self, entry: Path) -> None:
        with hold_lock(self._lock_path(entry.name), wait=False) as is_held:
            if is_held:
                logger.info("The built engine %s was not used longest and is removed.", entry.name)
                shutil.rmtree(entry, ignore_errors=True)

    def _remove_leftovers(self, digest: str) -> None:
        """Remove what is left of a key; the caller holds its lock, so nobody is building it."""
        for path in self._folder.glob(f"{digest}*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path != self._lock_path(digest):
                path.unlink(missing_ok=True)


# Another process may remove an entry while it is being looked at.
def _last_use(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(folder: Path) -> int:
    n_bytes = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            n_bytes += path.stat().st_size if path.is_file() else 0
    return n_bytes
