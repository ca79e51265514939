"""Check an ONNX file before any runtime sees it, and read the model's own description.

A model file may come from anywhere. It is parsed as protobuf, without the data files it may point
to: nothing is unpickled and no code of the file runs. What it declares is checked against what it
holds, and only then do the same bytes go to a runtime.
"""

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lanet_engines.errors import ModelFileError
from lanet_engines.onnx_model.tensors import check_tensors, require_text
from lanet_engines.spec import METADATA_KEY, ModelSpec

MAX_MODEL_BYTES: Final = 512 * 1024**2
MIN_OPSET: Final = 13
INPUT_NAME: Final = "crops"
OUTPUT_NAME: Final = "logits"
_MAX_NODES: Final = 50_000
_MAX_METADATA: Final = 1000
# Number of the field `graph` in ModelProto (onnx.proto).
_GRAPH_FIELD: Final = 7

# What feed-forward image classifiers are made of. Control flow, random numbers, string handling
# and anything that runs code from elsewhere are left out on purpose.
_OPS: Final = (
    "Abs Add And ArgMax AveragePool BatchNormalization Cast Ceil Clip Concat Constant "
    "Conv DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp "
    "Expand Flatten Floor Gather Gelu Gemm GlobalAveragePool GlobalMaxPool Greater "
    "GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization LRN "
    "LayerNormalization LeakyRelu Less Log LogSoftmax MatMul Max MaxPool Min Mish Mul Neg Not Pad "
    "Pow PRelu QuantizeLinear Range Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum "
    "Relu Reshape Resize Round Selu Shape Sigmoid Sign Slice Softmax Softplus SpaceToDepth Split "
    "Sqrt Squeeze Sub Sum Tanh Transpose Unsqueeze Where "
)
ALLOWED_OPS: Final = frozenset(_OPS.split())
ALLOWED_DOMAINS: Final = frozenset({"", "ai.onnx"})


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A checked ONNX model.

    Attributes:
        path: Where it was read from.
        content: The bytes that were checked; runtimes are given these, not the path.
        sha256: Of the bytes, followed by those of the external data files if there are any, hex.
        size_bytes: Of the ONNX file.
        spec: The model's description.
        producer: Program that wrote the file, e.g. "pytorch 2.9".
        opset: Version of the standard operator set.
        op_types: Operators in use, sorted.
        n_parameters: Numbers in all stored tensors.
        external_files: Data files beside the model, inside its folder; empty as a rule.
    """

    path: Path
    content: bytes = field(repr=False)
    sha256: str
    size_bytes: int
    spec: ModelSpec
    producer: str
    opset: int
    op_types: tuple[str, ...]
    n_parameters: int
    external_files: tuple[Path, ...]


def read_model_file(path: Path) -> ModelFile:
    """Read and check one ONNX file.

    Args:
        path: The file.

    Returns:
        The checked model with its description.

    Raises:
        ModelFileError: The file cannot be read, is not ONNX, is damaged, lacks the description,
            uses an operator that is not allowed, declares more data than it holds, or points to
            data outside its folder.
    """
    path = Path(path)
    content = _read_bounded(path)
    try:
        model = parse_model(content)
        opset = _check_opsets(model)
        _check_graph(model)
        tensors = _all_tensors(model.graph)
        external_files = check_tensors(tensors, path.parent)
        spec = _read_spec(model)
        _check_interface(model.graph, spec)
        if not external_files:
            _check_standard(model)
    except ModelFileError as error:
        raise ModelFileError(f"The model {path} cannot be used. {error}") from error
    return ModelFile(
        path=path,
        content=content,
        sha256=_hash(content, external_files),
        size_bytes=len(content),
        spec=spec,
        producer=f"{model.producer_name[:100]} {model.producer_version[:100]}".strip(),
        opset=opset,
        op_types=tuple(sorted({node.op_type for node in model.graph.node})),
        n_parameters=sum(math.prod(tensor.dims) for tensor in tensors),
        external_files=external_files,
    )


def parse_model(content: bytes) -> Any:
    """Parse an `onnx.ModelProto`; external data stay where they are.

    Raises:
        ModelFileError: The bytes are no ONNX model, or hold parts that are never used here.
    """
    # Imported here: only what opens a model needs them.
    import onnx
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.message import DecodeError
    from google.protobuf.unknown_fields import UnknownFieldSet

    try:
        model = onnx.load_model_from_string(content)
        fields = UnknownFieldSet(Empty.FromString(content))
    except DecodeError as error:
        raise ModelFileError(
            "The file is not an ONNX model, or it is cut off or damaged."
        ) from error
    # Parsers merge repeated graphs; a file that has two is not what an exporter writes.
    n_graphs = sum(part.field_number == _GRAPH_FIELD for part in fields)
    if n_graphs != 1:
        raise ModelFileError(f"The file is not an ONNX model: it has {n_graphs} graphs.")
    if model.training_info or model.functions:
        raise ModelFileError("It has training steps or functions, which are not allowed.")
    return model


def _read_bounded(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ModelFileError(f"There is no model file {path}.")
        size_bytes = path.stat().st_size
        if size_bytes > MAX_MODEL_BYTES:
            raise ModelFileError(
                f"The model {path} has {size_bytes / 1e6:.0f} MB; "
                f"at most {MAX_MODEL_BYTES / 1e6:.0f} MB are read."
            )
        with path.open("rb") as file:
            return file.read(MAX_MODEL_BYTES)
    except OSError as error:
        raise ModelFileError(f"The model {path} cannot be read: {error.strerror}.") from error


def _hash(content: bytes, external_files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256(content)
    for path in external_files:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _check_opsets(model: Any) -> int:
    # Importing another domain does nothing by itself; a node in it is refused below.
    require_text(
        model.producer_name, model.producer_version, *(e.domain for e in model.opset_import)
    )
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    opset: int | None = opsets.get("", opsets.get("ai.onnx"))
    if opset is None:
        raise ModelFileError("It is not an ONNX model: it names no operator set.")
    if opset < MIN_OPSET:
        raise ModelFileError(f"It uses operator set {opset}; {MIN_OPSET} or newer is needed.")
    return opset


def _check_graph(model: Any) -> None:
    graph = model.graph
    if not graph.node:
        raise ModelFileError("It is not an ONNX model: its graph has no operators.")
    if len(graph.node) > _MAX_NODES:
        raise ModelFileError("It has far more operators than a real model.")
    for node in graph.node:
        _check_node(node)
    if graph.sparse_initializer:
        raise ModelFileError("It has sparse tensors, which are not allowed.")


def _check_node(node: Any) -> None:
    attribute_names = (attribute.name for attribute in node.attribute)
    require_text(node.name, node.op_type, node.domain, *node.input, *node.output, *attribute_names)
    if node.domain not in ALLOWED_DOMAINS:
        raise ModelFileError(
            f"It uses the operator {node.op_type[:200]!r} of the domain {node.domain[:200]!r}; "
            "only standard ONNX operators are allowed."
        )
    if node.op_type not in ALLOWED_OPS:
        raise ModelFileError(
            f"It uses the operator {node.op_type[:200]!r}, which is unknown here or not allowed "
            "in an expression model."
        )
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise ModelFileError("It has a graph inside an operator, which is not allowed.")
        if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
            raise ModelFileError("It has sparse tensors, which are not allowed.")


def _all_tensors(graph: Any) -> list[Any]:
    """Return every tensor the file stores, those inside operators included."""
    inside = [attribute for node in graph.node for attribute in node.attribute]
    constants = [attribute.t for attribute in inside if attribute.HasField("t")]
    lists = [tensor for attribute in inside for tensor in attribute.tensors]
    return [*graph.initializer, *constants, *lists]


def _check_standard(model: Any) -> None:
    """Let the ONNX project's own checker look at types, attributes and names."""
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().split("\n", maxsplit=1)[0]
        raise ModelFileError(f"It breaks the ONNX standard: {reason}") from error


