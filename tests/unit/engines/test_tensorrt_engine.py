"""The GPU path with the GPU replaced by `tests.fake_tensorrt`; `test_gpu.py` has the real one."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from lanet_engines.base import U8Array
from lanet_engines.build_request import BuildRequest
from lanet_engines.building.build import build_engine
from lanet_engines.errors import (
    ArtefactError,
    BackendUnavailable,
    BuildInterrupted,
    EngineBuildError,
    EngineError,
)
from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_engines.onnxruntime.engine import open_reference
from lanet_engines.options import OpenOptions
from lanet_engines.parity import compare
from lanet_engines.registry import open_with_options
from lanet_engines.spec import ModelSpec
from lanet_engines.storage.artefact import Artefact, describe_file, read_artefact, write_manifest
from lanet_engines.storage.cache import EngineCache
from lanet_engines.tensorrt import runtime as tensorrt_runtime
from lanet_engines.tensorrt.build import PLAN_NAME
from lanet_engines.tensorrt.engine import TensorRtEngine, open_artefact, open_model, probe
from tests.fake_tensorrt import CudaErrorCode, FakeCuda, FakeTensorRt

CROPS: U8Array = np.random.default_rng(3).integers(0, 256, (39, 32, 32, 3), dtype=np.uint8)
Install = Callable[..., tuple[FakeCuda, FakeTensorRt]]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a fake GPU and TensorRT in place of the real packages."""

    def put(cuda: FakeCuda | None = None, version: str = "1.7.1") -> tuple[FakeCuda, FakeTensorRt]:
        cuda = cuda or FakeCuda()
        trt = FakeTensorRt(cuda, version)
        monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)  # type: ignore[arg-type]
        monkeypatch.setitem(sys.modules, "tensorrt_rtx", trt)  # type: ignore[arg-type]
        monkeypatch.setitem(sys.modules, "tensorrt", None)  # type: ignore[arg-type]
        tensorrt_runtime._load.cache_clear()
        return cuda, trt

    yield put
    tensorrt_runtime._load.cache_clear()


@pytest.fixture
def model(tiny_model_path: Path) -> ModelFile:
    return read_model_file(tiny_model_path)


@pytest.fixture
def options(tmp_path: Path) -> OpenOptions:
    return OpenOptions(cache_folder=tmp_path / "cache")


