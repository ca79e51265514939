"""ONNX files piece by piece, as bytes: small models, and broken ones that no library would write.

Field numbers are those of `onnx.proto`; the encoding is protobuf's
(https://protobuf.dev/programming-guides/encoding/).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

_IR_VERSION = 8
_VARINT, _BYTES = 0, 2


def write_varint(value: int) -> bytes:
    """Encode a number; a negative one as two's complement of 64 bits."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def write_field(number: int, value: int | str | bytes) -> bytes:
    """Encode one field: a number as varint, anything else with its length in front."""
    if isinstance(value, int):
        return write_varint(number << 3 | _VARINT) + write_varint(value)
    payload = value.encode("utf-8") if isinstance(value, str) else value
    return write_varint(number << 3 | _BYTES) + write_varint(len(payload)) + payload


def write_node(
    op_type: str,
    inputs: Sequence[str],
    output: str,
    attributes: Mapping[str, int | Sequence[int]] | None = None,
) -> bytes:
    """Encode an operator, named as its output."""
    made = onnx.helper.make_node(op_type, inputs, [output], name=output, **(attributes or {}))
    return bytes(made.SerializeToString())


def write_tensor(name: str, values: NDArray[Any]) -> bytes:
    """Encode a stored tensor."""
    return bytes(
        onnx.numpy_helper.from_array(np.ascontiguousarray(values), name).SerializeToString()
    )


def write_value(name: str, dtype: str, shape: Sequence[int | str]) -> bytes:
    """Encode an input or output; a text stands for a dynamic dimension."""
    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return bytes(onnx.helper.make_tensor_value_info(name, element, shape).SerializeToString())


def write_model(
    *,
    nodes: Sequence[bytes],
    tensors: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    metadata: Mapping[str, str],
    opset: int = 17,
) -> bytes:
    """Put encoded parts together."""
    graph = [write_field(1, node) for node in nodes]
    graph.append(write_field(2, "graph"))
    for number, parts in ((5, tensors), (11, inputs), (12, outputs)):
        graph += [write_field(number, part) for part in parts]
    head = [write_field(1, _IR_VERSION), write_field(2, "lanet"), write_field(7, b"".join(graph))]
    head.append(write_field(8, write_field(1, "") + write_field(2, opset)))
    entries = [write_field(14, write_field(1, k) + write_field(2, v)) for k, v in metadata.items()]
    return b"".join([*head, *entries])
