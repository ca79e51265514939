"""Records a session from a real clip with the real pipeline, frame by frame, without a window."""

from datetime import datetime
from pathlib import Path

from lanet_live.capture.selected import FrameSelection
from lanet_live.config import LiveConfig
from lanet_live.run.assembly import build_pipeline_factory, build_source_factory, load_model
from lanet_live.sessions.layout import create_session_folder
from lanet_live.sessions.recorder import SessionRecorder
from lanet_live.sessions.session_file import RecordingPlan, live_settings
from lanet_live.sinks.metadata import RunSetup


def record_session(root: Path, config: LiveConfig, *, end_s: float, video: str = "clear") -> Path:
    """Record the beginning of the config's first source and return the session's folder."""
    model = load_model(config.engine)
    given = config.sources[0]
    source = build_source_factory(given, selection=FrameSelection(end_s=end_s))()
    facts = source.open()
    pipeline = build_pipeline_factory(config, model)(facts)
    setup = RunSetup(
        facts=facts,
        spec=pipeline.spec,
        engine=pipeline.engine_info,
        tracker=pipeline.tracker_info,
        min_quality=pipeline.min_quality,
        max_uncertainty=pipeline.max_uncertainty,
    )
    settings = live_settings(config, source=given.title, model_file=model.path.name)
    folder = create_session_folder(root, "clip", datetime(2026, 11, 22, 10, 30))
    recorder = SessionRecorder(folder, RecordingPlan(setup, settings, video))
    try:
        while (frame := source.read()) is not None:
            recorder.write(pipeline.process(frame))
    finally:
        recorder.close()
        pipeline.close()
        source.close()
    return folder
