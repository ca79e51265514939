"""Size of a picture from its header, so that a trap is refused before memory is asked for.

Not Pillow: it allocates the canvas of a WebP when it opens one, and its limit on pixels, which is
below the 200 megapixels of phone cameras, can only be changed for the whole process.
"""

import struct
from typing import Final

_JPEG_NO_FRAME: Final = (0xC4, 0xC8, 0xCC)  # tables and extensions among the SOF markers
_TIFF_TAGS: Final = {256: 0, 257: 1}  # ImageWidth, ImageLength


def read_image_size_wh(data: bytes) -> tuple[int, int] | None:
    """Return width and height as stored, before EXIF turns it; None where the header is not known.

    Knows JPEG, PNG, BMP, WebP and TIFF.
    """
    try:
        if data[:2] == b"\xff\xd8":
            return _of_jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR":
            return _unpack(">II", data, 16)
        if data[:2] == b"BM":
            return _of_bmp(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _of_webp(data)
        if data[:4] in (b"II*\x00", b"MM\x00*"):
            return _of_tiff(data)
    except (struct.error, IndexError):  # The header ends too early.
        return None
    return None


def _unpack(layout: str, data: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(layout, data, at)
    return int(first), int(second)


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    """Walk the segments of ITU T.81 up to the first frame header."""
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in _JPEG_NO_FRAME:
            height, width = _unpack(">HH", data, at + 5)
            return width, height
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _of_bmp(data: bytes) -> tuple[int, int]:
    if int.from_bytes(data[14:18], "little") == 12:  # the old header of OS/2
        return _unpack("<HH", data, 18)
    width, height = _unpack("<ii", data, 18)
    return abs(width), abs(height)  # A negative height stores the rows from the top.


def _of_webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", data, 24)
        return (high_w << 16 | low_w) + 1, (high_h << 16 | low_h) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = _unpack("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _of_tiff(data: bytes) -> tuple[int, int] | None:
    """Read the first directory; sides are 16-bit (type 3) or 32-bit (type 4)."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (n_entries,) = struct.unpack_from(f"{order}H", data, at)
    sides: list[int] = [0, 0]
    for entry in range(n_entries):
        start = at + 2 + 12 * entry
        tag, kind = struct.unpack_from(f"{order}HH", data, start)
        if tag in _TIFF_TAGS and kind in (3, 4):
            layout = f"{order}H" if kind == 3 else f"{order}I"
            (sides[_TIFF_TAGS[tag]],) = struct.unpack_from(layout, data, start + 8)
    return (sides[0], sides[1]) if all(sides) else None
