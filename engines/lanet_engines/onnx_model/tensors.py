"""Check that a stored tensor holds what it declares, in the file or in a data file beside it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from lanet_engines.errors import ModelFileError

MAX_TENSOR_BYTES: Final = 2 * 1024**3
_MAX_RANK: Final = 8
# Size in bytes of the element types that models use: TensorProto.DataType.
_ELEMENT_BYTES: Final = {
    1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2,
}  # fmt: skip
_TYPED_DATA: Final = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def check_tensors(tensors: Sequence[Any], folder: Path) -> tuple[Path, ...]:
    """Check `onnx.TensorProto`s before anything allocates what they declare.

    Args:
        tensors: All of a model.
        folder: Of the model; data files must lie in it.

    Returns:
        The data files in use, sorted.

    Raises:
        ModelFileError: A tensor has an impossible type, shape or size, does not hold its data, or
            points outside the folder.
    """
    external_files = set()
    n_bytes = 0
    for tensor in tensors:
        entries = (text for entry in tensor.external_data for text in (entry.key, entry.value))
        require_text(tensor.name, *entries)
        own_bytes = _declared_bytes(tensor)
        n_bytes += own_bytes
        if n_bytes > MAX_TENSOR_BYTES:
            raise ModelFileError(f"It declares more than {MAX_TENSOR_BYTES / 1e9:.0f} GB of data.")
        # Entries count whatever the location flag says: a runtime may read either.
        if tensor.external_data or tensor.data_location:
            external_files.add(_check_external(tensor, own_bytes, folder))
        elif not _holds_its_data(tensor, own_bytes):
            raise ModelFileError(
                f"The tensor {_name(tensor)} declares {math.prod(tensor.dims)} numbers "
                "but does not hold them."
            )
    return tuple(sorted(external_files))


def require_text(*values: str | bytes) -> None:
    """Refuse names that are not UTF-8, over which runtimes stumble; the parser gives them as bytes.

    Raises:
        ModelFileError: One of them is not text.
    """
    if any(isinstance(value, bytes) for value in values):
        raise ModelFileError("The model file is damaged: a name is not valid text.")


def _name(tensor: Any) -> str:
    return repr(tensor.name[:200])


def _declared_bytes(tensor: Any) -> int:
    element_bytes = _ELEMENT_BYTES.get(tensor.data_type)
    if element_bytes is None:
        raise ModelFileError(
            f"The tensor {_name(tensor)} has an element type that is not supported."
        )
    if len(tensor.dims) > _MAX_RANK or any(size < 0 for size in tensor.dims):
        raise ModelFileError(f"The tensor {_name(tensor)} has an impossible shape.")
    n_bytes: int = math.prod(tensor.dims) * element_bytes
    if n_bytes > MAX_TENSOR_BYTES:
        raise ModelFileError(
            f"The tensor {_name(tensor)} declares {n_bytes / 1e9:.1f} GB, "
            f"more than the {MAX_TENSOR_BYTES / 1e9:.1f} GB a model may have."
        )
    return n_bytes


def _holds_its_data(tensor: Any, n_bytes: int) -> bool:
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data) == n_bytes
    n_stored = max(len(getattr(tensor, name)) for name in _TYPED_DATA)
    return bool(math.prod(tensor.dims) <= n_stored)


def _check_external(tensor: Any, n_bytes: int, folder: Path) -> Path:
    location, offset = _location(tensor)
    outside = ModelFileError(
        f"The tensor {_name(tensor)} points to the data file {location!r} "
        "outside the model's folder."
    )
    # Backslashes and drive letters are refused on every system, so that a file is judged alike.
    if not location or location.startswith("/") or any(sign in location for sign in "\\:\0"):
        raise outside
    try:
        root = folder.resolve(strict=True)
        path = (root / location).resolve(strict=True)
        size_bytes = path.stat().st_size if path.is_file() else -1
    except OSError as error:
        if ".." in Path(location).parts:
            raise outside from error
        raise ModelFileError(f"Its data file {location!r} is missing.") from error
    if not path.is_relative_to(root):
        raise outside
    if offset + n_bytes > size_bytes:
        raise ModelFileError(f"Its data file {location!r} is shorter than the model says.")
    return path


def _location(tensor: Any) -> tuple[str, int]:
    """Return the data file as the model names it, and where in it the tensor begins."""
    entries: dict[str, str] = {}
    for entry in tensor.external_data:
        if entry.key in entries:
            raise ModelFileError(f"The tensor {_name(tensor)} names its data file twice.")
        entries[entry.key] = entry.value
    try:
        offset = int(entries.get("offset", "0")[:20])
    except ValueError:
        offset = -1
    if offset < 0:
        raise ModelFileError(f"The tensor {_name(tensor)} has a damaged data location.")
    return entries.get("location", ""), offset
