"""Spell out the classifier's matrix product as products and sums, for Turing GPUs.

TensorRT for RTX 1.7 refuses an fp32 matrix product for compute capability 7.5 ("FP32 GEMM is not
supported"), while fp32 convolutions and element-wise steps are fine. The classifier's product is
tiny (8 rows), must stay in fp32, and one plan shall serve Turing to Blackwell.
"""

from typing import Any

import numpy as np

from lanet_engines.errors import EngineBuildError

_LINEAR_OPS = ("Gemm", "MatMul")


def find_head(model: Any) -> list[Any]:
    """Return the last linear layer and everything behind it, in graph order.

    Args:
        model: `onnx.ModelProto`.

    Raises:
        EngineBuildError: The model has no linear layer with stored weights.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    nodes = list(model.graph.node)
    last = max(
        (i for i, n in enumerate(nodes) if n.op_type in _LINEAR_OPS and n.input[1] in stored),
        default=None,
    )
    if last is None:
        raise EngineBuildError("The model has no linear classifier at its end.")
    head = [nodes[last]]
    behind = set(nodes[last].output)
    for node in nodes[last + 1 :]:
        if behind.intersection(node.input):
            head.append(node)
            behind.update(node.output)
    return head


def spell_out_linear(model: Any) -> None:
    """Replace the classifier's Gemm or MatMul by Mul and ReduceSum, in place.

    Args:
        model: `onnx.ModelProto`, operator set 13 or newer.

    Raises:
        EngineBuildError: The model has no linear layer, or one of an unusual form.
    """
    import onnx

    node = find_head(model)[0]
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    unusual = {"alpha": 1.0, "beta": 1.0, "transA": 0}
    if any(attributes.get(name, usual) != usual for name, usual in unusual.items()):
        raise EngineBuildError("The model's linear classifier has an unusual form.")
    weight = onnx.numpy_helper.to_array(stored[node.input[1]])
    rows = weight if attributes.get("transB", 0) else weight.T  # (C, K)
    name = node.output[0]
    parts = {f"{name}_{part}": part for part in ("rows", "axis_1", "axis_2")}
    rows_name, axis_1, axis_2 = parts
    model.graph.initializer.extend(
        [
            onnx.numpy_helper.from_array(np.ascontiguousarray(rows)[None], rows_name),  # (1, C, K)
            onnx.numpy_helper.from_array(np.array([1]), axis_1),
            onnx.numpy_helper.from_array(np.array([2]), axis_2),
        ]
    )
    has_bias = len(node.input) > 2
    make = onnx.helper.make_node
    steps = [
        make("Unsqueeze", [node.input[0], axis_1], [f"{name}_column"]),  # (N, 1, K)
        make("Mul", [f"{name}_column", rows_name], [f"{name}_products"]),  # (N, C, K)
        make(
            "ReduceSum",
            [f"{name}_products", axis_2],
            [f"{name}_sums" if has_bias else name],
            keepdims=0,
        ),
    ]
    if has_bias:
        steps.append(make("Add", [f"{name}_sums", node.input[2]], [name]))
    _replace(model.graph, node, steps)


def drop_unused_tensors(model: Any) -> None:
    """Remove stored tensors that no operator reads, in place."""
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _replace(graph: Any, old: Any, new: list[Any]) -> None:
    nodes = []
    for node in graph.node:
        nodes += new if node is old or node == old else [node]
    copies = [type(old).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
