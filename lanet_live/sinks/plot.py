"""The picture of a run: probabilities over time with their uncertainty, as PNG."""

from pathlib import Path

from lanet_live.drawing.history import FaceHistory, Sample
from lanet_live.drawing.timeline_figure import FaceRun, PlotText, RunSpan, draw_timeline
from lanet_live.records import ExpressionEstimate, FrameResult
from lanet_live.sinks.output_file import published

# Enough for 40 hours at 30 frames a second; memory grows only with what is stored.
_CAPACITY = 4_000_000


class PlotSink:
    """Collects the estimates and draws them when closed; the file appears complete or not at all.

    Args:
        path: The PNG file.
        labels: Class names of the model.
        overwrite: Replace a file that is there.

    Attributes:
        text: Title and footer; taken when the sink is closed.
    """

    def __init__(self, path: Path, labels: tuple[str, ...], *, overwrite: bool = False) -> None:
        self.path = path
        self.text = PlotText()
        self._labels = labels
        self._overwrite = overwrite
        self._faces: dict[int, FaceRun] = {}
        self._span: RunSpan | None = None
        self._is_closed = False

    def write(self, result: FrameResult) -> None:
        """Remember the estimates of one result."""
        time_s = result.frame.timestamp_s
        if self._span is None:
            self._span = RunSpan(first_s=time_s, last_s=time_s)
        self._span.last_s = time_s
        self._span.n_frames += 1
        self._span.n_with_face += bool(result.estimates)
        for estimate in result.estimates:
            self._remember(time_s, estimate)

    def close(self) -> None:
        """Draw the picture, unless there was no result at all."""
        if self._is_closed or self._span is None:
            return
        self._is_closed = True
        faces = sorted(self._faces.values(), key=lambda face: (-len(face.history), face.face_id))
        with published(self.path, overwrite=self._overwrite) as part_path:
            draw_timeline(part_path, faces, self._span, self._labels, self.text)

    def _remember(self, time_s: float, estimate: ExpressionEstimate) -> None:
        face = self._faces.get(estimate.face_id)
        if face is None:
            history = FaceHistory(len(self._labels), capacity=_CAPACITY)
            face = self._faces[estimate.face_id] = FaceRun(estimate.face_id, history)
        smoothed = estimate.smoothed
        face.history.append(
            Sample(
                time_s=time_s,
                raw=estimate.probabilities,
                shown=estimate.probabilities if smoothed is None else smoothed,
                uncertainty=estimate.uncertainty,
                quality=estimate.quality.value,
                is_reliable=estimate.is_reliable,
            )
        )
        face.n_reliable += estimate.is_reliable
