"""Put the arithmetic of `lanet_engines.preprocessing` in front of an ONNX graph.

For runtimes that take an ONNX file and offer no way to edit the graph.
"""

from typing import Any, Final

import numpy as np

from lanet_engines.onnx_model.file import INPUT_NAME
from lanet_engines.preprocessing import LUMA_BGR
from lanet_engines.spec import ModelSpec

FOLDED_INPUT_NAME: Final = "crops_bgr"
_PREFIX: Final = "lanet_preprocess_"


def fold_preprocessing(content: bytes, spec: ModelSpec) -> bytes:
    """Return the model with an input `crops_bgr`, (N, S, S, 3) uint8, instead of `crops`.

    Args:
        content: A checked model (`lanet_engines.onnx_model.file.read_model_file`).
        spec: Its description: colour handling, mean and std.

    Returns:
        The bytes of the new model.
    """
    import onnx

    model = onnx.load_model_from_string(content)
    graph, side = model.graph, spec.input_size_px
    new_input = onnx.helper.make_tensor_value_info(
        FOLDED_INPUT_NAME, onnx.TensorProto.UINT8, ("batch", side, side, 3)
    )
    for value in graph.input:
        if value.name == INPUT_NAME:
            value.CopyFrom(new_input)
    graph.initializer.extend(
        onnx.numpy_helper.from_array(array, _PREFIX + name)
        for name, array in _tensors(spec).items()
    )
    # Operators must stand in the order of their use, so the new ones come first.
    body = list(graph.node)
    del graph.node[:]
    graph.node.extend([*_nodes(spec), *body])
    return bytes(model.SerializeToString())


def _nodes(spec: ModelSpec) -> list[Any]:
    import onnx

    def node(op_type: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        names = [name if name == FOLDED_INPUT_NAME else _PREFIX + name for name in inputs]
        return onnx.helper.make_node(op_type, names, [output], name=output, **attributes)

    def step(op_type: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        return node(op_type, inputs, _PREFIX + output, **attributes)

    if spec.color == "gray":
        ordering = [
            step("Mul", ["planes", "luma"], "weighed"),
            step("ReduceSum", ["weighed", "axis"], "ordered"),
        ]
    else:
        ordering = [step("Gather", ["planes", "bgr_to_rgb"], "ordered", axis=1)]
    return [
        step("Cast", [FOLDED_INPUT_NAME], "float", to=onnx.TensorProto.FLOAT),
        step("Transpose", ["float"], "planes", perm=(0, 3, 1, 2)),
        *ordering,
        step("Mul", ["ordered", "scale"], "scaled"),
        node("Sub", ["scaled", "shift"], INPUT_NAME),
    ]


def _tensors(spec: ModelSpec) -> dict[str, Any]:
    mean = np.array(spec.mean, dtype=np.float32).reshape(1, 3, 1, 1)
    std = np.array(spec.std, dtype=np.float32).reshape(1, 3, 1, 1)
    values = {"scale": 1 / (np.float32(255) * std), "shift": mean / std}
    if spec.color == "gray":
        return values | {"luma": LUMA_BGR.reshape(1, 3, 1, 1), "axis": np.array([1])}
    return values | {"bgr_to_rgb": np.array([2, 1, 0])}
