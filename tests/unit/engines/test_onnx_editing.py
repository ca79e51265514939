"""The edits made to a model before TensorRT compiles it, run by ONNX Runtime and compared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanet_engines.errors import EngineBuildError
from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.onnx_model.folding import FOLDED_INPUT_NAME, fold_preprocessing
from lanet_engines.onnx_model.half import to_half
from lanet_engines.onnx_model.linear import spell_out_linear
from lanet_engines.parity import softmax
from lanet_engines.preprocessing import preprocess
from tests.onnx_bytes import write_node, write_tensor
from tests.tiny_model import tiny_model_bytes, tiny_spec, write_tiny_model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

CROPS = np.random.default_rng(2).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


def run(content: bytes, feed: dict[str, Any]) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options).run(None, feed)[0]


def load_folded(path: Path) -> Any:
    model = read_model_file(path)
    return onnx.load_from_string(fold_preprocessing(model.content, model.spec))


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_folded_graph_equals_the_reference_preprocessing(tmp_path: Path, color: str) -> None:
    spec = tiny_spec(color=color)
    model = read_model_file(write_tiny_model(tmp_path / "tiny.onnx", spec))
    folded = fold_preprocessing(model.content, spec)
    onnx.checker.check_model(onnx.load_from_string(folded), full_check=True)
    wanted = run(model.content, {"crops": preprocess(CROPS, spec)})
    given = run(folded, {FOLDED_INPUT_NAME: CROPS})
    # fp32 rounding of another order of the same sums.
    np.testing.assert_allclose(given, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_folded_pixels_equal_the_reference_pixels(tmp_path: Path, color: str) -> None:
    """The preprocessing alone: the graph's body passes one pixel of each plane through."""
    spec = tiny_spec(color=color, labels=("a", "b", "c"))
    pick = np.zeros((3 * 32 * 32, 3), dtype=np.float32)
    pick[[5, 1024 + 70, 2048 + 999], [0, 1, 2]] = 1
    content = tiny_model_bytes(
        spec,
        nodes=[
            write_node("Flatten", ["crops"], "flat"),
            write_node("MatMul", ["flat", "pick"], "logits"),
        ],
        tensors=[write_tensor("pick", pick)],
    )
    path = tmp_path / "pick.onnx"
    path.write_bytes(content)
    given = run(fold_preprocessing(content, spec), {FOLDED_INPUT_NAME: CROPS})
    planes = preprocess(CROPS, spec).reshape(6, 3, -1)
    wanted = planes[:, [0, 1, 2], [5, 70, 999]]
    np.testing.assert_allclose(given, wanted, rtol=0, atol=1e-6)


def test_spelled_out_classifier_gives_the_same_logits(tiny_model_path: Path) -> None:
    edited = load_folded(tiny_model_path)
    wanted = run(edited.SerializeToString(), {FOLDED_INPUT_NAME: CROPS})
    spell_out_linear(edited)
    onnx.checker.check_model(edited, full_check=True)
    assert not {"Gemm", "MatMul"} & {node.op_type for node in edited.graph.node}
    given = run(edited.SerializeToString(), {FOLDED_INPUT_NAME: CROPS})
    np.testing.assert_allclose(given, wanted, rtol=0, atol=2e-5)


def test_half_model_keeps_both_ends_in_fp32_and_its_answers(tiny_model_path: Path) -> None:
    edited = load_folded(tiny_model_path)
    wanted = softmax(run(edited.SerializeToString(), {FOLDED_INPUT_NAME: CROPS}), 1.0)
    to_half(edited)
    onnx.checker.check_model(edited, full_check=True)
    types = {tensor.name: tensor.data_type for tensor in edited.graph.initializer}
    assert types["conv.weight_half"] == onnx.TensorProto.FLOAT16
    assert types["head.weight"] == onnx.TensorProto.FLOAT
    assert "conv.weight" not in types
    given = softmax(run(edited.SerializeToString(), {FOLDED_INPUT_NAME: CROPS}), 1.0)
    difference = np.abs(given - wanted).max()
    assert 0 < difference < 5e-3


def test_both_edits_go_together(tiny_model_path: Path) -> None:
    edited = load_folded(tiny_model_path)
    to_half(edited)
    spell_out_linear(edited)
    onnx.checker.check_model(edited, full_check=True)
    assert run(edited.SerializeToString(), {FOLDED_INPUT_NAME: CROPS}).dtype == np.float32


def test_weight_too_large_for_fp16_is_refused(tmp_path: Path) -> None:
    weight = np.full((6, 3, 5, 5), 1e6, dtype=np.float32)
    model = onnx.load_from_string(tiny_model_bytes())
    for tensor in model.graph.initializer:
        if tensor.name == "conv.weight":
            tensor.CopyFrom(onnx.numpy_helper.from_array(weight, "conv.weight"))
    path = tmp_path / "large.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(EngineBuildError, match=r"conv\.weight holds 1e\+06, too large for fp16"):
        to_half(load_folded(path))


def test_model_without_linear_layer_is_refused(tmp_path: Path) -> None:
    nodes = [
        write_node("Conv", ["crops", "conv.weight", "conv.bias"], "maps"),
        write_node("GlobalAveragePool", ["maps"], "pooled"),
        write_node("Flatten", ["pooled"], "logits"),
    ]
    path = tmp_path / "conv.onnx"
    path.write_bytes(tiny_model_bytes(tiny_spec(labels=tuple("abcdef")), nodes=nodes))
    with pytest.raises(EngineBuildError, match="no linear classifier"):
        spell_out_linear(load_folded(path))
