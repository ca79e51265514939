"""Read and write protobuf messages field by field, without trusting a single length in them.

ONNX files are protobuf. Reading the few fields that are checked before a model is handed to a
runtime needs no generated code and no `onnx` package. The encoding is the one described in
https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lanet_engines.errors import ModelFileError

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
_FIXED_SIZES: Final = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT_BYTES: Final = 10
# A ResNet-50 has about 20 000; this bounds the time a hostile file can cost.
_MAX_FIELDS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        number: Field number of the schema.
        wire_type: `VARINT`, `FIXED64`, `BYTES` or `FIXED32`.
        value: The number of a varint, else 0.
        data: The payload of any other field, a view into the file; empty for a varint.
    """

    number: int
    wire_type: int
    value: int
    data: memoryview

    def text(self) -> str:
        """Decode the payload as UTF-8 text."""
        try:
            return bytes(self.data).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ModelFileError("The model file is damaged: a name is not valid text.") from error


@dataclass(slots=True)
class WireReader:
    """Walks the fields of messages; counts them over the whole file."""

    n_fields: int = field(default=0, init=False)

    def fields(self, message: memoryview) -> Iterator[Field]:
        """Yield the fields of one message in file order.

        Raises:
            ModelFileError: A length points past the end, a wire type is unknown, or there are
                more fields than any real model has.
        """
        position = 0
        while position < len(message):
            self.n_fields += 1
            if self.n_fields > _MAX_FIELDS:
                raise ModelFileError("The model file has far more parts than a real model.")
            key, position = read_varint(message, position)
            number, wire_type = key >> 3, key & 7
            value = 0
            length = 0
            if wire_type == VARINT:
                value, position = read_varint(message, position)
            elif wire_type == BYTES:
                length, position = read_varint(message, position)
            elif wire_type in _FIXED_SIZES:
                length = _FIXED_SIZES[wire_type]
            else:
                raise ModelFileError("The file is not an ONNX model, or it is damaged.")
            if number == 0 or length > len(message) - position:
                raise ModelFileError("The file is not an ONNX model, or it is cut off or damaged.")
            yield Field(number, wire_type, value, message[position : position + length])
            position += length


def read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return the unsigned number at `position` and the position behind it."""
    value = 0
    for shift, byte in enumerate(message[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * shift)
        if not byte & 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position + shift + 1
    raise ModelFileError("The file is not an ONNX model, or it is cut off or damaged.")


def read_packed_varints(payload: memoryview) -> list[int]:
    """Return the numbers of a packed repeated field."""
    numbers = []
    position = 0
    while position < len(payload):
        value, position = read_varint(payload, position)
        numbers.append(value)
    return numbers


def as_signed(value: int) -> int:
    """Read an unsigned 64-bit number as two's complement."""
    return value - (1 << 64) if value >= 1 << 63 else value


def write_varint(value: int) -> bytes:
    """Encode a number; a negative one as two's complement of 64 bits."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def write_field(number: int, value: int | str | bytes | memoryview) -> bytes:
    """Encode one field: a number as varint, anything else with its length in front."""
    if isinstance(value, int):
        return write_varint(number << 3 | VARINT) + write_varint(value)
    payload = value.encode("utf-8") if isinstance(value, str) else value
    return b"".join((write_varint(number << 3 | BYTES), write_varint(len(payload)), payload))


def copy_field(part: Field) -> bytes:
    """Encode a field that was read, unchanged."""
    if part.wire_type == VARINT:
        return write_field(part.number, part.value)
    if part.wire_type == BYTES:
        return write_field(part.number, part.data)
    return write_varint(part.number << 3 | part.wire_type) + bytes(part.data)
