"""The GPU path on a real GPU. Skipped where there is none; `benchmarks/gpu_check.py` runs more."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lanet_engines.base import U8Array
from lanet_engines.errors import BackendUnavailable
from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_engines.onnxruntime.engine import open_reference
from lanet_engines.options import OpenOptions
from lanet_engines.parity import compare
from lanet_engines.storage.artefact import read_artefact, write_manifest
from lanet_engines.tensorrt.build import PLAN_NAME
from lanet_engines.tensorrt.engine import Machine, find_machine, open_artefact, open_model
from tests.tiny_model import tiny_spec, write_tiny_model

pytestmark = [pytest.mark.gpu, pytest.mark.tensorrt]

CROPS: U8Array = np.random.default_rng(3).integers(0, 256, (39, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def machine() -> Machine:
    """The GPU of this machine and the TensorRT that serves it."""
    try:
        return find_machine(None)
    except BackendUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(params=["gray", "rgb"])
def model(request: pytest.FixtureRequest, tmp_path: Path, machine: Machine) -> ModelFile:
    return read_model_file(write_tiny_model(tmp_path / "tiny.onnx", tiny_spec(color=request.param)))


@pytest.fixture
def options(tmp_path: Path) -> Iterator[OpenOptions]:
    return OpenOptions(cache_folder=tmp_path / "cache")


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("fp16", 1e-2)])
def test_answers_equal_the_reference(
    model: ModelFile, options: OpenOptions, precision: str, tolerance: float
) -> None:
    engine = open_model(model, replace(options, precision=precision))
    reference = open_reference(model)
    report = compare(engine, reference, CROPS)
    for n in (1, 7, 16, 2, 1):  # shapes change back and forth
        again = compare(engine, reference, CROPS[:n])
        assert again.max_abs_dp <= tolerance
    engine.close()
    reference.close()
    assert report.max_abs_dp <= tolerance
    assert report.n == 39


def test_second_start_finds_plan_and_kernels(
    model: ModelFile, options: OpenOptions, machine: Machine
) -> None:
    open_model(model, options).close()
    assert options.cache_folder is not None
    (folder,) = (path for path in options.cache_folder.iterdir() if path.is_dir())
    built_at = (folder / PLAN_NAME).stat().st_mtime_ns
    if machine.tensorrt.builds_ahead:
        assert list(folder.glob("kernels-*.bin"))
    open_model(model, options).close()
    assert (folder / PLAN_NAME).stat().st_mtime_ns == built_at


def test_plan_for_another_gpu_is_built_again(
    model: ModelFile, options: OpenOptions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_model(model, options).close()
    assert options.cache_folder is not None
    (folder,) = (path for path in options.cache_folder.iterdir() if path.is_dir())
    write_manifest(folder, replace(read_artefact(folder), capabilities=("sm10",)))
    here = OpenOptions(cache_folder=tmp_path / "here")
    with caplog.at_level(logging.WARNING):
        engine = open_artefact(folder, read_artefact(folder), here)
    assert engine.infer(CROPS[:2]).shape == (2, 8)
    engine.close()
    assert "built again" in caplog.text


def test_many_calls_leave_the_memory_of_the_gpu_as_it_was(
    model: ModelFile, options: OpenOptions, machine: Machine
) -> None:
    engine = open_model(model, options)
    for _ in range(200):
        engine.infer(CROPS[:16])
    machine.cuda.cudaDeviceSynchronize()
    _, free_before, _ = machine.cuda.cudaMemGetInfo()
    for _ in range(400):
        engine.infer(CROPS[:16])
    machine.cuda.cudaDeviceSynchronize()
    _, free_after, _ = machine.cuda.cudaMemGetInfo()
    engine.close()
    assert free_before - free_after < 8 * 1024**2
