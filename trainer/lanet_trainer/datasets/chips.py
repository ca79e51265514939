"""The small pictures training reads: one chip a sample, encoded, in one file a split.

A picture that is small already is its own chip, byte for byte. From a larger one the surroundings
of the face are cut out, so that a training step decodes few pixels and every crop, turned or
shifted, is still sampled from the chip only once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_trainer.errors import DataError

U8Array = NDArray[np.uint8]
F64Array = NDArray[np.float64]

# A longer side up to this is kept whole; a larger picture's chip is limited to it.
MAX_CHIP_SIDE_PX: Final = 256
# Surroundings of the crop kept on each side, as a share of the crop's side: room for shifts of a
# tenth, rotations of 20 degrees and a scale of 0.8 at once.
_MARGIN: Final = 0.35
_JPEG_QUALITY: Final = 95
_MAX_PIXELS: Final = 100_000_000
_PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC: Final = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class Chip:
    """One encoded chip.

    Attributes:
        data: PNG or JPEG.
        size_wh: Width and height in pixels.
        picture_to_chip: Affine map in continuous pixels, (2, 3).
        is_whole: It shows the whole picture.
    """

    data: bytes
    size_wh: tuple[int, int]
    picture_to_chip: F64Array
    is_whole: bool


def decode_picture(data: bytes | U8Array, name: str) -> U8Array:
    """Decode a picture to (H, W) where the file is grey, else to (H, W, 3) BGR, uint8.

    Raises:
        DataError: It is damaged, empty or of no known format.
    """
    buffer = np.frombuffer(data, dtype=np.uint8) if isinstance(data, bytes) else data
    try:
        picture = cv2.imdecode(buffer, cv2.IMREAD_ANYCOLOR) if buffer.size else None
    except cv2.error as error:
        raise DataError(f"The picture {name} is damaged or of an unknown format.") from error
    if picture is None or picture.size == 0:
        raise DataError(f"The picture {name} is damaged or of an unknown format.")
    if picture.shape[0] * picture.shape[1] > _MAX_PIXELS:
        raise DataError(f"The picture {name} is too large to be used.")
    decoded: U8Array = picture
    return decoded


def to_bgr(picture: U8Array) -> U8Array:
    """Repeat a grey picture in three channels; leave a coloured one as it is."""
    if picture.ndim == 3:
        return picture
    coloured: U8Array = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    return coloured


def make_chip(data: bytes, picture: U8Array, *, picture_to_unit_crop: F64Array | None) -> Chip:
    """Make the chip of a picture.

    Args:
        data: The picture's file.
        picture: The same, decoded.
        picture_to_unit_crop: Affine map to the crop of side 1; None where no face is known, which
            keeps the whole picture, made smaller.
    """
    height, width = picture.shape[:2]
    if max(height, width) <= MAX_CHIP_SIDE_PX:
        is_plain_file = data.startswith((_PNG_MAGIC, _JPEG_MAGIC))
        encoded = data if is_plain_file else _encode(".png", picture)
        return Chip(encoded, (width, height), np.eye(2, 3), True)
    if picture_to_unit_crop is None:
        low, high = np.zeros(2), np.array([width, height], dtype=np.float64)
    else:
        low, high = _surroundings(picture_to_unit_crop, width, height)
    part = picture[int(low[1]) : int(high[1]), int(low[0]) : int(high[0])]
    scale = min(1.0, MAX_CHIP_SIDE_PX / max(part.shape[:2]))
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA) if scale < 1 else part
    ratio = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
    affine = np.column_stack([np.diag(ratio), -ratio * low])
    return Chip(_encode(".jpg", small), size, affine, picture_to_unit_crop is None)


def _surroundings(
    picture_to_unit_crop: F64Array, width: int, height: int
) -> tuple[F64Array, F64Array]:
    """Return the corners, in whole pixels, of the box around the enlarged crop."""
    low, high = -_MARGIN, 1 + _MARGIN
    corners = np.array([[low, low], [high, low], [low, high], [high, high]])
    inverse = np.linalg.inv(picture_to_unit_crop[:, :2])
    in_picture = (corners - picture_to_unit_crop[:, 2]) @ inverse.T
    limits = np.array([width, height], dtype=np.float64)
    start = np.clip(np.floor(in_picture.min(axis=0)), 0, limits - 1)
    return start, np.clip(np.ceil(in_picture.max(axis=0)), start + 1, limits)


def _encode(suffix: str, picture: U8Array) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix == ".jpg" else []
    is_done, buffer = cv2.imencode(suffix, picture, options)
    if not is_done:
        raise DataError("OpenCV could not encode a picture.")
    return bytes(buffer.tobytes())


class ChipFile:
    """The chips of one split, mapped into memory; can be sent to another process."""

    def __init__(self, path: Path, offsets: NDArray[np.int64]) -> None:
        """Map a file.

        Args:
            path: All chips, one after the other.
            offsets: Where each begins and, last, where the last one ends, (N + 1,).

        Raises:
            DataError: The file is missing or its size does not fit.
        """
        self._path = path
        self._offsets = offsets
        self._map()

    def _map(self) -> None:
        try:
            size = self._path.stat().st_size
        except OSError as error:
            raise DataError(f"{self._path} is missing; prepare the data set again.") from error
        if self._offsets[0] != 0 or size != self._offsets[-1] or (np.diff(self._offsets) < 0).any():
            raise DataError(f"{self._path} is damaged; prepare the data set again.")
        self._bytes = np.memmap(self._path, dtype=np.uint8, mode="r") if size else np.zeros(0, "u1")

    def __getstate__(self) -> dict[str, object]:
        return {"_path": self._path, "_offsets": self._offsets}

    def __setstate__(self, state: dict[str, object]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._map()

    def read(self, row: int) -> U8Array:
        """Decode one chip to (H, W) or (H, W, 3) BGR, uint8."""
        data = self._bytes[self._offsets[row] : self._offsets[row + 1]]
        return decode_picture(np.asarray(data), f"{row} of {self._path}")
