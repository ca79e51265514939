"""Opens what can be reviewed: a session folder, or an exported table with its video."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from lanet_live.errors import ConfigError
from lanet_live.export.plan import METADATA_SUFFIX
from lanet_live.records import F64Array
from lanet_live.review.corrected import read_corrected
from lanet_live.review.edits import Edits, Limits
from lanet_live.review.edits_file import edits_path_of, read_edits
from lanet_live.review.table import FrameTable, read_frame_table
from lanet_live.sessions.layout import FRAMES_FILE, SESSION_FILE, is_session_folder
from lanet_live.sessions.reader import SessionInfo, open_session

TABLE_SUFFIXES: Final = (".csv", ".parquet")
_VIDEO_SUFFIXES: Final = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
_MAX_CHARS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Recording:
    """What was opened.

    Attributes:
        title: What to call it.
        table_path: The recorded table; never changed.
        table: Its rows.
        document: Its metadata; empty when there are none.
        limits: Under which `FrameTable.is_reliable` was recorded.
        edits: As left by the last review, or as recorded.
        edits_path: Where edits are kept.
        video_path: None when there is no video.
        video_shift_s: Moment in the video less moment in the table.
        notice: What the user must know first; empty for nothing.
        corrected_path: Table of the values corrected by neutral baselines; None for none.
        corrected: The corrected probabilities, (N, C), NaN where there are none; None for none.
        is_corrected: The table's probabilities are the corrected ones where there are any.
    """

    title: str
    table_path: Path
    table: FrameTable
    document: dict[str, Any]
    limits: Limits
    edits: Edits
    edits_path: Path
    video_path: Path | None
    video_shift_s: float
    notice: str
    corrected_path: Path | None = None
    corrected: F64Array | None = None
    is_corrected: bool = False

    @property
    def class_shares(self) -> tuple[float, ...] | None:
        """What the model assumes, (C,); None if the metadata do not say or values are corrected."""
        stated = (self.document.get("model") or {}).get("class_shares")
        if self.is_corrected or not isinstance(stated, dict):
            return None
        if not _are_numbers((stated.get(label) for label in self.table.labels), above=0.0):
            return None
        return tuple(float(stated[label]) for label in self.table.labels)

    @property
    def min_probabilities(self) -> F64Array | None:
        """Thresholds of the prediction sets, (C,); None if the metadata state none."""
        stated = (self.document.get("model") or {}).get("prediction_sets")
        values = stated.get("min_probabilities") if isinstance(stated, dict) else None
        if not isinstance(values, list) or len(values) != len(self.table.labels):
            return None
        return np.array(values) if _are_numbers(values, above=-1.0) else None


def _are_numbers(values: Iterable[object], *, above: float) -> bool:
    """Whether these are numbers above one and at most 1, and not what only looks like some."""
    return all(
        isinstance(value, int | float) and not isinstance(value, bool) and above < value <= 1
        for value in values
    )


def can_open(path: Path) -> bool:
    """Whether a path looks like something to review."""
    if path.is_dir():
        return is_session_folder(path)
    is_table = path.suffix.lower() in TABLE_SUFFIXES
    return path.is_file() and (is_table or path.name == SESSION_FILE)


def open_recording(path: Path) -> Recording:
    """Open a session folder or a table.

    Raises:
        ConfigError: It is neither, or not readable.
    """
    if path.name in (SESSION_FILE, FRAMES_FILE) and is_session_folder(path.parent):
        path = path.parent
    return _open_session(path) if path.is_dir() else _open_table(path)


def _open_session(folder: Path) -> Recording:
    session = open_session(folder)
    if not session.frames_path.is_file():
        raise ConfigError(f"{folder} holds no frames; the recording ended before the first one.")
    table = read_frame_table(session.frames_path, session.labels)
    corrected, complaint = _read_corrected(session, table)
    limits = _limits(session.document)
    edits_path = edits_path_of(session.frames_path, is_session=True)
    return Recording(
        title=folder.name,
        table_path=session.frames_path,
        table=table,
        document=session.document,
        limits=limits,
        edits=read_edits(edits_path) or _as_recorded(session, limits),
        edits_path=edits_path,
        video_path=session.video_path,
        video_shift_s=_video_shift_s(session, table),
        notice=f"{session.notice} {complaint}".strip(),
        corrected_path=None if corrected is None else session.corrected_path,
        corrected=corrected,
    )


def _open_table(path: Path) -> Recording:
    if not path.is_file() or path.suffix.lower() not in TABLE_SUFFIXES:
        raise ConfigError(f"{path} is neither a session folder nor a table (CSV or Parquet).")
    document = _read_metadata(path.with_name(f"{path.stem}{METADATA_SUFFIX}"))
    labels = (document.get("model") or {}).get("labels")
    table = read_frame_table(path, labels if isinstance(labels, list) else None)
    limits = _limits(document)
    edits_path = edits_path_of(path, is_session=False)
    return Recording(
        title=path.name,
        table_path=path,
        table=table,
        document=document,
        limits=limits,
        edits=read_edits(edits_path) or Edits(limits=limits),
        edits_path=edits_path,
        video_path=_find_video(path, document),
        video_shift_s=0.0,
        notice=_table_notice(table, document),
    )


def choose_values(recording: Recording, *, is_corrected: bool) -> Recording:
    """Return a recording with corrected probabilities where there are any, or as it is.

    Uncertainty, quality and what is relied on stay those that were measured, as when it was live.

    Args:
        recording: As opened.
        is_corrected: Take the corrected values.
    """
    if not is_corrected or recording.corrected is None:
        return recording
    has_value = np.isfinite(recording.corrected).all(axis=1, keepdims=True)
    probabilities = np.where(has_value, recording.corrected, recording.table.probabilities)
    table = replace(recording.table, probabilities=probabilities)
    return replace(recording, table=table, is_corrected=True)


def _read_corrected(session: SessionInfo, table: FrameTable) -> tuple[F64Array | None, str]:
    """Return the corrected values and, if they are there but not readable, a sentence why."""
    if session.corrected_path is None:
        return None, ""
    try:
        return read_corrected(session.corrected_path, table), ""
    except ConfigError as error:
        return None, f"The baseline-corrected values cannot be read: {error}"


def _as_recorded(session: SessionInfo, limits: Limits) -> Edits:
    names = {f.face_id: f.name for f in session.faces if f.name != f"Face {f.face_id}"}
    return Edits(events=session.events, names=names, limits=limits)


def _video_shift_s(session: SessionInfo, table: FrameTable) -> float:
    """Use the table where an interrupted recording did not write its first moment."""
    return session.video_shift_s or max(0.0, -table.span_s[0])


def _limits(document: dict[str, Any]) -> Limits:
    stated = document.get("thresholds")
    if not isinstance(stated, dict):
        return Limits()
    values = [stated.get("max_uncertainty"), stated.get("min_quality")]
    if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in values):
        return Limits()
    return Limits(max_uncertainty=float(values[0] or 0), min_quality=float(values[1] or 0))


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            document = json.loads(file.read(_MAX_CHARS))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} does not describe a table.")
    return document


def _find_video(table_path: Path, document: dict[str, Any]) -> Path | None:
    """Look for the video where the metadata say it was, then beside the table."""
    stated = (document.get("source") or {}).get("given_as")
    places = []
    if isinstance(stated, str) and Path(stated).suffix.lower() in _VIDEO_SUFFIXES:
        places = [table_path.parent / stated, table_path.parent / Path(stated).name]
    places += [table_path.with_suffix(suffix) for suffix in _VIDEO_SUFFIXES]
    return next((place for place in places if place.is_file()), None)


def _table_notice(table: FrameTable, document: dict[str, Any]) -> str:
    status = document.get("status")
    if table.is_cut_off or status == "running":
        return (
            "This table was cut off: the program that wrote it did not end properly. "
            "Everything up to its last whole line is here."
        )
    if status == "partial":
        return f"This table is not complete: {document.get('partial_reason') or 'unknown reason'}"
    if not table.has_time:
        return "These pictures have no time; every picture counts as one second."
    if not document:
        return "There are no metadata beside this table; its limits are not known."
    return ""