def test_answers_equal_the_reference(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    install()
    engine, reference = open_model(model, options), open_reference(model)
    report = compare(engine, reference, CROPS)
    engine.close()
    reference.close()
    assert report.n == 39
    assert report.max_abs_dp <= 1e-5
    assert report.backend == "tensorrt"
    assert report.device == "cuda:0 (Fake GPU)"


def test_batches_of_changing_size_do_not_mix(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    install()
    engine = open_model(model, options)
    alone = np.concatenate([engine.infer(CROPS[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(engine.infer(CROPS[:5]), alone, atol=1e-4)
    np.testing.assert_allclose(engine.infer(CROPS[4:5]), alone[4:5], atol=1e-4)
    engine.close()


def test_calls_make_no_memory_and_closing_frees_it_all(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    cuda, _ = install()
    engine = open_model(model, options)
    before = cuda.n_allocations
    for n in (1, 16, 3):
        engine.infer(CROPS[:n])
    assert cuda.n_allocations == before == 4
    engine.close()
    engine.close()
    assert cuda.memory == {}
    assert cuda.streams == {}
    with pytest.raises(EngineError, match="closed"):
        engine.infer(CROPS[:1])


def test_second_start_uses_the_plan_and_the_kernels_of_the_first(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    _, trt = install()
    open_model(model, options).close()
    open_model(model, options).close()
    assert trt.n_builds == 1
    assert trt.n_loaded_caches == 1


def test_progress_of_the_build_is_reported(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    install()
    seen: list[float] = []
    watched = replace(options, on_progress=lambda what, share: seen.append(share) is None)
    open_model(model, watched).close()
    assert seen == [0.0, 0.5, 1.0, 1.0]
    seen.clear()
    open_model(model, watched).close()
    assert seen == []


def test_build_that_is_interrupted_leaves_nothing_and_tries_no_other_engine(
    install: Install, model: ModelFile, options: OpenOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, trt = install()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    seen: list[float] = []

    def stop_at_half(what: str, share: float) -> bool:
        seen.append(share)
        return share < 0.5

    stopped = replace(options, on_progress=stop_at_half)
    with pytest.raises(BuildInterrupted, match="nothing of it is kept"):
        open_with_options(model.path, stopped)
    assert seen == [0.0, 0.5]
    assert options.cache_folder is not None
    assert not any(path.is_dir() for path in options.cache_folder.iterdir())
    open_model(model, options).close()
    assert trt.n_builds == 2


def build_elsewhere(
    install: Install, model: ModelFile, options: OpenOptions, **machine: Any
) -> Path:
    """Build on another machine and return the folder."""
    cuda = FakeCuda(capability=machine.get("capability", (8, 6)))
    install(cuda, machine.get("version", "1.7.1"))
    open_model(model, options).close()
    assert options.cache_folder is not None
    (folder,) = (path for path in options.cache_folder.iterdir() if path.is_dir())
    return folder


@pytest.mark.parametrize(
    "machine", [{"capability": (7, 5)}, {"version": "1.6.0"}], ids=["other GPU", "other version"]
)
def test_plan_for_another_machine_is_built_again_with_a_notice(
    install: Install,
    model: ModelFile,
    options: OpenOptions,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    machine: dict[str, Any],
) -> None:
    folder = build_elsewhere(install, model, options, **machine)
    _, trt = install()
    here = OpenOptions(cache_folder=tmp_path / "here")
    with caplog.at_level(logging.WARNING):
        engine = open_artefact(folder, read_artefact(folder), here)
    assert engine.infer(CROPS[:2]).shape == (2, 8)
    engine.close()
    assert trt.n_builds == 1
    assert "does not run here" in caplog.text
    assert "built again" in caplog.text


def test_plan_that_cannot_be_loaded_is_built_again(
    install: Install, model: ModelFile, options: OpenOptions, tmp_path: Path
) -> None:
    folder = build_elsewhere(install, model, options)
    (folder / PLAN_NAME).write_bytes(b"x" * 100)
    write_manifest(folder, rehash(folder))
    _, trt = install()
    engine = open_artefact(
        folder, read_artefact(folder), OpenOptions(cache_folder=tmp_path / "here")
    )
    engine.close()
    assert trt.n_builds == 1


def rehash(folder: Path) -> Artefact:
    """The manifest of a folder with the hashes of what lies in it now."""
    values = json.loads((folder / "artefact.json").read_text())
    values.pop("schema_version")
    values["spec"] = ModelSpec.from_json(json.dumps(values["spec"]))
    values["capabilities"] = tuple(values["capabilities"])
    values["files"] = tuple(describe_file(folder / f["name"]) for f in values["files"])
    return Artefact(**values)


def test_plan_for_another_gpu_without_its_model_is_refused_with_what_to_do(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    folder = build_elsewhere(install, model, options, capability=(7, 5))
    artefact = read_artefact(folder)
    write_manifest(folder, replace(artefact, files=artefact.files[:1]))
    install()
    with pytest.raises(ArtefactError, match="run lanet-train build on this machine"):
        open_artefact(folder, read_artefact(folder), options)


def test_invalid_plan_for_a_reason_building_cannot_cure_is_an_error(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    _, trt = install()
    trt.validity = (trt.EngineValidity.INVALID, trt.EngineInvalidityDiagnostics.OLD_CUDA_DRIVER)
    with pytest.raises(EngineError, match=r"OLD_CUDA_DRIVER.*Update the NVIDIA driver"):
        open_model(model, options)


def test_built_folder_opens_through_the_registry(
    install: Install, model: ModelFile, options: OpenOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build_elsewhere(install, model, options)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    engine = open_with_options(folder, options)
    assert isinstance(engine, TensorRtEngine)
    engine.close()
    with pytest.raises(ArtefactError, match="for tensorrt, not for openvino"):
        open_with_options(folder, options, backend="openvino")
    with pytest.raises(ArtefactError, match="for fp32, not for fp16"):
        open_with_options(folder, replace(options, precision="fp16"))


@pytest.mark.parametrize(
    ("function", "error", "kind", "advice"),
    [
        ("cudaGetDeviceProperties", "cudaErrorInsufficientDriver", BackendUnavailable, "update"),
        ("cudaSetDevice", "cudaErrorNoDevice", BackendUnavailable, "CUDA_VISIBLE_DEVICES"),
        ("cudaMalloc", "cudaErrorMemoryAllocation", EngineError, "close other programs"),
        ("cudaMallocHost", "cudaErrorMemoryAllocation", EngineError, "close other programs"),
        ("cudaStreamCreateWithFlags", "cudaErrorIllegalAddress", EngineError, "restart"),
        ("cudaMemcpyAsync", "cudaErrorIllegalAddress", EngineError, "restart"),
        ("cudaStreamSynchronize", "cudaErrorIllegalAddress", EngineError, "restart"),
    ],
)
def test_cuda_errors_on_opening_say_what_to_do_and_leak_nothing(
    install: Install,
    model: ModelFile,
    options: OpenOptions,
    function: str,
    error: str,
    kind: type[EngineError],
    advice: str,
) -> None:
    cuda, _ = install()
    cuda.fail[function] = CudaErrorCode[error]
    with pytest.raises(kind, match=advice) as caught:
        open_model(model, options)
    assert error in str(caught.value)
    assert cuda.memory == {}


def test_gpu_that_fails_while_running_is_an_engine_error(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    cuda, trt = install()
    engine = open_model(model, options)
    trt.launch_works = False
    with pytest.raises(EngineError, match="could not run on cuda:0"):
        engine.infer(CROPS[:1])
    cuda.fail["cudaMemcpyAsync"] = CudaErrorCode.cudaErrorIllegalAddress
    with pytest.raises(EngineError, match="cudaErrorIllegalAddress"):
        engine.infer(CROPS[:1])
    cuda.fail["cudaStreamSynchronize"] = CudaErrorCode.cudaErrorIllegalAddress
    engine.close()
    assert cuda.memory == {}


def test_model_that_tensorrt_refuses_is_a_build_error_with_its_words(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    _, trt = install()
    trt.refusal = "operator not supported"
    with pytest.raises(EngineBuildError, match="operator not supported"):
        open_model(model, options)


def test_gpu_the_package_does_not_serve_is_unavailable(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    install(FakeCuda(capability=(9, 0)))
    with pytest.raises(BackendUnavailable, match="sm90"):
        open_model(model, options)


@pytest.mark.parametrize("device", ["GPU.0", "cuda:x", "cpu"])
def test_devices_of_other_backends_are_refused(
    install: Install, model: ModelFile, options: OpenOptions, device: str
) -> None:
    install()
    with pytest.raises(BackendUnavailable, match=r"such as cuda:0"):
        open_model(model, replace(options, device=device))


def test_second_gpu_is_used_when_asked_for(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    cuda, _ = install(FakeCuda(n_devices=2))
    engine = open_model(model, replace(options, device="cuda:1"))
    assert engine.info.device == "cuda:1 (Fake GPU)"
    assert cuda.current_device == 1
    engine.close()
    with pytest.raises(BackendUnavailable, match="no GPU of that number"):
        open_model(model, replace(options, device="cuda:2"))


def test_precision_it_cannot_run_is_unavailable(
    install: Install, model: ModelFile, options: OpenOptions
) -> None:
    install()
    with pytest.raises(BackendUnavailable, match="fp32 or fp16, not in bf16"):
        open_model(model, replace(options, precision="bf16"))


def test_probe_names_the_gpus(install: Install) -> None:
    install(FakeCuda(n_devices=2))
    version, devices = probe()
    assert version == "tensorrt_rtx 1.7.1"
    assert devices == ("cuda:0 (Fake GPU, sm86)", "cuda:1 (Fake GPU, sm86)")


def test_request_for_a_gpu_nobody_builds_for_is_refused(
    install: Install, model: ModelFile, tmp_path: Path
) -> None:
    install()
    request = BuildRequest("tensorrt", capabilities=("sm75", "sm61"))
    with pytest.raises(EngineBuildError, match="does not build for sm61"):
        build_engine(model, request, cache=EngineCache(tmp_path))
