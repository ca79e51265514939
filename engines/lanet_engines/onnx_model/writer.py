"""Write the pieces of an ONNX file: nodes, tensors, inputs and outputs, a whole model.

Enough to put preprocessing in front of a graph (`lanet_engines.onnx_model.folding`) and to make
small models; it needs no `onnx` package. Field numbers are those of `onnx.proto`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_engines.onnx_model.wire import write_field

IR_VERSION: Final = 8
_ELEMENT_TYPES: Final = {"float32": 1, "uint8": 2, "int64": 7, "float16": 10}
_INT_ATTRIBUTE: Final = 2
_INTS_ATTRIBUTE: Final = 7


def write_node(
    op_type: str,
    inputs: Sequence[str],
    output: str,
    attributes: Mapping[str, int | Sequence[int]] | None = None,
) -> bytes:
    """Encode a NodeProto of the standard domain with integer attributes, named as its output."""
    parts = [write_field(1, name) for name in inputs]
    parts += [write_field(2, output), write_field(3, output), write_field(4, op_type)]
    for name, value in (attributes or {}).items():
        if isinstance(value, int):
            body = write_field(3, value) + write_field(20, _INT_ATTRIBUTE)
        else:
            body = b"".join(write_field(8, number) for number in value)
            body += write_field(20, _INTS_ATTRIBUTE)
        parts.append(write_field(5, write_field(1, name) + body))
    return b"".join(parts)


def write_tensor(name: str, values: NDArray[Any]) -> bytes:
    """Encode a TensorProto with the bytes of an array."""
    little_endian = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return b"".join(
        [
            *(write_field(1, size) for size in values.shape),
            write_field(2, _ELEMENT_TYPES[values.dtype.name]),
            write_field(8, name),
            write_field(9, little_endian.tobytes()),
        ]
    )


def write_value(name: str, dtype: str, shape: Sequence[int | str]) -> bytes:
    """Encode a ValueInfoProto; a text stands for a dynamic dimension."""
    dims = [write_field(1, write_field(1 if isinstance(d, int) else 2, d)) for d in shape]
    tensor_type = write_field(1, _ELEMENT_TYPES[dtype]) + write_field(2, b"".join(dims))
    return write_field(1, name) + write_field(2, write_field(1, tensor_type))


def write_model(
    *,
    nodes: Sequence[bytes],
    tensors: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    metadata: Mapping[str, str],
    opset: int = 17,
) -> bytes:
    """Encode a ModelProto from encoded parts."""
    graph = [write_field(1, node) for node in nodes]
    graph.append(write_field(2, "graph"))
    graph += [write_field(5, tensor) for tensor in tensors]
    graph += [write_field(11, value) for value in inputs]
    graph += [write_field(12, value) for value in outputs]
    entries = [write_field(14, write_field(1, k) + write_field(2, v)) for k, v in metadata.items()]
    return b"".join(
        [
            write_field(1, IR_VERSION),
            write_field(2, "lanet"),
            write_field(7, b"".join(graph)),
            write_field(8, write_field(1, "") + write_field(2, opset)),
            *entries,
        ]
    )
