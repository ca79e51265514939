"""A recorded table as the edits make it: who is who, what counts, and what is relied on."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.drawing.history import MAX_GAP_S
from lanet_live.errors import ConfigError
from lanet_live.records import F64Array
from lanet_live.review.edits import Edits, Limits
from lanet_live.review.recording import Recording
from lanet_live.review.table import NO_FACE, FrameTable

# A frame that comes later than this after the one before it was lost, not shown that long.
_LONGEST_FRAME_S: Final = MAX_GAP_S


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a review makes of each row of a table, (N,) each.

    Attributes:
        face_id: After merging; `NO_FACE` without a face.
        is_excluded: Inside an excluded range.
        is_reliable: Under the limits in force; False without a face.
        weight_s: How long the row's frame was shown: the time up to the next frame.
    """

    face_id: NDArray[np.int64]
    is_excluded: NDArray[np.bool_]
    is_reliable: NDArray[np.bool_]
    weight_s: F64Array

    @property
    def face_ids(self) -> tuple[int, ...]:
        """The faces after merging, ascending."""
        return tuple(int(i) for i in np.unique(self.face_id) if i != NO_FACE)

    def reliable_share(self, face_id: int | None = None) -> float:
        """Return the share of reliable rows among those that count; NaN when none counts.

        Args:
            face_id: Of one face; None for all.
        """
        is_asked = self.face_id != NO_FACE if face_id is None else self.face_id == face_id
        counts = is_asked & ~self.is_excluded
        n_rows = int(counts.sum())
        return float((self.is_reliable & counts).sum() / n_rows) if n_rows else float("nan")


def review(recording: Recording, edits: Edits) -> Reviewed:
    """Apply edits to a recording."""
    table = recording.table
    return Reviewed(
        face_id=merge_faces(table, edits),
        is_excluded=exclude(table.time_s, edits),
        is_reliable=judge(table, edits.limits, recorded=recording.limits),
        weight_s=frame_weights(table),
    )


def merge_faces(table: FrameTable, edits: Edits) -> NDArray[np.int64]:
    """Return who each row shows, (N,)."""
    face_id = table.face_id.copy()
    for source in edits.merged_into:
        face_id[table.face_id == source] = edits.face_of(source)
    return face_id


def check_can_merge(table: FrameTable, edits: Edits, face_id: int, into: int) -> None:
    """See that two faces are never in one frame.

    Raises:
        ConfigError: They are, and so they are two people.
    """
    merged = merge_faces(table, edits)
    n_shared = len(np.intersect1d(table.frame[merged == face_id], table.frame[merged == into]))
    if n_shared:
        raise ConfigError(
            f"{edits.name_of(face_id)} and {edits.name_of(into)} are in the picture together in "
            f"{n_shared} frame{'s' * (n_shared > 1)}, so they cannot be one person."
        )


def exclude(time_s: F64Array, edits: Edits) -> NDArray[np.bool_]:
    """Return which rows lie in an excluded range, its ends included, (N,)."""
    is_excluded = np.zeros(len(time_s), dtype=bool)
    for begin_s, end_s in edits.excluded_s:
        is_excluded |= (time_s >= begin_s) & (time_s <= end_s)
    return is_excluded


def judge(table: FrameTable, limits: Limits, *, recorded: Limits) -> NDArray[np.bool_]:
    """Return which rows are relied on, (N,).

    Under the limits of the recording this is what was recorded: the table's values are rounded,
    and one that lies on a limit could fall on its other side.
    """
    if limits == recorded:
        return table.is_reliable
    is_within = (table.uncertainty <= limits.max_uncertainty) & (
        table.quality >= limits.min_quality
    )
    return np.asarray(is_within & (table.face_id != NO_FACE))


def frame_weights(table: FrameTable) -> F64Array:
    """Return how long the frame of each row was shown, in seconds, (N,)."""
    if not len(table):
        return np.empty(0)
    is_first = np.concatenate([[True], np.diff(table.frame) > 0])
    starts_s = table.time_s[is_first]
    # A stamp that goes back has no duration; the last frame lasts as long as most do.
    steps_s = np.clip(np.diff(starts_s), 0.0, None)
    usual_s = float(np.median(steps_s)) if len(steps_s) else 1.0
    longest_s = _LONGEST_FRAME_S if table.has_time else np.inf
    shown_s = np.minimum(np.concatenate([steps_s, [usual_s]]), max(longest_s, usual_s))
    return np.asarray(shown_s[np.cumsum(is_first) - 1])
