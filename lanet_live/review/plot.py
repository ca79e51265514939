"""The picture of a reviewed recording: like that of an export, excluded ranges crossed out."""

from pathlib import Path
from typing import Final

import numpy as np

from lanet_live import __version__
from lanet_live.drawing.history import FaceHistory
from lanet_live.drawing.timeline_figure import FaceRun, PlotText, RunSpan, draw_timeline
from lanet_live.errors import ConfigError
from lanet_live.review.edits import Edits
from lanet_live.review.recording import Recording
from lanet_live.review.reviewed import Reviewed, review
from lanet_live.review.series import rows_of_face
from lanet_live.review.table import NO_FACE, FrameTable
from lanet_live.sinks.output_file import published

FORMATS: Final = {".png": "png", ".svg": "svg"}


def draw_review(path: Path, recording: Recording, edits: Edits) -> None:
    """Draw the faces seen longest over the whole recording.

    Args:
        path: Ends with `.png` or `.svg`; a file that is there is replaced.
        recording: What was opened.
        edits: In force.

    Raises:
        ConfigError: The format is not known.
        SinkError: It cannot be written.
    """
    file_format = FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise ConfigError(f"{path.name} must end with {' or '.join(FORMATS)}.")
    table, reviewed = recording.table, review(recording, edits)
    faces = [_run_of(table, reviewed, edits, face_id) for face_id in reviewed.face_ids]
    faces = [face for face in faces if len(face.history)]
    faces.sort(key=lambda face: (-len(face.history), face.face_id))
    with published(path, overwrite=True) as part:
        draw_timeline(
            part,
            faces,
            _span_of(table, edits),
            table.labels,
            _text_of(recording, edits),
            file_format=file_format,
        )


def _run_of(table: FrameTable, reviewed: Reviewed, edits: Edits, face_id: int) -> FaceRun:
    rows = rows_of_face(table, reviewed, face_id)
    rows = rows[~reviewed.is_excluded[rows]]
    # Two frames of one moment: the first is drawn.
    rows = rows[np.diff(table.time_s[rows], prepend=-np.inf) > 0]
    probabilities = table.probabilities[rows].astype(np.float32)
    judgement = np.column_stack(
        [table.uncertainty[rows], table.quality[rows], reviewed.is_reliable[rows]]
    )
    history = FaceHistory.from_arrays(
        table.time_s[rows], probabilities, probabilities, judgement.astype(np.float32)
    )
    n_reliable = int(reviewed.is_reliable[rows].sum())
    return FaceRun(face_id, history, n_reliable, edits.name_of(face_id))


def _span_of(table: FrameTable, edits: Edits) -> RunSpan:
    first_s, last_s = table.span_s
    has_face = table.face_id != NO_FACE
    return RunSpan(
        first_s,
        last_s,
        n_frames=len(np.unique(table.frame)),
        n_with_face=len(np.unique(table.frame[has_face])),
        excluded_s=edits.excluded_s,
    )


def _text_of(recording: Recording, edits: Edits) -> PlotText:
    n_excluded = len(edits.excluded_s)
    ranges = "range" if n_excluded == 1 else "ranges"
    model = recording.document.get("model") or {}
    notes = [f"Crossed out: {n_excluded} excluded {ranges}." if n_excluded else recording.notice]
    if recording.is_corrected:
        notes.append("Values corrected by neutral baselines.")
    origin = f", model {model['name']}" if isinstance(model.get("name"), str) else ""
    return PlotText(
        title=recording.title,
        footer=f"LA-Net Live {__version__}{origin}, reviewed",
        min_quality=edits.limits.min_quality,
        max_uncertainty=edits.limits.max_uncertainty,
        note="  ".join(filter(None, notes)),
    )
