"""A built engine on disk: a folder with the runtime's files and `artefact.json`, which names them.

The manifest carries the model's description, so a built engine opens without its ONNX file.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from lanet_engines.errors import ArtefactError, ModelFileError
from lanet_engines.spec import ModelSpec
from lanet_engines.storage.private_folder import check_private_folder

MANIFEST_NAME: Final = "artefact.json"
SCHEMA_VERSION: Final = 1
_MAX_MANIFEST_BYTES: Final = 2_000_000
_MAX_FILE_BYTES: Final = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of an artefact: plain name, size and sha256 in hex."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Artefact:
    """What a built engine is.

    Attributes:
        backend: Name in the registry.
        precision: It was built in.
        runtime: Package that built it, e.g. "tensorrt_rtx".
        runtime_version: Of that package.
        capabilities: GPU compute capabilities it was built for, e.g. "sm86"; empty for CPUs.
        max_batch: Largest batch it takes.
        model_sha256: Of the ONNX file it was made from.
        spec: Of the model.
        files: Everything else in the folder that belongs to it.
    """

    backend: str
    precision: str
    runtime: str
    runtime_version: str
    capabilities: tuple[str, ...]
    max_batch: int
    model_sha256: str
    spec: ModelSpec
    files: tuple[StoredFile, ...] = ()


def is_artefact(path: Path) -> bool:
    """Return whether a path is a folder with a built engine."""
    return (path / MANIFEST_NAME).is_file()


def describe_file(path: Path) -> StoredFile:
    """Measure and hash one file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return StoredFile(path.name, path.stat().st_size, digest)


def write_manifest(folder: Path, artefact: Artefact) -> None:
    """Write the manifest, last of all files."""
    values = asdict(artefact) | {
        "schema_version": SCHEMA_VERSION,
        "spec": json.loads(artefact.spec.to_json()),
    }
    text = json.dumps(values, indent=2, sort_keys=True)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def read_artefact(folder: Path) -> Artefact:
    """Read a manifest and check every file it names.

    Raises:
        UnsafeFolderError: Another user could have changed the folder.
        ArtefactError: The manifest or a file is missing, damaged or not what it should be.
    """
    check_private_folder(folder)
    artefact = _parse(folder, _read_text(folder / MANIFEST_NAME))
    for stored in artefact.files:
        path = folder / stored.name
        if not path.is_file() or path.is_symlink() or path.stat().st_size != stored.size_bytes:
            raise _damaged(folder, f"{stored.name} is missing or cut off")
        if describe_file(path).sha256 != stored.sha256:
            raise _damaged(folder, f"{stored.name} was changed")
    return artefact


def require_files(folder: Path, artefact: Artefact, names: Sequence[str]) -> None:
    """Raise `ArtefactError` unless the manifest names all these files."""
    present = {stored.name for stored in artefact.files}
    for name in names:
        if name not in present:
            raise _damaged(folder, f"{name} is missing")


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise _damaged(path.parent, "its manifest is too long to be real")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path.parent, "its manifest cannot be read") from error


def _parse(folder: Path, text: str) -> Artefact:
    try:
        values: dict[str, Any] = json.loads(text)
        if not isinstance(values, dict) or values.pop("schema_version", None) != SCHEMA_VERSION:
            raise _damaged(folder, "its manifest is of another version")
        values["spec"] = ModelSpec.from_json(json.dumps(values["spec"]))
        values["capabilities"] = tuple(str(name) for name in values["capabilities"])
        values["files"] = tuple(_parse_file(entry) for entry in values["files"])
        values["max_batch"] = int(values["max_batch"])
        return Artefact(**values)
    except (KeyError, TypeError, ValueError, RecursionError, ModelFileError) as error:
        raise _damaged(folder, "its manifest is not valid") from error


def _parse_file(entry: dict[str, Any]) -> StoredFile:
    stored = StoredFile(str(entry["name"]), int(entry["size_bytes"]), str(entry["sha256"]))
    # A plain name: nothing outside the folder, on any system.
    if not stored.name or stored.name.startswith(".") or any(s in stored.name for s in "/\\:\0"):
        raise ValueError(f"bad file name {stored.name!r}")
    if not 0 <= stored.size_bytes <= _MAX_FILE_BYTES:
        raise ValueError(f"bad size of {stored.name!r}")
    return stored


def _damaged(folder: Path, what: str) -> ArtefactError:
    return ArtefactError(
        f"The built engine {folder} cannot be used: {what}; build it again with lanet-train build."
    )
