"""A recorded session in which a neutral baseline came into force half way."""

from datetime import datetime
from pathlib import Path

import numpy as np

from lanet_live.expression.baseline import BaselineProfile
from lanet_live.sessions.layout import create_session_folder
from lanet_live.sessions.recorder import SessionRecorder
from lanet_live.sessions.session_file import RecordingPlan
from lanet_live.sinks.metadata import RunSettings, RunSetup
from tests.fakes import LABELS, FakeEngine, FakeTracker, make_facts, make_result, make_spec
from tests.review_tables import distribution

N_FRAMES, FROM_FRAME = 50, 25
SADNESS = LABELS.index("sadness")
PROFILE = BaselineProfile(
    "Ada, at rest",
    LABELS,
    tuple(1.5 if label == "sadness" else 0.0 for label in LABELS),
    90,
    "ab" * 32,
    "2026-11-22T10:00:00+01:00",
)
MEASURED: np.ndarray = distribution(SADNESS)
CORRECTED: np.ndarray = PROFILE.correct(MEASURED)


def record_corrected_session(root: Path) -> Path:
    """Two faces, of which face 0 is corrected from `FROM_FRAME` on; returns the folder."""
    settings = RunSettings("clip.mp4", "lanet-live", {}, {}, "basic", "m.onnx", 8, False, None)
    setup = RunSetup(make_facts(), make_spec(), FakeEngine().info, FakeTracker().info, 0.4, 0.6)
    folder = create_session_folder(root, "ada", datetime(2026, 11, 22, 10, 30))
    recorder = SessionRecorder(folder, RecordingPlan(setup, settings, "none"))
    for index in range(N_FRAMES):
        if index == FROM_FRAME:
            recorder.set_baseline(0, PROFILE, index / 25)
        recorder.write(make_result(index, face_ids=(0, 1), probabilities=MEASURED))
    recorder.close()
    return folder
