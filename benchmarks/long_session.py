"""Make the session of an hour from a minute of a real clip, without analysing an hour."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from looped_clip import loop_clip

from lanet_live.config import EngineConfig, LiveConfig, SourceConfig
from lanet_live.records import ExpressionEstimate, FaceTrack, FrameResult
from lanet_live.run.assembly import build_pipeline_factory, build_source_factory, load_model
from lanet_live.sessions.layout import FRAMES_FILE, SESSION_FILE, VIDEO_FILE
from lanet_live.sessions.recorder import SessionRecorder
from lanet_live.sessions.session_file import RecordingPlan, live_settings
from lanet_live.sinks.metadata import RunSetup
from lanet_live.sinks.mp4 import MUXER_OPTIONS

FPS = 30
_FRAMES_A_MINUTE = 60 * FPS
_FACE_STEP_PX = 180.0


def record_minute(clip: Path, folder: Path, *, n_faces: int) -> Path:
    """Record a minute at 30 fps: the clip there and back, its face seen several times.

    The recorder writes it, from results of the pipeline. Copies of the face stand beside it, with
    the classes changed about.

    Args:
        clip: A clip with one face.
        folder: Becomes the session; must not be there.
        n_faces: In every frame that has one.

    Returns:
        The folder.
    """
    folder.mkdir()
    config = LiveConfig(sources=(SourceConfig("video", path=clip),), engine=EngineConfig())
    model = load_model(config.engine)
    source = build_source_factory(config.sources[0])()
    facts = replace(source.open(), nominal_fps=float(FPS))
    pipeline = build_pipeline_factory(config, model)(facts)
    setup = RunSetup(
        facts, pipeline.spec, pipeline.engine_info, pipeline.min_quality, pipeline.max_uncertainty
    )
    settings = live_settings(config, source=str(clip), model_file=model.path.name)
    recorder = SessionRecorder(folder, RecordingPlan(setup, settings, "clear"))
    results = []
    while (frame := source.read()) is not None:
        results.append(pipeline.process(frame))
    pipeline.close()
    source.close()
    for result in _there_and_back(results, n_faces):
        recorder.write(result)
    recorder.close()
    return folder


def repeat_session(minute: Path, folder: Path, *, n_minutes: int) -> Path:
    """Repeat a recorded minute.

    Args:
        minute: From `record_minute`.
        folder: Becomes the session; must not be there.
        n_minutes: Length of the session.

    Returns:
        The folder.
    """
    folder.mkdir()
    for path in minute.iterdir():
        if path.name not in (FRAMES_FILE, VIDEO_FILE):
            (folder / path.name).write_bytes(path.read_bytes())
    document = json.loads((folder / SESSION_FILE).read_text())
    n_frames = n_minutes * _FRAMES_A_MINUTE
    document["frames"] |= {
        "n_frames": n_frames,
        "n_video_frames": n_frames,
        "last_s": (n_frames - 1) / FPS,
    }
    (folder / SESSION_FILE).write_text(json.dumps(document))
    _repeat_rows(minute / FRAMES_FILE, folder / FRAMES_FILE, n_minutes)
    loop_clip(
        minute / VIDEO_FILE,
        folder / VIDEO_FILE,
        n_frames=n_frames,
        period_s=60.0,
        muxer_options=MUXER_OPTIONS,
    )
    return folder


def _there_and_back(results: list[FrameResult], n_faces: int) -> Iterator[FrameResult]:
    loop = results + results[-2:0:-1]
    for index in range(_FRAMES_A_MINUTE):
        result = loop[index % len(loop)]
        frame = replace(
            result.frame,
            index=index,
            timestamp_s=index / FPS,
            captured_at_s=time.perf_counter(),
        )
        pairs = list(zip(result.tracks, result.estimates, strict=True))[:1]
        copies = [_copy(*pair, face_id) for pair in pairs for face_id in range(n_faces)]
        yield FrameResult(
            frame=frame,
            tracks=tuple(track for track, _ in copies),
            estimates=tuple(estimate for _, estimate in copies),
        )


def _copy(
    track: FaceTrack, estimate: ExpressionEstimate, face_id: int
) -> tuple[FaceTrack, ExpressionEstimate]:
    shift_px = np.float32(_FACE_STEP_PX * (face_id - 1) if face_id else 0.0)
    box_xyxy_px = track.box_xyxy_px + shift_px * np.array([1, 0, 1, 0], np.float32)
    probabilities = np.roll(estimate.probabilities, face_id)
    return (
        replace(track, face_id=face_id, box_xyxy_px=box_xyxy_px),
        replace(estimate, face_id=face_id, probabilities=probabilities),
    )


def _repeat_rows(minute: Path, target: Path, n_minutes: int) -> None:
    """Write the rows again and again; only number and moment of the frame differ."""
    with minute.open() as file:
        header, *rows = file.readlines()
    if header.split(",", 3)[:3] != ["frame", "face_id", "timestamp"]:
        raise ValueError("the table begins with other columns than this expects")
    parts = [row.split(",", 3) for row in rows]
    with target.open("w") as file:
        file.write(header)
        for number in range(n_minutes):
            file.writelines(
                f"{int(frame) + number * _FRAMES_A_MINUTE},{face_id},"
                f"{float(time_s) + 60 * number:.6f},{rest}"
                for frame, face_id, time_s, rest in parts
            )
