import json
from pathlib import Path

import pytest

from lanet_live.command.doctor import Findings, examine, format_json, format_text
from lanet_live.config import EngineConfig
from lanet_live.face.template import TEMPLATE_ID
from tests.tiny_model import tiny_spec, write_tiny_model


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    write_tiny_model(path, tiny_spec(alignment=TEMPLATE_ID))
    return examine(EngineConfig(model_path=path))


def test_a_sound_installation_has_no_problems(findings: Findings) -> None:
    assert findings.problems == ()
    assert findings.is_healthy
    assert findings.software["lanet-live"]


def test_there_is_exactly_one_opencv(findings: Findings) -> None:
    assert len(findings.opencv_wheels) == 1


def test_every_engine_either_works_or_says_why_not(findings: Findings) -> None:
    assert {"openvino", "onnxruntime", "tensorrt"} <= {b.name for b in findings.backends}
    for backend in findings.backends:
        if backend.works:
            assert backend.batch_1_ms is not None
            assert 0 < backend.batch_1_ms < backend.batch_8_ms * 8
        else:
            assert backend.reason
    assert findings.chosen_backend in {b.name for b in findings.backends if b.works}


def test_the_window_was_tried(findings: Findings) -> None:
    assert findings.window == "offscreen"  # as the tests' environment asks for


def test_it_tells_which_reports_are_kept_back(findings: Findings) -> None:
    assert {"mediapipe", "openvino", "onnxruntime"} <= set(findings.reports_kept_back)
    assert "  onnxruntime            would collect events" in format_text(findings)


def test_both_formats_hold_everything(findings: Findings) -> None:
    document = json.loads(format_json(findings))
    assert document["is_healthy"] is True
    assert document["backends"][0]["name"] == findings.backends[0].name
    text = format_text(findings)
    for title in ("Software", "Models", "Engines", "OpenCV", "Cameras", "Window", "Problems"):
        assert f"{title}\n  " in text
    assert "chosen by auto" in text


def test_a_model_that_cannot_be_used_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("no model")
    findings = examine(EngineConfig(model_path=tmp_path / "m.onnx"))
    assert not findings.is_healthy
    assert any("m.onnx" in problem for problem in findings.problems)
    assert findings.chosen_backend == ""