def _read_spec(model: Any) -> ModelSpec:
    metadata: dict[str, str] = {}
    for entry in model.metadata_props:
        require_text(entry.key, entry.value)
        if entry.key in metadata or len(metadata) >= _MAX_METADATA:
            raise ModelFileError(f"Its metadata names {entry.key[:100]!r} twice, or is too long.")
        metadata[entry.key] = entry.value
    text = metadata.get(METADATA_KEY)
    if text is None:
        raise ModelFileError(
            f"It has no description of itself (metadata {METADATA_KEY!r}); "
            "export it with lanet-train export."
        )
    return ModelSpec.from_json(text)


def _check_interface(graph: Any, spec: ModelSpec) -> None:
    """The graph must take and give what `ModelSpec` promises."""
    import onnx

    side = spec.input_size_px
    # Old exporters list stored tensors among the inputs too.
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    require_text(graph.name, *(value.name for value in (*graph.input, *graph.output)))
    expected = (
        (inputs, INPUT_NAME, (None, 3, side, side)),
        (list(graph.output), OUTPUT_NAME, (None, len(spec.labels))),
    )
    for values, name, shape in expected:
        if [value.name for value in values] != [name]:
            raise ModelFileError(
                f"It must have one tensor {name!r}, it has {[value.name for value in values]}."
            )
        tensor_type = values[0].type.tensor_type
        given = [_size_of(dimension) for dimension in tensor_type.shape.dim]
        fits = len(given) == len(shape) and all(
            size in (None, wanted) for size, wanted in zip(given[1:], shape[1:], strict=True)
        )
        if tensor_type.elem_type != onnx.TensorProto.FLOAT or not fits:
            raise ModelFileError(f"Its tensor {name!r} must be float32 of shape {shape}.")
        if given[0] is not None:
            raise ModelFileError(
                f"Its tensor {name!r} has a fixed batch size; export it with a dynamic one."
            )


def _size_of(dimension: Any) -> int | None:
    """Return the size of a dimension; None for a dynamic one."""
    return dimension.dim_value if dimension.WhichOneof("value") == "dim_value" else None
