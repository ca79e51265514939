import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from lanet_live.errors import ConfigError, SinkError
from lanet_live.expression.baseline import BaselineProfile
from lanet_live.sessions.events import SessionEvent, read_events
from lanet_live.sessions.layout import create_session_folder, is_session_folder
from lanet_live.sessions.reader import open_session
from lanet_live.sessions.recorder import SessionRecorder
from lanet_live.sessions.session_file import RecordingPlan
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.metadata import RunSettings, RunSetup
from lanet_live.sinks.table import TableLayout
from tests.fakes import LABELS, FakeEngine, FakeTracker, make_facts, make_result, make_spec

SETTINGS = RunSettings("clip.mp4", "lanet-live", {}, {}, "basic", "m.onnx", 8, False, None)


def make_plan(video="none", **facts):
    setup = RunSetup(
        make_facts(**facts), make_spec(), FakeEngine().info, FakeTracker().info, 0.4, 0.6
    )
    return RecordingPlan(setup, SETTINGS, video)


def make_profile(sadness=1.5):
    offsets = tuple(sadness if label == "sadness" else 0.0 for label in LABELS)
    return BaselineProfile("Ada", LABELS, offsets, 90, "ab" * 32, "2026-11-22T10:00:00+01:00")


@pytest.fixture
def folder(tmp_path):
    return create_session_folder(tmp_path, "my clip.mp4", datetime(2026, 11, 22, 10, 30, 1))


def test_folder_is_named_after_moment_and_source_and_never_reused(folder, tmp_path):
    assert folder.name == "2026-11-22_10-30-01_my-clip.mp4"
    again = create_session_folder(tmp_path, "my clip.mp4", datetime(2026, 11, 22, 10, 30, 1))
    assert again.name.endswith("_2")


def test_recorded_table_equals_the_export(folder, tmp_path):
    recorder = SessionRecorder(folder, make_plan())
    export = CsvSink(tmp_path / "export.csv", TableLayout(LABELS))
    for index in range(10):
        result = make_result(index, face_ids=(0, 1) if index % 3 else ())
        recorder.write(result)
        export.write(result)
    recorder.close()
    export.close()
    assert (folder / "frames.csv").read_bytes() == (tmp_path / "export.csv").read_bytes()


def test_session_tells_source_model_limits_and_counts(folder):
    recorder = SessionRecorder(folder, make_plan())
    assert open_session(folder).document["status"] == "recording"
    for index in range(10):
        recorder.write(make_result(index, face_ids=(0,) if index else ()))
    recorder.close()
    recorder.close()
    document = open_session(folder).document
    assert document["status"] == "complete"
    assert document["model"]["labels"] == list(LABELS)
    assert document["thresholds"] == {"min_quality": 0.4, "max_uncertainty": 0.6}
    assert (document["frames"]["n_frames"], document["frames"]["n_with_face"]) == (10, 9)
    assert document["privacy"] == {"stores_pictures": False, "faces_are_blurred": False}
    assert open_session(folder).notice == ""


def test_names_events_and_faces_are_kept(folder):
    recorder = SessionRecorder(folder, make_plan())
    recorder.write(make_result(0, face_ids=(0, 1)))
    recorder.name_face(0, "Ada, Lovelace")
    recorder.add_event(SessionEvent(0.5, number=2, name="smile", note='said "hi",\nthen left'))
    recorder.add_event(SessionEvent(0.25, kind="marker", name="start"))
    recorder.write(make_result(1, face_ids=(1,), is_reliable=False))
    recorder.close()
    info = open_session(folder)
    assert [event.name for event in info.events] == ["start", "smile"]
    assert info.events[1].note == 'said "hi",\nthen left'
    assert info.events[1].caption == "2 smile"
    assert [(f.name, f.n_frames, f.n_reliable) for f in info.faces] == [
        ("Ada, Lovelace", 1, 1),
        ("Face 1", 2, 1),
    ]
    recorder.add_event(SessionEvent(9.0))  # after the end: nothing happens
    assert len(read_events(folder / "events.csv")) == 2


