"""Real builds with TensorRT for RTX, which needs no GPU to build.

What of a plan can be read without a driver is read back: TensorRT's own verdict on the header, and
the header's size, version and compute capabilities.
"""

import struct
from pathlib import Path
from typing import Any

import pytest

from lanet_engines.build_request import BuildRequest
from lanet_engines.building.build import build_engine, publish
from lanet_engines.errors import BackendUnavailable, BuildInterrupted, EngineBuildError
from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.registry import open_engine
from lanet_engines.storage.artefact import read_artefact
from lanet_engines.storage.cache import EngineCache
from lanet_engines.tensorrt.build import MODEL_NAME, PLAN_NAME
from lanet_engines.tensorrt.runtime import load_tensorrt
from tests.tiny_model import tiny_spec, write_tiny_model

trt = pytest.importorskip("tensorrt_rtx")
pytest.importorskip("onnx")

pytestmark = pytest.mark.tensorrt

EVERY_GPU = ("sm75", "sm80", "sm86", "sm89", "sm120", "sm121")


def read_header(plan: bytes) -> tuple[int, tuple[int, ...], int]:
    """Size, version and a bit for each compute capability, as TensorRT for RTX 1.7 writes them.

    The layout is not documented; it was found by comparing plans.
    """
    n_bytes, version, capabilities = struct.unpack_from("<Q4s4xI", plan, 16)
    assert plan.startswith(b"vtrt")
    return n_bytes, tuple(version), capabilities


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_one_plan_is_built_for_turing_to_blackwell(
    tmp_path: Path, precision: str, color: str
) -> None:
    model = read_model_file(write_tiny_model(tmp_path / "tiny.onnx", tiny_spec(color=color)))
    request = BuildRequest("tensorrt", precision)
    entry = build_engine(model, request, cache=EngineCache(tmp_path / "cache"))
    artefact = read_artefact(entry.folder)
    assert artefact.capabilities == EVERY_GPU
    assert artefact.max_batch == 16
    assert artefact.spec == model.spec
    assert (artefact.runtime, artefact.precision) == ("tensorrt_rtx", precision)
    plan = (entry.folder / PLAN_NAME).read_bytes()
    if trt.__version__.startswith("1.7."):
        n_bytes, version, capabilities = read_header(plan)
        assert n_bytes == len(plan)
        assert version == tuple(int(part) for part in trt.__version__.split("."))
        assert capabilities == 2 ** len(EVERY_GPU) - 1


def test_plan_for_one_gpu_names_only_that_one(tmp_path: Path, tiny_model_path: Path) -> None:
    request = BuildRequest("tensorrt", capabilities=("sm86",), max_batch=4)
    model = read_model_file(tiny_model_path)
    entry = build_engine(model, request, cache=EngineCache(tmp_path))
    assert read_artefact(entry.folder).capabilities == ("sm86",)
    assert read_artefact(entry.folder).max_batch == 4
    if trt.__version__.startswith("1.7."):
        _, _, capabilities = read_header((entry.folder / PLAN_NAME).read_bytes())
        assert capabilities == 1 << EVERY_GPU.index("sm86")


def test_tensorrt_takes_the_header_of_a_plan_and_not_of_another_file(
    tmp_path: Path, tiny_model_path: Path
) -> None:
    model = read_model_file(tiny_model_path)
    request = BuildRequest("tensorrt")
    entry = build_engine(model, request, cache=EngineCache(tmp_path))
    plan = (entry.folder / PLAN_NAME).read_bytes()
    runtime = trt.Runtime(load_tensorrt().log)
    malformed = int(trt.EngineInvalidityDiagnostics.MALFORMED_ENGINE)
    assert runtime.engine_header_size == 64
    # Without a driver no plan is valid, but only a broken one is called malformed.
    assert not int(runtime.get_engine_validity(plan)[1]) & malformed
    assert int(runtime.get_engine_validity(b"x" * len(plan))[1]) & malformed


def test_second_build_is_found_in_the_cache(tmp_path: Path, tiny_model_path: Path) -> None:
    model, cache = read_model_file(tiny_model_path), EngineCache(tmp_path)
    request = BuildRequest("tensorrt", "fp16")
    assert build_engine(model, request, cache=cache).was_built
    assert not build_engine(model, request, cache=cache).was_built
    assert build_engine(model, BuildRequest("tensorrt", "fp32"), cache=cache).was_built


def test_progress_goes_from_nothing_to_all(tmp_path: Path, tiny_model_path: Path) -> None:
    shares: list[float] = []
    build_engine(
        read_model_file(tiny_model_path),
        BuildRequest("tensorrt"),
        cache=EngineCache(tmp_path),
        on_progress=lambda what, share: shares.append(share) is None,
    )
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert len(shares) > 3


def test_build_can_be_interrupted(tmp_path: Path, tiny_model_path: Path) -> None:
    with pytest.raises(BuildInterrupted):
        build_engine(
            read_model_file(tiny_model_path),
            BuildRequest("tensorrt"),
            cache=EngineCache(tmp_path),
            on_progress=lambda what, share: False,
        )
    assert not any(path.is_dir() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"precision": "int8"}, "fp32 or fp16, not in int8"),
        ({"capabilities": ("sm75", "sm61")}, "does not build for sm61"),
    ],
)
def test_requests_it_cannot_build_are_refused(
    tmp_path: Path, tiny_model_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    model = read_model_file(tiny_model_path)
    with pytest.raises(EngineBuildError, match=sentence):
        build_engine(model, BuildRequest("tensorrt", **changes), cache=EngineCache(tmp_path))


def test_published_engine_holds_plan_and_model(tmp_path: Path, tiny_model_path: Path) -> None:
    model = read_model_file(tiny_model_path)
    entry = build_engine(model, BuildRequest("tensorrt"), cache=EngineCache(tmp_path / "cache"))
    folder = publish(entry, tmp_path / "out" / "tiny-tensorrt-fp32")
    names = {stored.name for stored in read_artefact(folder).files}
    assert names == {PLAN_NAME, MODEL_NAME}
    assert publish(entry, folder) == folder
    other = tmp_path / "out" / "mine"
    other.mkdir()
    with pytest.raises(EngineBuildError, match="not a built engine"):
        publish(entry, other)


def test_opening_without_a_driver_says_so(tmp_path: Path, tiny_model_path: Path) -> None:
    cudart = pytest.importorskip("cuda.bindings.runtime")
    if cudart.cudaGetDeviceCount()[0] == cudart.cudaError_t.cudaSuccess:
        pytest.skip("there is a GPU here")
    with pytest.raises(BackendUnavailable, match=r"driver|GPU"):
        open_engine(tiny_model_path, backend="tensorrt")
