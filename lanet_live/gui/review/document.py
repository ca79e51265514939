"""The recording on show with its edits, and what is derived from both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from lanet_live.gui.readings import FaceReading
from lanet_live.review.edits import EditHistory, Edits
from lanet_live.review.frame_rows import estimate_of
from lanet_live.review.recording import Recording, choose_values, open_recording
from lanet_live.review.reviewed import Reviewed, review
from lanet_live.review.series import FaceSeries, rows_of_face, series_of
from lanet_live.review.table import nearest_row_time


@dataclass(frozen=True, slots=True)
class Loaded:
    """A recording, ready to be shown.

    Attributes:
        recording: What was opened.
        reviewed: Its rows under the edits it came with.
        rows: Of each face, by time.
        series: Of each face, for drawing.
        frame_s: Moments of the frames, ascending, (M,).
    """

    recording: Recording
    reviewed: Reviewed
    rows: dict[int, NDArray[np.int64]]
    series: dict[int, FaceSeries]
    frame_s: NDArray[np.float64]


def load(path: Path) -> Loaded:
    """Open a recording and prepare it for drawing; belongs into a worker thread."""
    recording = open_recording(path)
    reviewed = review(recording, recording.edits)
    rows = {i: rows_of_face(recording.table, reviewed, i) for i in reviewed.face_ids}
    series = {i: series_of(recording.table, reviewed, r) for i, r in rows.items()}
    return Loaded(recording, reviewed, rows, series, np.unique(recording.table.time_s))


def show_values(loaded: Loaded, *, is_corrected: bool) -> Loaded:
    """Return a loaded recording with corrected values where there are any, or as it was loaded."""
    recording = choose_values(loaded.recording, is_corrected=is_corrected)
    if recording is loaded.recording:
        return loaded
    table, reviewed = recording.table, loaded.reviewed
    series = {i: series_of(table, reviewed, rows) for i, rows in loaded.rows.items()}
    return replace(loaded, recording=recording, series=series)


class ReviewDocument(QObject):
    """What the panels of the workspace show. Lives in the GUI thread."""

    opened = Signal()
    edited = Signal()
    values_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._loaded: Loaded | None = None
        self._recording: Recording | None = None
        self._history = EditHistory(Edits(), self._on_changed)
        self.reviewed: Reviewed | None = None
        self._rows: dict[int, NDArray[np.int64]] = {}
        self.series: dict[int, FaceSeries] = {}

    @property
    def recording(self) -> Recording | None:
        """What is open, with the values that were chosen; None for nothing."""
        return self._recording

    @property
    def has_corrected(self) -> bool:
        """Whether the recording holds values corrected by neutral baselines."""
        return self._loaded is not None and self._loaded.recording.corrected is not None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names; empty when nothing is open."""
        return self._loaded.recording.table.labels if self._loaded else ()

    @property
    def span_s(self) -> tuple[float, float]:
        """First and last moment."""
        return self._loaded.recording.table.span_s if self._loaded else (0.0, 0.0)

    @property
    def edits(self) -> Edits:
        """In force."""
        return self._history.edits

    @property
    def history(self) -> EditHistory:
        """The way back and forth."""
        return self._history

    @property
    def faces_by_length(self) -> tuple[int, ...]:
        """The faces, the one seen in most frames first."""
        return tuple(sorted(self._rows, key=lambda i: (-len(self._rows[i]), i)))

    def n_rows(self, face_id: int) -> int:
        """In how many frames a face was seen."""
        return len(self._rows[face_id])

    def first_row(self, face_id: int) -> int:
        """Return the first row of a face."""
        return int(self._rows[face_id][0])

    def show(self, loaded: Loaded) -> None:
        """Show another recording."""
        self._loaded, self._recording = loaded, loaded.recording
        self._history = EditHistory(loaded.recording.edits, self._on_changed)
        self.reviewed, self._rows, self.series = loaded.reviewed, loaded.rows, loaded.series
        self.opened.emit()

    def change(
        self, caption: str, make: Callable[[Edits], Edits], *, joins_last: bool = False
    ) -> None:
        """Put the edits in force that `make` makes of the present ones."""
        if self._loaded is not None:
            self._history.change(caption, make(self.edits), joins_last=joins_last)

    def set_corrected(self, is_on: bool) -> None:
        """Show values corrected by neutral baselines where there are any, or those measured."""
        if self._loaded is None:
            return
        recording = choose_values(self._loaded.recording, is_corrected=is_on)
        if self._recording is not recording:
            self._recording = recording
            self._make_series()
            self.values_changed.emit()

    def undo(self) -> None:
        """Take the last change back."""
        self._history.undo()

    def redo(self) -> None:
        """Make the change taken back last again."""
        self._history.redo()

    # Reading the table ------------------------------------------------------------------------

    def frame_near(self, time_s: float) -> float:
        """Return the moment of the frame closest to another moment."""
        return nearest_row_time(self._loaded.frame_s, time_s) if self._loaded else 0.0

    def frame_beside(self, time_s: float, step: int) -> float:
        """Return the moment of the frame some frames later (negative: earlier)."""
        if self._loaded is None or not len(self._loaded.frame_s):
            return 0.0
        frame_s = self._loaded.frame_s
        place = int(np.searchsorted(frame_s, self.frame_near(time_s))) + step
        return float(frame_s[min(max(place, 0), len(frame_s) - 1)])

    def frame_at_or_before(self, time_s: float) -> float:
        """Return the moment of the frame on show at a moment."""
        if self._loaded is None or not len(self._loaded.frame_s):
            return 0.0
        place = int(np.searchsorted(self._loaded.frame_s, time_s, side="right")) - 1
        return float(self._loaded.frame_s[max(place, 0)])

    def row_at(self, face_id: int, time_s: float) -> int | None:
        """Return a face's row in the frame of a moment; None when it is not in the picture."""
        if self._loaded is None or face_id not in self._rows:
            return None
        rows = self._rows[face_id]
        times_s = self._loaded.recording.table.time_s
        place = int(np.searchsorted(times_s[rows], time_s))
        is_there = place < len(rows) and times_s[rows[place]] == time_s
        return int(rows[place]) if is_there else None

    def readings_at(self, time_s: float) -> Mapping[int, tuple[int, FaceReading]]:
        """Return row and reading of each face in the frame of a moment, by id."""
        found = {}
        for face_id in self._rows:
            row = self.row_at(face_id, time_s)
            if row is not None:
                found[face_id] = (row, self.reading_of(face_id, row))
        return found

    def reading_of(self, face_id: int, row: int) -> FaceReading:
        """Return what one row says of a face."""
        assert self._loaded is not None
        assert self._recording is not None
        assert self.reviewed is not None
        measured, min_quality = self._loaded.recording.table, self.edits.limits.min_quality
        estimate = estimate_of(
            measured,
            self.reviewed,
            row,
            min_quality=min_quality,
            min_probabilities=self._loaded.recording.min_probabilities,
        )
        shown = self._recording.table.probabilities[row]
        notes = []
        is_corrected = not np.array_equal(shown, estimate.probabilities)
        if is_corrected:
            notes.append("baseline-corrected")
        if self.reviewed.is_excluded[row]:
            notes.append("in an excluded range")
        name = self.edits.name_of(face_id)
        return FaceReading(name, estimate, shown, ", ".join(notes), is_corrected)

    def _on_changed(self, edits: Edits) -> None:
        assert self._recording is not None
        before, table = self.reviewed, self._recording.table
        self.reviewed = reviewed = review(self._recording, edits)
        if before is None or not np.array_equal(before.face_id, reviewed.face_id):
            self._rows = {i: rows_of_face(table, reviewed, i) for i in reviewed.face_ids}
            self._make_series()
        elif not np.array_equal(before.is_reliable, reviewed.is_reliable):
            for face_id, series in self.series.items():
                series.set_reliable(reviewed.is_reliable[self._rows[face_id]])
        self.edited.emit()

    def _make_series(self) -> None:
        assert self._recording is not None
        assert self.reviewed is not None
        table, reviewed = self._recording.table, self.reviewed
        self.series = {i: series_of(table, reviewed, rows) for i, rows in self._rows.items()}