def test_features_only_mode_stores_no_picture(folder):
    recorder = SessionRecorder(folder, make_plan())
    recorder.write(make_result(0))
    recorder.close()
    assert {p.name for p in folder.iterdir()} == {
        "session.json",
        "frames.csv",
        "events.csv",
        "faces.csv",
    }


def test_baseline_keeps_raw_values_and_adds_corrected_ones(folder):
    recorder = SessionRecorder(folder, make_plan())
    recorder.write(make_result(0))
    profile = make_profile()
    recorder.set_baseline(0, profile, 0.04)
    recorder.write(make_result(1, face_ids=(0, 1)))
    recorder.set_baseline(0, None, 0.08)
    recorder.write(make_result(2))
    recorder.close()
    frames = pd.read_csv(folder / "frames.csv")
    corrected = pd.read_csv(folder / "corrected.csv")
    assert len(corrected) == 1
    row = corrected.merge(frames, on=["frame", "face_id"]).iloc[0]
    raw = row[list(LABELS)].to_numpy(dtype=float)
    fixed = row[[f"{label}_bc" for label in LABELS]].to_numpy(dtype=float)
    np.testing.assert_allclose(fixed, profile.correct(raw), atol=2e-6)
    assert row["frame"] == 1
    info = open_session(folder)
    assert info.document["baselines"]["0"][0]["name"] == "Ada"
    assert info.faces[0].baseline == "Ada"


@pytest.mark.parametrize("video", ["clear", "blurred"])
def test_video_has_every_frame_at_its_time(folder, video):
    recorder = SessionRecorder(folder, make_plan(video))
    times = [3.0 + 0.04 * i + (0.2 if i > 10 else 0) for i in range(20)]
    for index, time_s in enumerate(times):
        recorder.write(make_result(index, timestamp_s=time_s))
    recorder.close()
    info = open_session(folder)
    with av.open(str(info.video_path)) as container:
        stamps = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(stamps, times, atol=1e-3)
    assert info.document["frames"]["n_video_frames"] == 20
    assert info.document["privacy"]["faces_are_blurred"] == (video == "blurred")


def test_full_disk_ends_the_recording_and_says_so(folder):
    recorder = SessionRecorder(folder, make_plan())
    recorder.write(make_result(0))
    good = (folder / "frames.csv").read_bytes()
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    table = recorder._table._file
    os.dup2(os.open(full, os.O_WRONLY), table._file.fileno())
    with pytest.raises(SinkError, match="full"):
        recorder.write(make_result(1))
    recorder.close()
    assert (folder / "frames.csv").read_bytes() == good
    info = open_session(folder)
    assert info.document["status"] == "partial"
    assert "full" in info.notice


def test_killed_recording_opens_with_a_notice_and_its_video_plays(tmp_path):
    script = tmp_path / "record.py"
    script.write_text(
        textwrap.dedent("""
            import sys, time
            from pathlib import Path
            from lanet_live.sessions.recorder import SessionRecorder
            from tests.fakes import make_result
            from tests.unit.lanet_live.sessions.test_recorder import make_plan
            folder = Path(sys.argv[1])
            folder.mkdir()
            recorder = SessionRecorder(folder, make_plan("clear"))
            for index in range(100_000):
                recorder.write(make_result(index))
                if index == 80:
                    print("going", flush=True)
                time.sleep(0.002)
        """)
    )
    root = Path(__file__).parents[4]
    folder = tmp_path / "session"
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    try:
        assert process.stdout.readline() == b"going\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
    info = open_session(folder)
    assert "interrupted" in info.notice
    n_rows = len(pd.read_csv(info.frames_path))
    assert n_rows >= 80
    with av.open(str(info.video_path)) as container:
        n_pictures = sum(1 for _ in container.decode(video=0))
    # At 25 frames a second of source time, at most the last second is missing.
    assert n_pictures >= n_rows - 25 - 15
    assert info.faces[0].n_frames > 0


def test_folder_that_is_no_session_is_refused(tmp_path):
    assert not is_session_folder(tmp_path)
    with pytest.raises(ConfigError, match="no session"):
        open_session(tmp_path)
    (tmp_path / "session.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        open_session(tmp_path)
    (tmp_path / "session.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(ConfigError, match="another version"):
        open_session(tmp_path)
