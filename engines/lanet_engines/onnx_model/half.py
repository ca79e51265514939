"""Make an fp16 ONNX model out of the fp32 one, for runtimes that take precision from the graph.

A strongly typed network computes each step in the type the file gives it. The preprocessing keeps
fp32, since raw pixel arithmetic loses accuracy in half precision; so does the classifier, whose
logits go into the softmax. Everything between them becomes fp16.
"""

from typing import Any, Final

import numpy as np

from lanet_engines.errors import EngineBuildError
from lanet_engines.onnx_model.file import INPUT_NAME
from lanet_engines.onnx_model.linear import drop_unused_tensors, find_head

_HALF_MAX: Final = 65504.0
# Inputs that the ONNX standard wants in fp32 whatever the data is: operator -> positions.
_FLOAT_ONLY_INPUTS: Final = {"Resize": (1, 2)}


def to_half(model: Any) -> None:
    """Convert the body of a model to fp16, in place.

    Args:
        model: `onnx.ModelProto` with preprocessing folded in (`lanet_engines.onnx_model.folding`):
            the tensor `crops` is where the body begins.

    Raises:
        EngineBuildError: A weight does not fit fp16, or the graph has a form that is not known.
    """
    _Halving(model).run()


class _Halving:
    """One conversion: which tensors are fp32, and what was added for them."""

    def __init__(self, model: Any) -> None:
        import onnx

        self._onnx = onnx
        self._model = model
        self._float = onnx.TensorProto.FLOAT
        self._half = onnx.TensorProto.FLOAT16
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._types = self._infer_types()
        self._halved: set[str] = set()
        self._casts: set[str] = set()
        self._nodes: list[Any] = []

    def run(self) -> None:
        head = {node.output[0] for node in find_head(self._model)}
        before = self._preprocessing()
        for node in list(self._model.graph.node):
            if node.output[0] in head:
                self._keep_float(node)
            elif node.output[0] not in before:
                self._make_half(node)
            self._nodes.append(node)
        copies = [type(node).FromString(node.SerializeToString()) for node in self._nodes]
        del self._model.graph.node[:]
        self._model.graph.node.extend(copies)
        del self._model.graph.value_info[:]
        drop_unused_tensors(self._model)

    def _infer_types(self) -> dict[str, int]:
        """Element type of every tensor, by name."""
        try:
            inferred = self._onnx.shape_inference.infer_shapes(self._model, strict_mode=True)
        except self._onnx.shape_inference.InferenceError as error:
            raise EngineBuildError(f"The model's types cannot be inferred: {error}") from error
        graph = inferred.graph
        values = [*graph.input, *graph.output, *graph.value_info]
        types = {value.name: value.type.tensor_type.elem_type for value in values}
        return types | {name: tensor.data_type for name, tensor in self._stored.items()}

    def _preprocessing(self) -> set[str]:
        """Outputs of the operators that lead to the body's input."""
        makers = {name: node for node in self._model.graph.node for name in node.output}
        if INPUT_NAME not in makers:
            raise EngineBuildError("The model's preprocessing is not folded in.")
        found: set[str] = set()
        waiting = [INPUT_NAME]
        while waiting:
            name = waiting.pop()
            if name in makers and name not in found:
                found.add(name)
                waiting += makers[name].input
        return found

    def _make_half(self, node: Any) -> None:
        kept = _FLOAT_ONLY_INPUTS.get(node.op_type, ())
        for i, name in enumerate(node.input):
            if not name or self._types.get(name) != self._float:
                continue
            if i in kept:
                if name not in self._stored:
                    raise EngineBuildError(f"The input {name} of {node.op_type} is computed.")
            elif name in self._stored:
                node.input[i] = self._half_copy(name)
            elif name not in self._halved:
                node.input[i] = self._cast(name, "half", self._half)
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == self._float:
                attribute.i = self._half
            elif attribute.HasField("t") and attribute.t.data_type == self._float:
                attribute.t.CopyFrom(self._to_half_tensor(attribute.t, attribute.t.name))
        self._halved.update(name for name in node.output if self._types.get(name) == self._float)

    def _keep_float(self, node: Any) -> None:
        for i, name in enumerate(node.input):
            if name in self._halved:
                node.input[i] = self._cast(name, "float", self._float)

    def _cast(self, name: str, suffix: str, element_type: int) -> str:
        cast_name = f"{name}_{suffix}"
        if cast_name not in self._casts:
            self._casts.add(cast_name)
            make = self._onnx.helper.make_node
            self._nodes.append(make("Cast", [name], [cast_name], name=cast_name, to=element_type))
        return cast_name

    def _half_copy(self, name: str) -> str:
        half_name = f"{name}_half"
        if half_name not in self._stored:
            tensor = self._to_half_tensor(self._stored[name], half_name)
            self._stored[half_name] = tensor
            self._model.graph.initializer.append(tensor)
        return half_name

    def _to_half_tensor(self, tensor: Any, name: str) -> Any:
        values = self._onnx.numpy_helper.to_array(tensor)
        largest = float(np.abs(values).max(initial=0))
        if not largest <= _HALF_MAX:
            raise EngineBuildError(
                f"The tensor {tensor.name} holds {largest:.3g}, too large for fp16; build in fp32."
            )
        return self._onnx.numpy_helper.from_array(values.astype(np.float16), name)
