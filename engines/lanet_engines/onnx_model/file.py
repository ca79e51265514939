"""Check an ONNX file before any runtime sees it, and read the model's own description.

A model file may come from anywhere. Its structure is read with `lanet_engines.onnx_model.wire`: no
length in it is trusted, nothing is unpickled and no code of the file runs. Only then do the same
bytes go to a runtime.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lanet_engines.errors import ModelFileError
from lanet_engines.onnx_model.schema import MAX_TENSOR_BYTES, Graph, Tensor, parse_model
from lanet_engines.spec import METADATA_KEY, ModelSpec

MAX_MODEL_BYTES: Final = 512 * 1024**2
MIN_OPSET: Final = 13
FLOAT32: Final = 1
INPUT_NAME: Final = "crops"
OUTPUT_NAME: Final = "logits"

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
        model = parse_model(memoryview(content))
        opset = _check_opsets(model.opsets)
        _check_graph(model.graph)
        external_files = _check_tensors(model.graph.tensors, path.parent)
        spec = _read_spec(model.metadata)
        _check_interface(model.graph, spec)
    except ModelFileError as error:
        raise ModelFileError(f"The model {path} cannot be used. {error}") from error
    return ModelFile(
        path=path,
        content=content,
        sha256=_hash(content, external_files),
        size_bytes=len(content),
        spec=spec,
        producer=model.producer,
        opset=opset,
        op_types=tuple(sorted({op_type for _, op_type in model.graph.ops})),
        n_parameters=sum(tensor.n_elements for tensor in model.graph.tensors),
        external_files=external_files,
    )


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


def _check_opsets(opsets: dict[str, int]) -> int:
    # Importing another domain does nothing by itself; a node in it is refused below.
    opset = opsets.get("", opsets.get("ai.onnx"))
    if opset is None:
        raise ModelFileError("It is not an ONNX model: it names no operator set.")
    if opset < MIN_OPSET:
        raise ModelFileError(f"It uses operator set {opset}; {MIN_OPSET} or newer is needed.")
    return opset


def _check_graph(graph: Graph) -> None:
    if not graph.ops:
        raise ModelFileError("It is not an ONNX model: its graph has no operators.")
    for domain, op_type in graph.ops:
        if domain not in ALLOWED_DOMAINS:
            raise ModelFileError(
                f"It uses the operator {op_type!r} of the domain {domain!r}; "
                "only standard ONNX operators are allowed."
            )
        if op_type not in ALLOWED_OPS:
            raise ModelFileError(
                f"It uses the operator {op_type!r}, which is unknown here or not allowed "
                "in an expression model."
            )
    if graph.has_subgraph:
        raise ModelFileError("It has a graph inside an operator, which is not allowed.")
    if graph.has_sparse_tensor:
        raise ModelFileError("It has sparse tensors, which are not allowed.")


def _check_tensors(tensors: tuple[Tensor, ...], folder: Path) -> tuple[Path, ...]:
    external_files = set()
    n_bytes = 0
    for tensor in tensors:
        n_bytes += tensor.n_bytes
        if n_bytes > MAX_TENSOR_BYTES:
            raise ModelFileError(f"It declares more than {MAX_TENSOR_BYTES / 1e9:.0f} GB of data.")
        if tensor.external is not None:
            external_files.add(_check_external(tensor, folder))
        elif not tensor.holds_its_data:
            raise ModelFileError(
                f"The tensor {tensor.name!r} declares {tensor.n_elements} numbers "
                "but does not hold them."
            )
    return tuple(sorted(external_files))


def _check_external(tensor: Tensor, folder: Path) -> Path:
    assert tensor.external is not None
    location = tensor.external.location
    outside = ModelFileError(
        f"The tensor {tensor.name!r} points to the data file {location!r} "
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
    if tensor.external.offset + tensor.n_bytes > size_bytes:
        raise ModelFileError(f"Its data file {location!r} is shorter than the model says.")
    return path


def _read_spec(metadata: dict[str, str]) -> ModelSpec:
    text = metadata.get(METADATA_KEY)
    if text is None:
        raise ModelFileError(
            f"It has no description of itself (metadata {METADATA_KEY!r}); "
            "export it with lanet-train export."
        )
    return ModelSpec.from_json(text)


def _check_interface(graph: Graph, spec: ModelSpec) -> None:
    """The graph must take and give what `ModelSpec` promises."""
    side = spec.input_size_px
    expected = (
        (graph.inputs, INPUT_NAME, (None, 3, side, side)),
        (graph.outputs, OUTPUT_NAME, (None, len(spec.labels))),
    )
    for values, name, shape in expected:
        if [value.name for value in values] != [name]:
            raise ModelFileError(
                f"It must have one tensor {name!r}, it has {[value.name for value in values]}."
            )
        value = values[0]
        fits = len(value.shape) == len(shape) and all(
            given in (None, wanted)
            for given, wanted in zip(value.shape[1:], shape[1:], strict=True)
        )
        if value.element_type != FLOAT32 or not fits:
            raise ModelFileError(f"Its tensor {name!r} must be float32 of shape {shape}.")
        if value.shape[0] is not None:
            raise ModelFileError(
                f"Its tensor {name!r} has a fixed batch size; export it with a dynamic one."
            )
