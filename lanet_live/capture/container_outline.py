"""How long a video file says it is, read from its outermost structure without decoding anything.

Demuxers end silently where a file was cut off; only the sizes written in the file show it. The
container families that state them are supported: ISO base media (mp4, mov), RIFF (avi), EBML (mkv,
webm) and MPEG transport streams, which consist of whole packets. What was written open-ended (an
unfinished Matroska recording) ends where it ends.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

# A fragmented recording has two boxes a second or so; more than this many is no video of ours.
_MAX_ELEMENTS: Final = 200_000
_TS_PACKET_BYTES: Final = 188
_FIRST_BOXES: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_EBML_HEADER: Final = 0x1A45DFA3
_EBML_SEGMENT: Final = 0x18538067


@dataclass(frozen=True, slots=True)
class ContainerOutline:
    """What the outermost structure of a file says.

    Attributes:
        actual_bytes: Size of the file.
        stated_bytes: Where the file says it ends; None when it does not say.
        lacks_index: An mp4 or mov file without its index (`moov`): it cannot be read at all.
    """

    actual_bytes: int
    stated_bytes: int | None = None
    lacks_index: bool = False

    @property
    def is_cut_off(self) -> bool:
        """The file is shorter than it says."""
        return self.stated_bytes is not None and self.actual_bytes < self.stated_bytes


def read_outline(path: Path) -> ContainerOutline:
    """Read the outline of a file.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        actual_bytes = file.seek(0, 2)
        file.seek(0)
        head = file.read(12)
        if head[4:8] in _FIRST_BOXES:
            return _outline_of_boxes(file, actual_bytes)
        if head[:4] == b"RIFF":
            return ContainerOutline(actual_bytes, _end_of_riff(file, actual_bytes))
        if head[:4] == _EBML_HEADER.to_bytes(4, "big"):
            return ContainerOutline(actual_bytes, _end_of_segment(file))
        if head[:1] == b"G" and actual_bytes > _TS_PACKET_BYTES:
            file.seek(_TS_PACKET_BYTES)
            if file.read(1) == b"G":  # The sync byte of every packet, ISO/IEC 13818-1.
                n_packets = -(-actual_bytes // _TS_PACKET_BYTES)
                return ContainerOutline(actual_bytes, n_packets * _TS_PACKET_BYTES)
        return ContainerOutline(actual_bytes)


def _outline_of_boxes(file: BinaryIO, actual_bytes: int) -> ContainerOutline:
    """Walk the top-level boxes of ISO/IEC 14496-12: 32-bit size, type, 64-bit size if it is 1."""
    end, has_index = 0, False
    for _ in range(_MAX_ELEMENTS):
        file.seek(end)
        header = file.read(16)
        if len(header) < 8:
            break
        size_bytes = int.from_bytes(header[:4], "big")
        has_index |= header[4:8] == b"moov"
        if size_bytes == 1 and len(header) == 16:
            size_bytes = int.from_bytes(header[8:], "big")
        if size_bytes == 0:  # The last box, open to the end of the file.
            end = actual_bytes
            break
        if size_bytes < 8:  # Padding or rubbish behind the last box.
            break
        end += size_bytes
        if end >= actual_bytes:
            break
    return ContainerOutline(actual_bytes, end, lacks_index=not has_index)


def _end_of_riff(file: BinaryIO, actual_bytes: int) -> int:
    """Walk the RIFF chunks; files above 1 GiB have several. A writer that crashed left size 0."""
    end = 0
    for _ in range(_MAX_ELEMENTS):
        file.seek(end)
        header = file.read(8)
        if len(header) < 8 or header[:4] != b"RIFF":
            break
        end += 8 + int(struct.unpack("<I", header[4:])[0])
        if end >= actual_bytes:
            break
    return end


def _end_of_segment(file: BinaryIO) -> int | None:
    """Where the EBML segment (RFC 8794, RFC 9559) ends; None when it was written open-ended."""
    file.seek(4)
    header_bytes = _read_ebml_size(file)
    if header_bytes is None:
        return None
    file.seek(header_bytes, 1)
    if int.from_bytes(file.read(4), "big") != _EBML_SEGMENT:
        return None
    segment_bytes = _read_ebml_size(file)
    return None if segment_bytes is None else file.tell() + segment_bytes


def _read_ebml_size(file: BinaryIO) -> int | None:
    """Read a size: leading zero bits give the length, all ones mean unknown."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    n_bytes = 9 - first[0].bit_length()
    value_bits = 7 * n_bytes
    value = int.from_bytes(first + file.read(n_bytes - 1), "big") & ((1 << value_bits) - 1)
    return None if value == (1 << value_bits) - 1 else value
