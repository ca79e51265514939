"""A second recording on the time axis of the first, and both summed up alike."""

from dataclasses import dataclass, replace

from lanet_live.drawing.history import Stretch
from lanet_live.review.edits import Edits
from lanet_live.review.reviewed import Reviewed
from lanet_live.review.series import FaceSeries
from lanet_live.review.summary import Summary, Window, summarise
from lanet_live.review.table import FrameTable


class ShiftedSeries:
    """A series in the time of another recording.

    Args:
        series: In its own time.
        shift_s: Moment in the other recording less moment in its own.
    """

    def __init__(self, series: FaceSeries, shift_s: float) -> None:
        self._series = series
        self._shift_s = shift_s

    def stretch(self, start_s: float, end_s: float, *, max_points: int) -> Stretch:
        """Return what `FaceSeries.stretch` does; all times are those of the other recording."""
        shift_s = self._shift_s
        stretch = self._series.stretch(start_s - shift_s, end_s - shift_s, max_points=max_points)
        return replace(stretch, start_s=stretch.start_s + shift_s, end_s=stretch.end_s + shift_s)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two recordings that are compared.

    Attributes:
        table: Its rows.
        reviewed: The same rows under its own edits.
        edits: Its own.
        face_id: Whose values are summed up.
        window: What is summed up, in its own time.
    """

    table: FrameTable
    reviewed: Reviewed
    edits: Edits
    face_id: int
    window: Window


def summarise_side(side: Side, *, only_reliable: bool) -> Summary | None:
    """Sum up one side; None when its face is not seen in the window.

    Args:
        side: The recording, its face and window.
        only_reliable: Leave out frames that are not reliable.
    """
    summaries = summarise(
        side.table, side.reviewed, side.edits, (side.window,), only_reliable=only_reliable
    )
    return next((s for s in summaries if s.face_id == side.face_id), None)
