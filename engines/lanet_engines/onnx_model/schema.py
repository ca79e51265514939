"""The parts of the ONNX protobuf schema that are checked, parsed from untrusted bytes.

Field numbers are those of `onnx.proto` (IR version 3 to 13). Fields not listed here are skipped.
"""

from dataclasses import dataclass, field
from typing import Final

from lanet_engines.errors import ModelFileError
from lanet_engines.onnx_model.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    WireReader,
    as_signed,
    read_packed_varints,
)

MAX_TENSOR_BYTES: Final = 2 * 1024**3
_MAX_NODES: Final = 50_000
_MAX_RANK: Final = 8
_MAX_METADATA: Final = 1000
_EXTERNAL: Final = 1
# Size in bytes of the element types that models use: TensorProto.DataType.
_ELEMENT_BYTES: Final = {
    1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2,
}  # fmt: skip
# Typed data fields of TensorProto: field number -> bytes of an element; None for varints.
_DATA_FIELDS: Final = {4: 4, 5: None, 7: None, 10: 8, 11: None}
_RAW_DATA: Final = 9


@dataclass(frozen=True, slots=True)
class ExternalData:
    """Where a tensor's data lies outside the ONNX file, as the file claims."""

    location: str
    offset: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A stored tensor. `holds_its_data`: whether the file has the bytes it declares."""

    name: str
    n_elements: int
    n_bytes: int
    holds_its_data: bool
    external: ExternalData | None


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of the graph; None stands for a dynamic dimension."""

    name: str
    element_type: int
    shape: tuple[int | None, ...]


