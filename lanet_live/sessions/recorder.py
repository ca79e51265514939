"""Writes a session while it happens. A sink of the worker; names and events come from outside."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

from lanet_live.errors import SinkError
from lanet_live.expression.baseline import BaselineProfile
from lanet_live.expression.shares import SharesCollector
from lanet_live.records import ExpressionEstimate, FrameResult
from lanet_live.sessions.corrected import CorrectedTable
from lanet_live.sessions.events import EventLog, SessionEvent
from lanet_live.sessions.faces import FaceEntry, write_faces
from lanet_live.sessions.layout import (
    CORRECTED_FILE,
    EVENTS_FILE,
    FACES_FILE,
    FRAMES_FILE,
    VIDEO_FILE,
)
from lanet_live.sessions.session_file import RecordingCounts, RecordingPlan, SessionFile
from lanet_live.sessions.video_recorder import VideoRecorder
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.table import TableLayout

# The faces' table is written whole, so not with every frame.
_FACES_EVERY_S: Final = 1.0


class SessionRecorder:
    """Records results into a session folder; every file is valid at every moment.

    `write` and `close` belong to the worker; the other methods may be called from the GUI thread.
    After the first failure nothing more is written, and the session says why it ends early.

    Args:
        folder: New and empty.
        plan: What to record.

    Raises:
        SinkError: The folder cannot be written.
    """

    def __init__(self, folder: Path, plan: RecordingPlan) -> None:
        self.folder = folder
        self._labels = plan.setup.spec.labels
        self._lock = threading.Lock()
        self._session = SessionFile(folder, plan)
        self._events = EventLog(folder / EVENTS_FILE)
        layout = TableLayout(self._labels, has_prior=plan.setup.prior_shares is not None)
        self._table = CsvSink(folder / FRAMES_FILE, layout)
        self._shares = SharesCollector(
            self._labels, plan.setup.spec.class_shares, min_quality=plan.setup.min_quality
        )
        self._corrected = CorrectedTable(folder / CORRECTED_FILE, self._labels)
        self._video: VideoRecorder | None = None
        if plan.video != "none":
            self._video = VideoRecorder(
                folder / VIDEO_FILE,
                is_blurred=plan.video == "blurred",
                may_wait=not plan.setup.facts.is_live,
            )
        self._faces: dict[int, FaceEntry] = {}
        self._names: dict[int, str] = {}
        self._profiles: dict[int, BaselineProfile] = {}
        self._baseline_names: dict[int, str] = {}  # the last of each face, in force or not
        self._counts = RecordingCounts()
        self._faces_written_s = float("-inf")
        self._failure: str | None = None
        self._is_closed = False

    @property
    def counts(self) -> RecordingCounts:
        """How much was recorded so far."""
        return self._counts

    @property
    def failure(self) -> str | None:
        """Why the recording ended early; None while it did not."""
        return self._failure

    def write(self, result: FrameResult) -> None:
        """Record one result.

        Raises:
            SinkError: It cannot be written; what was recorded before is kept.
        """
        try:
            with self._lock:
                profiles = dict(self._profiles)
            self._table.write(result)
            self._corrected.write(result, profiles)
            if self._video is not None:
                self._video.write(result)
            self._shares.write(result)
            self._take_faces(result)
            self._count(result)
        except SinkError as error:
            self._failure = str(error)
            raise

    def add_event(self, event: SessionEvent) -> None:
        """Record an event.

        Raises:
            SinkError: It cannot be written.
        """
        with self._lock:
            if not self._is_closed:
                self._events.append(event)

    def name_face(self, face_id: int, name: str) -> None:
        """Call a face by a name, from the beginning of the session."""
        with self._lock:
            self._names[face_id] = name

    def set_baseline(self, face_id: int, profile: BaselineProfile | None, from_s: float) -> None:
        """Correct a face from now on, or stop correcting it.

        Raises:
            SinkError: It cannot be noted.
        """
        with self._lock:
            if profile is None:
                self._profiles.pop(face_id, None)
                return
            self._profiles[face_id] = profile
            self._baseline_names[face_id] = profile.name
            if not self._is_closed:
                self._session.note_baseline(face_id, profile, from_s)

    def close(self) -> None:
        """Finish all files. May be called twice.

        Raises:
            SinkError: The end cannot be written; the session then counts as interrupted.
        """
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        # Without the lock: the encoder may take seconds, and the GUI must not wait for it.
        self._close_files()
        try:
            self._write_faces()
        finally:
            self._session.finish(self._final_counts(), self._failure, self._shares.estimate())

    def _close_files(self) -> None:
        """Close every file, whatever the others do; the first failure is reported."""
        for file in (self._video, self._table, self._corrected, self._events):
            try:
                if file is not None:
                    file.close()
            except SinkError as error:
                self._failure = self._failure or str(error)

    def _take_faces(self, result: FrameResult) -> None:
        now_s = result.frame.timestamp_s
        has_new = False
        for estimate in result.estimates:
            known = self._faces.get(estimate.face_id)
            has_new |= known is None
            self._faces[estimate.face_id] = _count_face(known, estimate, now_s)
        if has_new or now_s - self._faces_written_s >= _FACES_EVERY_S:
            self._faces_written_s = now_s
            self._write_faces()

    def _write_faces(self) -> None:
        """Write the faces with the names and baselines of the moment."""
        with self._lock:
            names = dict(self._names)
            baselines = dict(self._baseline_names)
        entries = [
            replace(
                entry,
                name=names.get(face_id, entry.name),
                baseline=baselines.get(face_id, ""),
            )
            for face_id, entry in self._faces.items()
        ]
        write_faces(self.folder / FACES_FILE, entries)

    def _count(self, result: FrameResult) -> None:
        before = self._counts
        first_s = result.frame.timestamp_s if before.first_s is None else before.first_s
        self._counts = replace(
            before,
            n_frames=before.n_frames + 1,
            n_with_face=before.n_with_face + bool(result.tracks),
            # What was lost before the first frame recorded was not lost by the recording.
            n_dropped=before.n_dropped + (result.dropped_before if before.n_frames else 0),
            first_s=first_s,
            last_s=result.frame.timestamp_s,
        )

    def _final_counts(self) -> RecordingCounts:
        if self._video is None:
            return self._counts
        return replace(
            self._counts,
            n_video_frames=self._video.n_written,
            n_video_dropped=self._counts.n_frames - self._video.n_written,
        )


def _count_face(known: FaceEntry | None, estimate: ExpressionEstimate, now_s: float) -> FaceEntry:
    if known is None:
        name = f"Face {estimate.face_id}"
        return FaceEntry(estimate.face_id, name, now_s, now_s, 1, int(estimate.is_reliable))
    return replace(
        known,
        last_s=now_s,
        n_frames=known.n_frames + 1,
        n_reliable=known.n_reliable + estimate.is_reliable,
    )
