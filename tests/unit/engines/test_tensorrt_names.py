"""The names that the GPU path uses exist in the real packages, where these are installed.

The path itself runs here on `tests.fake_tensorrt` and, where there is a GPU, in `test_gpu.py`.
"""

import enum

import pytest

from tests.fake_tensorrt import FakeContext, FakeCuda, FakeEngine, FakeTensorRt

trt = pytest.importorskip("tensorrt_rtx")
cudart = pytest.importorskip("cuda.bindings.runtime")


def public_names(kind: type) -> list[str]:
    return [name for name in vars(kind) if not name.startswith("_")]


def test_cuda_functions_exist() -> None:
    mine = {"capability", "memory"}
    for name in set(public_names(FakeCuda)) - mine:
        assert hasattr(cudart, name), name
    for error in FakeCuda.cudaError_t:
        assert hasattr(cudart.cudaError_t, error.name), error.name
        assert int(getattr(cudart.cudaError_t, error.name)) == error.value
    for kind in FakeCuda.cudaMemcpyKind:
        assert int(getattr(cudart.cudaMemcpyKind, kind.name)) == kind.value


def test_device_facts_exist() -> None:
    facts = cudart.cudaDeviceProp()
    for name in ("name", "major", "minor", "totalGlobalMem"):
        assert hasattr(facts, name), name


def test_tensorrt_enums_exist() -> None:
    enums = [n for n, v in vars(FakeTensorRt).items() if isinstance(v, type(enum.IntEnum))]
    assert len(enums) >= 6
    for name in enums:
        real = getattr(trt, name)
        for member in getattr(FakeTensorRt, name):
            assert hasattr(real, member.name), f"{name}.{member.name}"
    for member in FakeTensorRt.EngineInvalidityDiagnostics:
        assert int(getattr(trt.EngineInvalidityDiagnostics, member.name)) == member.value


def test_tensorrt_methods_exist() -> None:
    for fake, real in ((FakeEngine, trt.ICudaEngine), (FakeContext, trt.IExecutionContext)):
        for name in public_names(fake):
            assert hasattr(real, name), f"{real.__name__}.{name}"
    for kind, names in {
        trt.Runtime: ("deserialize_cuda_engine", "engine_header_size", "get_engine_validity"),
        trt.IRuntimeConfig: ("cuda_graph_strategy", "create_runtime_cache", "set_runtime_cache"),
        trt.IRuntimeCache: ("serialize", "deserialize"),
    }.items():
        for name in names:
            assert hasattr(kind, name), f"{kind.__name__}.{name}"