@dataclass(slots=True)
class _GraphParts:
    ops: list[tuple[str, str]] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    has_subgraph: bool = False
    has_sparse_tensor: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph: operators as (domain, type), stored tensors, inputs without stored ones, outputs."""

    ops: tuple[tuple[str, str], ...]
    tensors: tuple[Tensor, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    has_subgraph: bool
    has_sparse_tensor: bool


@dataclass(frozen=True, slots=True)
class Model:
    """A model: producer, operator sets by domain, metadata and the graph."""

    producer: str
    opsets: dict[str, int]
    metadata: dict[str, str]
    graph: Graph


def parse_model(content: memoryview) -> Model:
    """Parse the checked parts of a ModelProto.

    Raises:
        ModelFileError: The bytes are not a model, or are damaged.
    """
    reader = WireReader()
    producer = ["", ""]
    opsets: dict[str, int] = {}
    metadata: dict[str, str] = {}
    graphs: list[Graph] = []
    for part in reader.fields(content):
        match part.number, part.wire_type:
            case (2 | 3, 2):
                producer[part.number - 2] = part.text()[:100]
            case (7, 2):
                graphs.append(_parse_graph(reader, part.data))
            case (8, 2):
                domain, version = _parse_opset(reader, part.data)
                opsets[domain] = version
            case (14, 2):
                key, value = _parse_entry(reader, part.data)
                if key in metadata or len(metadata) >= _MAX_METADATA:
                    raise ModelFileError(f"Its metadata names {key[:100]!r} twice, or is too long.")
                metadata[key] = value
            case (20 | 25, _):
                raise ModelFileError("It has training steps or functions, which are not allowed.")
    # Parsers merge repeated graphs; a file that has two is not what an exporter writes.
    if len(graphs) != 1:
        raise ModelFileError(f"The file is not an ONNX model: it has {len(graphs)} graphs.")
    return Model(" ".join(producer).strip(), opsets, metadata, graphs[0])


def _parse_opset(reader: WireReader, message: memoryview) -> tuple[str, int]:
    domain, version = "", 0
    for part in reader.fields(message):
        if part.number == 1:
            domain = part.text()
        elif part.number == 2:
            version = part.value
    return domain, version


def _parse_entry(reader: WireReader, message: memoryview) -> tuple[str, str]:
    key, value = "", ""
    for part in reader.fields(message):
        if part.number == 1:
            key = part.text()
        elif part.number == 2:
            value = part.text()
    return key, value


def _parse_graph(reader: WireReader, message: memoryview) -> Graph:
    parts = _GraphParts()
    stored_names = set()
    for part in reader.fields(message):
        match part.number:
            case 1:
                if len(parts.ops) >= _MAX_NODES:
                    raise ModelFileError("It has far more operators than a real model.")
                _parse_node(reader, part.data, parts)
            case 2:
                part.text()
            case 5:
                tensor = _parse_tensor(reader, part.data)
                stored_names.add(tensor.name)
                parts.tensors.append(tensor)
            case 11:
                parts.inputs.append(_parse_value(reader, part.data))
            case 12:
                parts.outputs.append(_parse_value(reader, part.data))
            case 15:
                parts.has_sparse_tensor = True
    # Old exporters list stored tensors among the inputs too.
    inputs = tuple(value for value in parts.inputs if value.name not in stored_names)
    return Graph(
        tuple(parts.ops),
        tuple(parts.tensors),
        inputs,
        tuple(parts.outputs),
        parts.has_subgraph,
        parts.has_sparse_tensor,
    )


def _parse_node(reader: WireReader, message: memoryview, parts: _GraphParts) -> None:
    op_type, domain = "", ""
    for part in reader.fields(message):
        match part.number:
            case 1 | 2 | 3:
                part.text()  # names of tensors and of the node; runtimes stumble over bad text
            case 4:
                op_type = part.text()
            case 5:
                _parse_attribute(reader, part.data, parts)
            case 7:
                domain = part.text()
    parts.ops.append((domain[:200], op_type[:200]))


def _parse_attribute(reader: WireReader, message: memoryview, parts: _GraphParts) -> None:
    for part in reader.fields(message):
        match part.number:
            case 1:
                part.text()
            case 5 | 10:
                parts.tensors.append(_parse_tensor(reader, part.data))
            case 6 | 11:
                parts.has_subgraph = True
            case 22 | 23:
                parts.has_sparse_tensor = True


def _parse_tensor(reader: WireReader, message: memoryview) -> Tensor:
    name = ""
    dims: list[int] = []
    element_type = 0
    is_external = False
    external: dict[str, str] = {}
    n_raw_bytes: int | None = None
    capacity = 0
    for part in reader.fields(message):
        match part.number:
            case 1:
                dims += _numbers(part)
            case 2:
                element_type = part.value
            case 8:
                name = part.text()[:200]
            case 9:
                n_raw_bytes = len(part.data)
            case 13:
                key, value = _parse_entry(reader, part.data)
                if key in external:
                    raise ModelFileError(f"The tensor {name!r} names its data file twice.")
                external[key] = value
            case 14:
                is_external = part.value == _EXTERNAL
            case 4 | 5 | 7 | 10 | 11:
                capacity += _capacity(part)
    n_elements, n_bytes = _declared_size(name, dims, element_type)
    holds = n_elements <= capacity if n_raw_bytes is None else n_bytes == n_raw_bytes
    # `external_data` entries count whatever the location flag says: a runtime may read either.
    source = _external(name, external) if is_external or external else None
    return Tensor(name, n_elements, n_bytes, holds, source)


def _numbers(part: Field) -> list[int]:
    values = [part.value] if part.wire_type == VARINT else read_packed_varints(part.data)
    return [as_signed(value) for value in values]


def _capacity(part: Field) -> int:
    """At most how many elements a typed data field can hold."""
    if part.wire_type in (VARINT, FIXED32, FIXED64):
        return 1
    element_bytes = _DATA_FIELDS[part.number]
    return len(part.data) // (element_bytes or 1) if part.wire_type == BYTES else 0


def _declared_size(name: str, dims: list[int], element_type: int) -> tuple[int, int]:
    element_bytes = _ELEMENT_BYTES.get(element_type)
    if element_bytes is None:
        raise ModelFileError(f"The tensor {name!r} has an element type that is not supported.")
    if len(dims) > _MAX_RANK or any(dim < 0 for dim in dims):
        raise ModelFileError(f"The tensor {name!r} has an impossible shape.")
    n_elements = 1
    for dim in dims:
        n_elements *= dim
    n_bytes = n_elements * element_bytes
    if n_bytes > MAX_TENSOR_BYTES:
        raise ModelFileError(
            f"The tensor {name!r} declares {n_bytes / 1e9:.1f} GB, "
            f"more than the {MAX_TENSOR_BYTES / 1e9:.1f} GB a model may have."
        )
    return n_elements, n_bytes


def _external(name: str, entries: dict[str, str]) -> ExternalData:
    try:
        offset = int(entries.get("offset", "0")[:20])
    except ValueError as error:
        raise ModelFileError(f"The tensor {name!r} has a damaged data location.") from error
    if offset < 0:
        raise ModelFileError(f"The tensor {name!r} has a damaged data location.")
    return ExternalData(entries.get("location", ""), offset)


def _parse_value(reader: WireReader, message: memoryview) -> Value:
    name, element_type = "", 0
    shape: tuple[int | None, ...] = ()
    for part in reader.fields(message):
        if part.number == 1:
            name = part.text()[:200]
        elif part.number == 2:
            for kind in reader.fields(part.data):
                if kind.number == 1:  # a dense tensor; any other kind keeps element type 0
                    element_type, shape = _parse_tensor_type(reader, kind.data)
    return Value(name, element_type, shape)


def _parse_tensor_type(
    reader: WireReader, message: memoryview
) -> tuple[int, tuple[int | None, ...]]:
    element_type = 0
    shape: list[int | None] = []
    for part in reader.fields(message):
        if part.number == 1:
            element_type = part.value
        elif part.number == 2:
            for dimension in reader.fields(part.data):
                size: int | None = None
                for size_part in reader.fields(dimension.data):
                    if size_part.number == 1:
                        size = as_signed(size_part.value)
                    elif size_part.number == 2:
                        size_part.text()
                shape.append(size)
    return element_type, tuple(shape)
