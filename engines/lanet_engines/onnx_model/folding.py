"""Put the arithmetic of `lanet_engines.preprocessing` in front of an ONNX graph.

For runtimes that take an ONNX file and offer no way to edit the graph. Only the graph's input is
replaced and a few operators are added; every other byte is copied.
"""

from typing import Final

import numpy as np

from lanet_engines.onnx_model.file import INPUT_NAME
from lanet_engines.onnx_model.wire import WireReader, copy_field, write_field
from lanet_engines.onnx_model.writer import write_node, write_tensor, write_value
from lanet_engines.preprocessing import LUMA_BGR
from lanet_engines.spec import ModelSpec

FOLDED_INPUT_NAME: Final = "crops_bgr"
_GRAPH: Final = 7
_NODE: Final = 1
_TENSOR: Final = 5
_INPUT: Final = 11
_FLOAT32: Final = 1
_PREFIX: Final = "lanet_preprocess_"


def fold_preprocessing(content: bytes, spec: ModelSpec) -> bytes:
    """Return the model with an input `crops_bgr`, (N, S, S, 3) uint8, instead of `crops`.

    Args:
        content: A checked model (`lanet_engines.onnx_model.file.read_model_file`).
        spec: Its description: colour handling, mean and std.

    Returns:
        The bytes of the new model.
    """
    reader = WireReader()
    parts = []
    for part in reader.fields(memoryview(content)):
        is_graph = part.number == _GRAPH
        parts.append(
            write_field(_GRAPH, _fold_graph(reader, part.data, spec))
            if is_graph
            else copy_field(part)
        )
    return b"".join(parts)


def _fold_graph(reader: WireReader, graph: memoryview, spec: ModelSpec) -> bytes:
    side = spec.input_size_px
    # Operators must stand in the order of their use, so the new ones come first.
    parts = [write_field(_NODE, node) for node in _nodes(spec)]
    parts += [write_field(_TENSOR, tensor) for tensor in _tensors(spec)]
    for part in reader.fields(graph):
        if part.number == _INPUT and _is_named(reader, part.data, INPUT_NAME):
            new_input = write_value(FOLDED_INPUT_NAME, "uint8", ("batch", side, side, 3))
            parts.append(write_field(_INPUT, new_input))
        else:
            parts.append(copy_field(part))
    return b"".join(parts)


def _is_named(reader: WireReader, value: memoryview, name: str) -> bool:
    return any(part.number == 1 and part.text() == name for part in reader.fields(value))


def _nodes(spec: ModelSpec) -> list[bytes]:
    def name(step: str) -> str:
        return _PREFIX + step

    nodes = [
        write_node("Cast", [FOLDED_INPUT_NAME], name("float"), {"to": _FLOAT32}),
        write_node("Transpose", [name("float")], name("planes"), {"perm": (0, 3, 1, 2)}),
    ]
    if spec.color == "gray":
        nodes += [
            write_node("Mul", [name("planes"), name("luma")], name("weighed")),
            write_node("ReduceSum", [name("weighed"), name("axis")], name("ordered")),
        ]
    else:
        nodes.append(
            write_node("Gather", [name("planes"), name("bgr_to_rgb")], name("ordered"), {"axis": 1})
        )
    return [
        *nodes,
        write_node("Mul", [name("ordered"), name("scale")], name("scaled")),
        write_node("Sub", [name("scaled"), name("shift")], INPUT_NAME),
    ]


def _tensors(spec: ModelSpec) -> list[bytes]:
    mean = np.array(spec.mean, dtype=np.float32).reshape(1, 3, 1, 1)
    std = np.array(spec.std, dtype=np.float32).reshape(1, 3, 1, 1)
    values = {"scale": 1 / (np.float32(255) * std), "shift": mean / std}
    if spec.color == "gray":
        values |= {"luma": LUMA_BGR.reshape(1, 3, 1, 1), "axis": np.array([1])}
    else:
        values["bgr_to_rgb"] = np.array([2, 1, 0])
    return [write_tensor(_PREFIX + name, array) for name, array in values.items()]
