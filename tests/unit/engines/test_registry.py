import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanet_engines import registry
from lanet_engines.errors import ArtefactError, BackendUnavailable, EngineError, ModelFileError
from lanet_engines.options import OpenOptions
from lanet_engines.registry import BACKENDS, open_engine, open_with_options, probe_backends
from lanet_engines.storage.artefact import read_artefact, write_manifest
from tests.tiny_artefact import fill

CROPS = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)


def break_backend(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    """Make a runtime raise when a model is opened on it."""

    class Broken:
        @staticmethod
        def open_model(model: Any, options: Any) -> None:
            raise error

        @staticmethod
        def probe() -> None:
            raise error

    real = registry._load

    def load(wanted: str) -> Any:
        return Broken if wanted == name else real(wanted)

    monkeypatch.setattr(registry, "_load", load)


def test_auto_gives_answers_that_depend_on_the_crop(tiny_model_path: Path) -> None:
    engine = open_engine(tiny_model_path)
    logits = engine.infer(CROPS)
    engine.close()
    assert logits.shape == (20, 8)
    assert logits.dtype == np.float32
    assert len(set(logits.argmax(axis=1))) > 1


def test_auto_logs_a_reason_for_every_backend_it_skips(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("onnxruntime")
    break_backend(monkeypatch, "openvino", EngineError("the warm-up gave nonsense"))
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO, logger="lanet_engines.registry"):
        engine = open_engine(tiny_model_path)
    assert engine.info.backend == "onnxruntime"
    engine.close()
    skipped = [record for record in caplog.records if "skipped" in record.message]
    assert [record.args[0] for record in skipped] == ["tensorrt", "openvino"]  # type: ignore[index]
    assert "the warm-up gave nonsense" in skipped[1].message
    # Absent is normal, broken is not.
    assert [record.levelno for record in skipped] == [logging.INFO, logging.WARNING]
    assert "onnxruntime runs the model" in caplog.text


def test_named_backend_that_is_broken_is_an_error_not_a_fallback(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_backend(monkeypatch, "openvino", EngineError("the warm-up gave nonsense"))
    with pytest.raises(EngineError, match="nonsense"):
        open_engine(tiny_model_path, backend="openvino")


def test_auto_with_nothing_that_works_names_every_reason(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> Any:
        raise BackendUnavailable(f"{name} is not here")

    monkeypatch.setattr(registry, "_load", load)
    with pytest.raises(BackendUnavailable) as caught:
        open_engine(tiny_model_path)
    for name in BACKENDS:
        assert f"{name} is not here" in str(caught.value)


def test_backend_that_is_not_installed_says_what_to_install(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'lanet-live\[onnxruntime\]'"):
        open_engine(tiny_model_path, backend="onnxruntime")


def test_backend_that_does_not_load_says_why(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise OSError("libfoo.so is missing")

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(BackendUnavailable, match=r"libfoo\.so is missing"):
        open_engine(tiny_model_path, backend="openvino")


def test_unknown_backend_is_a_programming_error(tiny_model_path: Path) -> None:
    with pytest.raises(ValueError, match="backend must be auto or one of"):
        open_engine(tiny_model_path, backend="abacus")


@pytest.mark.parametrize(
    "options",
    [{"precision": "fp64"}, {"hint": "soon"}, {"threads": 0}, {"max_batch": 0}],
)
def test_options_out_of_range_are_programming_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        OpenOptions(**options)


def test_model_is_checked_before_any_runtime_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> Any:
        raise AssertionError("a runtime was loaded")

    monkeypatch.setattr(registry, "_load", load)
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match="not an ONNX model"):
        open_engine(path)
    with pytest.raises(ModelFileError, match="no model file"):
        open_engine(tmp_path)


def test_probe_describes_every_backend_in_the_order_of_auto(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    break_backend(monkeypatch, "onnxruntime", BackendUnavailable("broken on purpose"))
    statuses = {status.name: status for status in probe_backends()}
    assert tuple(statuses) == BACKENDS == ("tensorrt", "openvino", "onnxruntime")
    assert statuses["openvino"].is_available
    assert statuses["openvino"].devices[0].startswith("CPU (")
    assert statuses["openvino"].runtime_version[0].isdigit()
    assert not statuses["onnxruntime"].is_available
    assert statuses["onnxruntime"].reason == "broken on purpose"


def test_artefact_of_an_unknown_backend_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    write_manifest(tmp_path, replace(read_artefact(tmp_path), backend="abacus"))
    with pytest.raises(ArtefactError, match="for abacus, unknown here"):
        open_with_options(tmp_path, OpenOptions())
