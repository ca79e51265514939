from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

from lanet_engines.base import U8Array
from lanet_engines.errors import BackendUnavailable, BuildInterrupted, EngineError, ModelFileError
from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_engines.onnxruntime.engine import open_reference
from lanet_engines.openvino.engine import fold_preprocessing, open_model
from lanet_engines.options import OpenOptions
from lanet_engines.parity import compare
from lanet_engines.preprocessing import preprocess
from tests.onnx_bytes import write_node, write_tensor
from tests.tiny_model import tiny_model_bytes, tiny_spec, write_tiny_model

CROPS: U8Array = np.random.default_rng(5).integers(0, 256, (37, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def model(tiny_model_path: Path) -> ModelFile:
    return read_model_file(tiny_model_path)


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_folded_pixels_equal_the_reference_pixels(color: str) -> None:
    """The preprocessing alone, on a network that gives its input back."""
    spec = tiny_spec(color=color)
    passed = ov.opset13.parameter([-1, 3, 32, 32], np.float32, name="crops")
    network = fold_preprocessing(ov.Model([ov.opset13.relu(passed)], [passed]), spec, 64)
    properties = {"INFERENCE_PRECISION_HINT": "f32"}
    given = ov.Core().compile_model(network, "CPU", properties)(CROPS)[0]
    wanted = np.maximum(preprocess(CROPS, spec), 0)
    np.testing.assert_allclose(given, wanted, rtol=0, atol=1e-6)


def test_precision_is_fp32_unless_asked_otherwise(model: ModelFile) -> None:
    engine = open_model(model, OpenOptions())
    hint = engine.compiled.get_property("INFERENCE_PRECISION_HINT")
    assert hint.to_string() == "f32"
    assert engine.info.precision == "fp32"
    engine.close()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precisions_are_near_or_refused(model: ModelFile, precision: str) -> None:
    capability = precision.upper()
    if capability not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(BackendUnavailable, match=f"does not compute in {precision}"):
            open_model(model, OpenOptions(precision=precision))
        return
    engine, reference = open_model(model, OpenOptions(precision=precision)), open_reference(model)
    report = compare(engine, reference, CROPS)
    assert engine.info.precision == precision
    engine.close()
    reference.close()
    assert report.max_abs_dp < 0.05


def test_bf16_keeps_the_first_half_of_the_layers_in_fp32(model: ModelFile) -> None:
    if "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU does not compute in bf16")
    engine = open_model(model, OpenOptions(precision="bf16"))
    facts = [op.get_rt_info() for op in engine.compiled.get_runtime_model().get_ordered_ops()]
    types = {f["layerType"].astype(str): f["runtimePrecision"].astype(str) for f in facts}
    engine.close()
    assert types["Convolution"] == "f32"
    assert types["FullyConnected"] == "bf16"


def test_int8_of_an_onnx_file_is_refused_with_what_to_do(model: ModelFile) -> None:
    with pytest.raises(BackendUnavailable, match="lanet-train build --target openvino"):
        open_model(model, OpenOptions(precision="int8"))


def test_throughput_mode_gives_the_same_answers(model: ModelFile) -> None:
    fast = open_model(model, OpenOptions(hint="throughput"))
    plain = open_model(model, OpenOptions())
    np.testing.assert_allclose(fast.infer(CROPS), plain.infer(CROPS), atol=1e-4)
    np.testing.assert_allclose(fast.infer(CROPS[:1]), plain.infer(CROPS[:1]), atol=1e-4)
    fast.close()
    plain.close()


class CoreWithGpu(ov.Core):
    """Calls the CPU a GPU, for what is done only for devices that compile slowly."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[dict[str, object]] = []

    @property
    def available_devices(self) -> list[str]:
        return ["GPU"]

    def get_property(self, device: str, name: str) -> Any:
        return super().get_property("CPU", name)

    def compile_model(self, network: ov.Model, device: str, properties: Any) -> ov.CompiledModel:
        assert device == "GPU"
        self.given.append(properties)
        return super().compile_model(network, "CPU", properties)


def test_compiling_for_a_slow_device_is_told_cached_and_can_be_given_up(
    model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = CoreWithGpu()
    monkeypatch.setattr(ov, "Core", lambda: core)
    seen: list[tuple[str, float]] = []

    def go_on(what: str, share: float) -> bool:
        seen.append((what, share))
        return True

    options = OpenOptions(device="GPU", cache_folder=tmp_path, on_progress=go_on)
    open_model(model, options).close()
    assert seen == [("Compiling for GPU", 0.0), ("Compiling for GPU", 1.0)]
    assert core.given[0]["CACHE_DIR"] == str(tmp_path / "openvino")
    assert any((tmp_path / "openvino").iterdir())
    with pytest.raises(BuildInterrupted, match="what was compiled is kept"):
        open_model(model, replace(options, on_progress=lambda what, share: False))


def test_number_of_threads_is_taken(model: ModelFile) -> None:
    engine = open_model(model, OpenOptions(threads=1))
    assert engine.compiled.get_property("INFERENCE_NUM_THREADS") == 1
    engine.close()


def test_absent_device_is_refused_by_name(model: ModelFile) -> None:
    with pytest.raises(BackendUnavailable, match=r"no device 'GPU\.7'.*CPU"):
        open_model(model, OpenOptions(device="GPU.7"))


def test_graph_that_openvino_cannot_read_is_a_model_error(tmp_path: Path) -> None:
    nodes = [write_node("Conv", ["crops", "head.weight"], "logits")]  # two dimensions, not four
    path = tmp_path / "broken.onnx"
    path.write_bytes(tiny_model_bytes(nodes=nodes))
    with pytest.raises(ModelFileError, match=r"cannot read the model .*broken\.onnx"):
        open_model(read_model_file(path), OpenOptions())


def test_model_that_answers_nonsense_fails_on_opening(tmp_path: Path) -> None:
    spec = tiny_spec(std=(1e-38, 1e-38, 1e-38))  # pixels become infinite
    path = write_tiny_model(tmp_path / "nan.onnx", spec)
    with pytest.raises(EngineError, match="no usable answer on openvino"):
        open_model(read_model_file(path), OpenOptions())


@pytest.mark.parametrize("kind", ["expand", "pad"])
def test_few_bytes_that_ask_for_absurd_memory_are_refused(tmp_path: Path, kind: str) -> None:
    if kind == "expand":
        nodes = [
            write_node("Expand", ["one", "size"], "huge"),
            write_node("ReduceSum", ["huge"], "sum", {"keepdims": 0}),
            write_node("Flatten", ["crops"], "flat"),
            write_node("MatMul", ["flat", "weight"], "scores"),
            write_node("Add", ["scores", "sum"], "logits"),
        ]
    else:
        nodes = [
            write_node("Conv", ["crops", "kernel"], "huge", {"pads": (20_000,) * 4}),
            write_node("GlobalAveragePool", ["huge"], "pooled"),
            write_node("Flatten", ["pooled"], "logits"),
        ]
    tensors = [
        write_tensor("one", np.ones(1, dtype=np.float32)),
        write_tensor("size", np.array([2_500_000_000])),
        write_tensor("weight", np.zeros((3072, 8), dtype=np.float32)),
        write_tensor("kernel", np.zeros((8, 3, 3, 3), dtype=np.float32)),
    ]
    path = tmp_path / "bomb.onnx"
    path.write_bytes(tiny_model_bytes(nodes=nodes, tensors=tensors))
    with pytest.raises(ModelFileError, match="more than an expression model needs"):
        open_model(read_model_file(path), OpenOptions())
