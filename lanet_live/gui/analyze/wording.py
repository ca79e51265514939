"""The words for an item's state, progress and result."""

from collections import Counter
from typing import Final

from lanet_live.analysis.item import AnalysisItem, ItemState
from lanet_live.analysis.queue import QueueSnapshot
from lanet_live.gui.analyze.engine_facts import EngineFacts
from lanet_live.gui.messages import Message
from lanet_live.gui.workspace import StatusFacts

STATE_TEXTS: Final = {
    ItemState.QUEUED: "Waiting",
    ItemState.RUNNING: "Running",
    ItemState.PAUSED: "Paused",
    ItemState.DONE: "Done",
    ItemState.FAILED: "Failed",
    ItemState.CANCELLED: "Cancelled",
}
STATE_ICONS: Final = {
    ItemState.QUEUED: "clock",
    ItemState.RUNNING: "play",
    ItemState.PAUSED: "pause",
    ItemState.DONE: "check",
    ItemState.FAILED: "error",
    ItemState.CANCELLED: "stop",
}
KIND_ICONS: Final = {"video": "file", "images": "folder", "session": "record"}
KIND_TEXTS: Final = {"video": "Video", "images": "Pictures", "session": "Session"}

# An estimate of the number of frames may be too low; only the end is the end.
_MOST_SHARE: Final = 0.99
_MIN_FRAMES_FOR_RATE: Final = 10


def share_of(item: AnalysisItem) -> float | None:
    """Return how much of an item is analysed, 0 to 1; None when that is not known."""
    if item.state is ItemState.DONE:
        return 1.0
    progress = item.progress
    if progress is None:
        return 0.0
    if not progress.n_expected:
        return None
    return min(progress.n_analysed / progress.n_expected, _MOST_SHARE)


def progress_text(item: AnalysisItem) -> str:
    """Return the words in the progress bar."""
    if item.progress is None:
        return "Opening …" if item.state is ItemState.RUNNING else ""
    share = share_of(item)
    if share is None:
        return f"{item.progress.n_analysed} frames"
    return f"{share:.0%}"


def time_left_text(item: AnalysisItem) -> str:
    """Return how long the rest will take; empty when there is nothing to say."""
    progress = item.progress
    if not item.state.is_under_way or progress is None or not progress.n_expected:
        return ""
    if progress.n_analysed < _MIN_FRAMES_FOR_RATE or progress.elapsed_s <= 0:
        return "…"
    n_left = max(0, progress.n_expected - progress.n_analysed)
    return duration_text(n_left * progress.elapsed_s / progress.n_analysed)


def duration_text(duration_s: float) -> str:
    """Return a duration as 8 s, 3 min 05 s or 2 h 10 min."""
    seconds = round(duration_s)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def result_text(item: AnalysisItem) -> str:
    """Return what came of an item, in one line."""
    if item.state in (ItemState.FAILED, ItemState.CANCELLED):
        # The name stands at the beginning of the row; here it would only push the reason out.
        reason = item.reason.removeprefix(f"{item.path} ")
        return reason[:1].upper() + reason[1:]
    progress = item.progress
    if progress is None:
        return ""
    n_frames = f"{progress.n_analysed:,} frames, {progress.n_with_face:,} with a face"
    if item.state is ItemState.DONE:
        note = f". {item.reason}" if item.reason else ""
        return f"{n_frames}, in {duration_text(progress.elapsed_s)}{note}"
    return n_frames


def summary_text(snapshot: QueueSnapshot) -> str:
    """Return how many items are in which state, e.g. "2 waiting, 1 running"."""
    counts = Counter(item.state for item in snapshot.items)
    parts = [f"{counts[state]} {text.lower()}" for state, text in STATE_TEXTS.items()]
    return ", ".join(part for part in parts if not part.startswith("0 "))


def ended_message(snapshot: QueueSnapshot) -> Message | None:
    """Return what to say when the queue has come to its end; None if it was only paused."""
    if any(not item.state.is_over for item in snapshot.items):
        return None
    counts = Counter(item.state for item in snapshot.items)
    n_failed = counts[ItemState.FAILED]
    done = f"The queue is finished: {counts[ItemState.DONE]} done"
    if n_failed:
        return Message("warning", f"{done}, {n_failed} failed. The list tells why.")
    return Message("info", f"{done}.", timeout_s=10)


def status_of(snapshot: QueueSnapshot, engines: EngineFacts) -> StatusFacts:
    """Return what the status bar shows."""
    item = next((item for item in snapshot.items if item.state.is_under_way), None)
    if item is None:
        return StatusFacts(state="Ready" if snapshot.items else "Empty queue")
    progress, fps = item.progress, None
    if progress is not None and progress.elapsed_s > 0:
        fps = progress.n_analysed / progress.elapsed_s
    engine, precision = engines.of(item)
    is_paused = item.state is ItemState.PAUSED
    return StatusFacts(
        state=STATE_TEXTS[item.state],
        source=item.name,
        engine=engine,
        precision=precision,
        fps=None if is_paused else fps,
        # Nothing is dropped from a file.
        n_dropped=0,
    )
