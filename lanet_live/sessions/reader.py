"""Opens a session folder: what it holds, and whether its recording was interrupted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanet_live.errors import ConfigError
from lanet_live.sessions.events import SessionEvent, read_events
from lanet_live.sessions.faces import FaceEntry, read_faces
from lanet_live.sessions.layout import (
    CORRECTED_FILE,
    EVENTS_FILE,
    FACES_FILE,
    FRAMES_FILE,
    VIDEO_FILE,
)
from lanet_live.sessions.session_file import COMPLETE, PARTIAL, read_session_document


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session folder as found.

    Attributes:
        folder: Where it is.
        document: `session.json` as it is.
        labels: Class names of the model, in the order of the table's columns.
        events: By ascending time.
        faces: By ascending id; empty if none was seen.
        notice: One sentence if the recording did not end properly; empty otherwise.
    """

    folder: Path
    document: dict[str, Any]
    labels: tuple[str, ...]
    events: tuple[SessionEvent, ...]
    faces: tuple[FaceEntry, ...]
    notice: str

    @property
    def frames_path(self) -> Path:
        """The table of the frames."""
        return self.folder / FRAMES_FILE

    @property
    def corrected_path(self) -> Path | None:
        """The corrected probabilities; None when no baseline was in force."""
        return _if_there(self.folder / CORRECTED_FILE)

    @property
    def video_path(self) -> Path | None:
        """The video; None when none was stored."""
        return _if_there(self.folder / VIDEO_FILE)

    @property
    def video_shift_s(self) -> float:
        """Moment in the video less moment in the table; MP4 cannot hold moments before 0."""
        first_s = (self.document.get("frames") or {}).get("first_s")
        return max(0.0, -first_s) if isinstance(first_s, int | float) else 0.0


def open_session(folder: Path) -> SessionInfo:
    """Read what a session holds; its table is read separately.

    Raises:
        ConfigError: The folder is no session, or a file of it is not readable.
    """
    document = read_session_document(folder)
    labels = (document.get("model") or {}).get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ConfigError(f"{folder} does not name the classes of its model.")
    events_path, faces_path = folder / EVENTS_FILE, folder / FACES_FILE
    return SessionInfo(
        folder=folder,
        document=document,
        labels=tuple(labels),
        events=read_events(events_path) if events_path.is_file() else (),
        faces=read_faces(faces_path) if faces_path.is_file() else (),
        notice=_notice(document),
    )


def _notice(document: dict[str, Any]) -> str:
    status = document.get("status")
    if status == COMPLETE:
        return ""
    if status == PARTIAL:
        return f"This recording ended early: {document.get('partial_reason') or 'unknown reason'}"
    return (
        "This recording was interrupted. Everything up to the last second before is here; "
        "its end was not written."
    )


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None
