"""The runner's events as sentences for the user."""

from lanet_live.gui.live.run import LiveRun
from lanet_live.gui.messages import Message
from lanet_live.gui.workspace import StatusFacts
from lanet_live.run.live_events import (
    CameraBack,
    CameraLost,
    RunnerFailed,
    RunState,
    SinkFailed,
    SourceReported,
)

_STATE_WORDS = {
    RunState.IDLE: "Ready",
    RunState.OPENING: "Opening",
    RunState.RUNNING: "Running",
    RunState.PAUSED: "Paused",
    RunState.STOPPING: "Stopping",
    RunState.FINISHED: "Finished",
    RunState.FAILED: "Stopped by an error",
}


def message_for(event: object) -> Message | None:
    """Return the sentence for an event; None when it needs none."""
    if isinstance(event, RunnerFailed):
        return Message("error", event.message)
    if isinstance(event, CameraLost):
        return Message("warning", f"{event.message} It is being tried again; the past is kept.")
    if isinstance(event, CameraBack):
        return Message("info", "The camera is back.", timeout_s=6)
    if isinstance(event, SinkFailed):
        return Message("error", f"Writing ended early; what was written is kept. {event.message}")
    if isinstance(event, SourceReported) and event.report.warnings:
        return Message("warning", " ".join(event.report.warnings))
    return None


def status_of(run: LiveRun, *, is_camera_away: bool, latency_ms: float | None) -> StatusFacts:
    """Return what the status bar shows of a run."""
    stats, setup, facts = run.stats, run.setup, run.facts
    state = run.state
    word = "Waiting for the camera" if is_camera_away else _STATE_WORDS[state]
    if run.compiling is not None and state is RunState.OPENING:
        word = f"{run.compiling.what}, once: {run.compiling.share:.0%}"
    has_results = stats.n_results > 0
    return StatusFacts(
        state=word,
        source=f"{facts.source_id}, {facts.width_px} × {facts.height_px}" if facts else "",
        engine=f"{setup.engine.backend} on {setup.engine.device}" if setup else "",
        precision=setup.engine.precision if setup else "",
        fps=stats.fps if state is RunState.RUNNING else None,
        latency_ms=latency_ms if state is RunState.RUNNING else None,
        n_dropped=stats.n_dropped if has_results else None,
        is_alert=is_camera_away or state is RunState.FAILED,
    )
