from pathlib import Path

import numpy as np
import pytest

from lanet_engines.base import U8Array
from lanet_engines.build_request import BuildRequest
from lanet_engines.building.build import build_engine
from lanet_engines.building.parity import make_probe_crops, measure_parity
from lanet_engines.errors import ArtefactError, EngineBuildError
from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.onnxruntime.engine import open_reference
from lanet_engines.openvino.calibration import read_crops
from lanet_engines.parity import compare
from lanet_engines.registry import open_engine
from lanet_engines.storage.artefact import read_artefact
from lanet_engines.storage.cache import EngineCache
from tests.tiny_model import tiny_spec


@pytest.fixture
def crops() -> U8Array:
    return make_probe_crops(tiny_spec(), n=40)


@pytest.mark.parametrize("target", ["openvino", "onnxruntime"])
def test_built_engine_opens_and_equals_the_reference(
    tmp_path: Path, tiny_model_path: Path, crops: U8Array, target: str
) -> None:
    model = read_model_file(tiny_model_path)
    cache = EngineCache(tmp_path)
    request = BuildRequest(target, max_batch=8)
    entry = build_engine(model, request, cache=cache)
    assert not build_engine(model, request, cache=cache).was_built
    engine, reference = open_engine(entry.folder), open_reference(model)
    report = compare(engine, reference, crops)
    assert engine.info.backend == target
    assert engine.info.model_sha256 == model.sha256
    engine.close()
    reference.close()
    assert report.max_abs_dp <= 1e-4


def test_built_engine_that_was_changed_is_refused(tmp_path: Path, tiny_model_path: Path) -> None:
    model = read_model_file(tiny_model_path)
    entry = build_engine(model, BuildRequest("openvino"), cache=EngineCache(tmp_path))
    weights = entry.folder / "model.bin"
    weights.write_bytes(bytes(weights.stat().st_size))
    with pytest.raises(ArtefactError, match=r"model\.bin was changed"):
        open_engine(entry.folder)


def test_parity_report_lies_beside_the_engine(
    tmp_path: Path, tiny_model_path: Path, crops: U8Array
) -> None:
    model = read_model_file(tiny_model_path)
    entry = build_engine(model, BuildRequest("openvino"), cache=EngineCache(tmp_path))
    parity = measure_parity(entry.folder, model, crops, crops_source="made up")
    assert parity.report is not None
    assert parity.report.n == 40
    text = (entry.folder / "parity.json").read_text()
    assert '"max_abs_dp"' in text
    assert '"made up"' in text
    assert read_artefact(entry.folder).backend == "openvino"


def test_parity_of_a_tensorrt_build_tells_what_is_known_without_a_gpu(
    tmp_path: Path, tiny_model_path: Path, crops: U8Array
) -> None:
    pytest.importorskip("tensorrt_rtx")
    model = read_model_file(tiny_model_path)
    entry = build_engine(model, BuildRequest("tensorrt", "fp16"), cache=EngineCache(tmp_path))
    parity = measure_parity(entry.folder, model, crops, crops_source="made up")
    assert parity.report is not None or "NVIDIA" in parity.reason
    assert parity.graph_report is not None
    assert 0 < parity.graph_report.max_abs_dp < 0.01


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_int8_is_built_from_calibration_crops(
    tmp_path: Path, tiny_model_path: Path, crops: U8Array
) -> None:
    pytest.importorskip("nncf")
    np.save(tmp_path / "crops.npy", crops)
    model = read_model_file(tiny_model_path)
    cache = EngineCache(tmp_path / "cache")
    request = BuildRequest("openvino", "int8", calibration=tmp_path / "crops.npy")
    entry = build_engine(model, request, cache=cache)
    assert not build_engine(model, request, cache=cache).was_built
    engine, reference = open_engine(entry.folder, precision="int8"), open_reference(model)
    report = compare(engine, reference, crops)
    engine.close()
    reference.close()
    assert report.precision == "int8"
    assert 0 < report.max_abs_dp < 0.3
    np.save(tmp_path / "crops.npy", crops[::-1])
    assert build_engine(model, request, cache=cache).was_built


def test_int8_keeps_pixels_first_half_sums_pool_and_head() -> None:
    ov = pytest.importorskip("openvino")
    from lanet_engines.openvino.build import _steps_to_keep

    ops = ov.opset13
    x = crops = ops.parameter([1, 3, 32, 32], np.float32, name="crops")
    x = ops.multiply(x, ops.constant(np.float32(2)), name="scaled")
    kernel = np.ones((3, 3, 1, 1), dtype=np.float32)
    for i in range(6):
        maps = ops.convolution(
            x, ops.constant(kernel * (i + 1)), [1, 1], [0, 0], [0, 0], [1, 1], name=f"conv{i}"
        )
        bias = ops.constant(np.float32(i))
        x = ops.add(maps, x, name="shortcut") if i == 3 else ops.add(maps, bias, name=f"bias{i}")
    x = ops.reduce_mean(x, ops.constant(np.array([2, 3])), name="pool")
    x = ops.matmul(x, ops.constant(np.ones((3, 8), dtype=np.float32)), False, False, name="head")
    kept = _steps_to_keep(ov.Model([x], [crops]))
    assert sorted(kept) == [
        "conv0", "conv1", "conv2", "conv5", "head", "pool", "scaled", "shortcut",
    ]  # fmt: skip


def test_int8_without_crops_says_what_is_missing(tmp_path: Path, tiny_model_path: Path) -> None:
    model = read_model_file(tiny_model_path)
    with pytest.raises(EngineBuildError, match="--calibration"):
        build_engine(model, BuildRequest("openvino", "int8"), cache=EngineCache(tmp_path))


def test_crops_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    spec = tiny_spec()
    path = tmp_path / "crops.npy"
    for wrong in (np.zeros((20, 48, 48, 3), np.uint8), np.zeros((20, 32, 32, 3), np.float32)):
        np.save(path, wrong)
        with pytest.raises(EngineBuildError, match="takes uint8 of shape"):
            read_crops(path, spec)
    np.save(path, np.zeros((3, 32, 32, 3), np.uint8))
    with pytest.raises(EngineBuildError, match="N at least 16"):
        read_crops(path, spec)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(EngineBuildError, match="cannot be read"):
        read_crops(path, spec)
    path.write_bytes(b"text")
    with pytest.raises(EngineBuildError, match="cannot be read"):
        read_crops(path, spec)


def test_onnxruntime_is_not_built_in_other_precisions(
    tmp_path: Path, tiny_model_path: Path
) -> None:
    model = read_model_file(tiny_model_path)
    request = BuildRequest("onnxruntime", "fp16")
    with pytest.raises(EngineBuildError, match="fp32 here, not fp16"):
        build_engine(model, request, cache=EngineCache(tmp_path))


def test_probe_crops_are_seeded_pictures_with_contrast() -> None:
    first, second = make_probe_crops(tiny_spec(), n=4), make_probe_crops(tiny_spec(), n=4)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (4, 32, 32, 3)
    assert first.std() > 30
