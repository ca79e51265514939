"""The wrapper around MediaPipe, on the real models."""

import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from lanet_live.errors import FaceModelError
from lanet_live.face import model_file
from lanet_live.face.landmarker import FaceDetector, FaceLandmarker, RunningMode
from lanet_live.face.mesh import BLENDSHAPE_NAMES
from lanet_live.face.quiet import capture_native_stderr

BLANK = np.zeros((120, 160, 3), np.uint8)


def test_the_names_are_mediapipes_52() -> None:
    assert len(BLENDSHAPE_NAMES) == len(set(BLENDSHAPE_NAMES)) == 52
    assert BLENDSHAPE_NAMES[0] == "_neutral"


def test_video_times_must_increase_and_modes_are_kept_apart() -> None:
    landmarker = FaceLandmarker(RunningMode.VIDEO)
    assert landmarker.follow(BLANK, timestamp_ms=5) == ()
    with pytest.raises(ValueError, match="must increase"):
        landmarker.follow(BLANK, timestamp_ms=5)
    with pytest.raises(ValueError, match="IMAGE mode"):
        landmarker.find(BLANK)
    landmarker.close()
    landmarker.close()
    with pytest.raises(ValueError, match="closed"):
        landmarker.follow(BLANK, timestamp_ms=6)


def test_a_view_into_a_frame_and_a_tiny_picture_are_taken() -> None:
    detector = FaceDetector()
    assert detector.detect(np.zeros((400, 400, 3), np.uint8)[50:150:2, 20:380:3]) == ()
    assert detector.detect(np.zeros((1, 1, 3), np.uint8)) == ()
    detector.close()
    with pytest.raises(ValueError, match="closed"):
        detector.detect(BLANK)


def test_a_damaged_model_is_refused_in_one_sentence(tmp_path, monkeypatch) -> None:
    damaged = tmp_path / "face_landmarker.task"
    damaged.write_bytes(b"not a model")
    monkeypatch.setattr(model_file, "asset_path", lambda name: damaged)
    model_file.read_face_model.cache_clear()
    try:
        with pytest.raises(FaceModelError, match="damaged or of another version"):
            model_file.read_face_model()
        damaged.unlink()
        with pytest.raises(FaceModelError, match="cannot be read"):
            model_file.read_face_model()
    finally:
        monkeypatch.undo()
        model_file.read_face_model.cache_clear()


def test_a_failure_of_mediapipe_is_our_error(monkeypatch) -> None:
    monkeypatch.setattr("lanet_live.face.landmarker.read_face_model", lambda: b"no bundle")
    with pytest.raises(FaceModelError, match="cannot open its face model"):
        FaceLandmarker(RunningMode.IMAGE)


def test_native_chatter_goes_to_the_log_and_errors_to_its_warnings(caplog, capfd) -> None:
    with caplog.at_level(logging.DEBUG, logger="lanet_live.face.quiet"):
        with capture_native_stderr() as lines:
            os.write(2, b"W0000 00:00:1 graph.cc:1] chatter\nE0000 00:00:1 graph.cc:2] trouble\n")
        os.write(2, b"after\n")
    assert [line[:5] for line in lines] == ["W0000", "E0000"]
    assert [record.levelname for record in caplog.records] == ["DEBUG", "WARNING"]
    assert capfd.readouterr().err == "after\n"


def test_what_is_raised_inside_passes_through_and_stderr_is_restored(capfd) -> None:
    with pytest.raises(KeyError), capture_native_stderr():
        raise KeyError
    os.write(2, b"back\n")
    assert capfd.readouterr().err == "back\n"


def test_a_program_that_forgets_to_close_ends_without_a_word() -> None:
    code = (
        "import numpy as np\n"
        "from lanet_live.face.tracker import FaceTracker\n"
        "from lanet_live.records import Frame\n"
        "tracker = FaceTracker()\n"
        "tracker.update(Frame(np.zeros((90, 120, 3), np.uint8), 0, 0.0, 0.0, 'x'))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
