"""What every engine promises, checked on each one this machine can open."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lanet_engines.base import Engine, U8Array
from lanet_engines.errors import BackendUnavailable, EngineError, EngineInputError
from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.onnxruntime.engine import open_reference
from lanet_engines.options import MAX_BATCH
from lanet_engines.parity import compare, softmax
from lanet_engines.registry import BACKENDS, open_engine
from tests.tiny_model import tiny_spec, write_tiny_model

CASES = [(name, color) for name in BACKENDS for color in ("gray", "rgb")]


@pytest.fixture(scope="module")
def crops() -> U8Array:
    """Random crops, some saturated, more than two full batches and a rest: (39, 32, 32, 3)."""
    crops = np.random.default_rng(1).integers(0, 256, (39, 32, 32, 3), dtype=np.uint8)
    crops[0], crops[1] = 0, 255
    return crops


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    name, color = request.param
    path = write_tiny_model(tmp_path / "tiny.onnx", tiny_spec(color=color))
    try:
        engine = open_engine(path, backend=name)
    except BackendUnavailable as error:
        pytest.skip(str(error))
    yield engine
    engine.close()


def test_answers_equal_the_reference(engine: Engine, crops: U8Array, tmp_path: Path) -> None:
    reference = open_reference(read_model_file(tmp_path / "tiny.onnx"))
    report = compare(engine, reference, crops)
    reference.close()
    assert report.max_abs_dp <= 1e-4
    assert report.top1_agreement == 1.0
    assert report.n == len(crops) > 2 * MAX_BATCH


def test_an_answer_does_not_depend_on_its_batch(engine: Engine, crops: U8Array) -> None:
    together = softmax(engine.infer(crops), 1.0)
    alone = softmax(np.concatenate([engine.infer(crop[None]) for crop in crops]), 1.0)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_answers_belong_to_the_caller(engine: Engine, crops: U8Array) -> None:
    first = engine.infer(crops[:2])
    kept = first.copy()
    engine.infer(crops[2:4])
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    assert first.flags.writeable
    assert first.dtype == np.float32
    assert first.shape == (2, 8)


def test_crops_that_are_not_contiguous_are_read_right(engine: Engine, crops: U8Array) -> None:
    mirrored = crops[:3, :, ::-1]
    copied = np.ascontiguousarray(mirrored)
    np.testing.assert_array_equal(engine.infer(mirrored), engine.infer(copied))


def test_crops_are_not_written_to(engine: Engine, crops: U8Array) -> None:
    frozen = crops[:4].copy()
    frozen.flags.writeable = False
    engine.infer(frozen)
    np.testing.assert_array_equal(frozen, crops[:4])


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 33, 32, 3), dtype=np.uint8),
        np.zeros((32, 32, 3), dtype=np.uint8),
        np.zeros((1, 3, 32, 32), dtype=np.uint8),
        np.zeros((0, 32, 32, 3), dtype=np.uint8),
        np.zeros((1, 32, 32, 3), dtype=np.float32),
    ],
    ids=lambda batch: f"{batch.shape}-{batch.dtype}",
)
def test_wrong_batches_are_refused_by_name(engine: Engine, batch: U8Array) -> None:
    with pytest.raises(EngineInputError, match=r"\(N, 32, 32, 3\)") as caught:
        engine.infer(batch)
    assert str(batch.dtype) in str(caught.value)
    assert str(batch.shape) in str(caught.value)


def test_info_says_what_runs(engine: Engine, tmp_path: Path) -> None:
    info = engine.info
    assert info.backend in BACKENDS
    assert info.precision == "fp32"
    assert info.device
    assert info.runtime_version[0].isdigit()
    assert info.model_sha256 == read_model_file(tmp_path / "tiny.onnx").sha256


def test_close_may_be_called_twice_and_ends_use(engine: Engine, crops: U8Array) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(crops[:1])
