import pytest

from lanet_engines.errors import ModelFileError
from lanet_engines.onnx_model.wire import (
    BYTES,
    FIXED32,
    VARINT,
    WireReader,
    as_signed,
    copy_field,
    read_packed_varints,
    read_varint,
    write_field,
    write_varint,
)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**63 - 1])
def test_varint_survives_a_round_trip(value: int) -> None:
    encoded = write_varint(value)
    assert read_varint(memoryview(encoded), 0) == (value, len(encoded))


def test_negative_number_is_twos_complement() -> None:
    value, _ = read_varint(memoryview(write_varint(-5)), 0)
    assert as_signed(value) == -5


def test_fields_give_numbers_types_and_payloads() -> None:
    message = write_field(1, 7) + write_field(2, "name") + bytes([3 << 3 | FIXED32, 1, 2, 3, 4])
    fields = list(WireReader().fields(memoryview(message)))
    assert [(f.number, f.wire_type, f.value, bytes(f.data)) for f in fields] == [
        (1, VARINT, 7, b""),
        (2, BYTES, 0, b"name"),
        (3, FIXED32, 0, bytes([1, 2, 3, 4])),
    ]
    assert b"".join(copy_field(field) for field in fields) == message


def test_packed_numbers_are_read() -> None:
    assert read_packed_varints(memoryview(write_varint(3) + write_varint(300))) == [3, 300]


@pytest.mark.parametrize(
    "message",
    [
        write_varint(1 << 3 | BYTES) + write_varint(10) + b"short",
        write_varint(1 << 3 | BYTES) + write_varint(2**63),
        write_varint(1 << 3 | FIXED32) + b"abc",
        b"\x80" * 11,
        b"\x80",
        bytes([1 << 3 | 3]),  # a group, gone from ONNX
        bytes([0]),  # field number 0
    ],
)
def test_broken_messages_are_refused(message: bytes) -> None:
    with pytest.raises(ModelFileError):
        list(WireReader().fields(memoryview(message)))


def test_text_that_is_not_utf8_is_refused() -> None:
    (field,) = WireReader().fields(memoryview(write_field(1, b"\xff\xfe")))
    with pytest.raises(ModelFileError, match="not valid text"):
        field.text()
