"""What is known of the faces of one run: names, baselines, readings and their past."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lanet_live.drawing.history import FaceHistory, Sample
from lanet_live.expression.baseline import BaselineProfile
from lanet_live.expression.prior import Prior
from lanet_live.gui.bridge import Moment
from lanet_live.gui.readings import FaceReading, default_name
from lanet_live.records import ExpressionEstimate, F64Array

# Ids are never given twice, so a long session in a busy place brings ever more of them.
_MAX_FACES: Final = 48


@dataclass(slots=True)
class Face:
    """One face of the run; changes as the run goes on.

    Attributes:
        face_id: As in the tables.
        name: Given by the user, or the default one.
        history: Its past.
        reading: The newest.
        last_seen_s: In the source's time.
        baseline: Correction in force; None for none.
    """

    face_id: int
    name: str
    history: FaceHistory
    reading: FaceReading
    last_seen_s: float
    baseline: BaselineProfile | None = None


class FaceBook:
    """Takes in every moment of a run and answers what to show.

    Attributes:
        histories: The past of each face, by id.
        labels: Class names; empty before the first face.
        now_s: Newest moment.
        prior: Class shares that what is shown is corrected to; None for the model's.
    """

    def __init__(self) -> None:
        self._faces: dict[int, Face] = {}
        self.histories: dict[int, FaceHistory] = {}
        self.labels: tuple[str, ...] = ()
        self.prior: Prior | None = None
        self.now_s = 0.0

    @property
    def faces(self) -> Mapping[int, Face]:
        """The faces of the run by id."""
        return self._faces

    @property
    def present(self) -> tuple[Face, ...]:
        """The faces in the newest frame, by id."""
        ids = sorted(self._faces)
        return tuple(self._faces[i] for i in ids if self._faces[i].last_seen_s >= self.now_s)

    def take(self, moment: Moment) -> dict[int, FaceReading]:
        """Take in one frame's estimates and return what to show of them."""
        self.now_s = moment.timestamp_s
        readings = {}
        for estimate in moment.estimates:
            readings[estimate.face_id] = self._take_estimate(estimate, moment.timestamp_s)
        return readings

    def rename(self, face_id: int, name: str) -> None:
        """Call a face by a name; an empty one brings the default back."""
        self._faces[face_id].name = name or default_name(face_id)

    def set_baseline(self, face_id: int, profile: BaselineProfile | None) -> None:
        """Correct a face from now on, or stop correcting it."""
        self._faces[face_id].baseline = profile

    def _take_estimate(self, estimate: ExpressionEstimate, time_s: float) -> FaceReading:
        face = self._faces.get(estimate.face_id)
        if face is None:
            face = self._add(estimate, time_s)
        shown, note, is_corrected = self._choose_shown(estimate, face.baseline)
        face.reading = FaceReading(face.name, estimate, shown, note, is_corrected)
        face.last_seen_s = time_s
        face.history.append(
            Sample(
                time_s=time_s,
                raw=estimate.probabilities,
                shown=shown,
                uncertainty=estimate.uncertainty,
                quality=estimate.quality.value,
                is_reliable=estimate.is_reliable,
            )
        )
        return face.reading

    def _add(self, estimate: ExpressionEstimate, time_s: float) -> Face:
        if len(self._faces) >= _MAX_FACES:
            oldest = min(self._faces.values(), key=lambda face: face.last_seen_s)
            del self._faces[oldest.face_id]
            del self.histories[oldest.face_id]
        self.labels = estimate.labels
        name = default_name(estimate.face_id)
        history = FaceHistory(len(estimate.labels))
        reading = FaceReading(name, estimate, estimate.probabilities)
        face = Face(estimate.face_id, name, history, reading, time_s)
        self._faces[estimate.face_id] = face
        self.histories[estimate.face_id] = history
        return face

    def _choose_shown(
        self, estimate: ExpressionEstimate, baseline: BaselineProfile | None
    ) -> tuple[F64Array, str, bool]:
        """Return the probabilities to show, how they differ from the raw ones, and if corrected."""
        notes, is_corrected = [], False
        shown = estimate.probabilities
        if estimate.smoothed is not None:
            shown = estimate.smoothed
            notes.append("smoothed")
        if self.prior is not None and len(self.prior.shares) == len(shown):
            shown = self.prior.correct(shown)
            notes.append(f"class shares {self.prior.name}")
            is_corrected = True
        if baseline is not None and baseline.labels == estimate.labels:
            shown = baseline.correct(shown)
            notes.append(f"baseline {baseline.name}")
            is_corrected = True
        return shown, ", ".join(notes), is_corrected
