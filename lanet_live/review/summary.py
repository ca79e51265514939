"""What a face showed over a session, or around an event."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.expression.shares import MAX_ROWS, suggest_shares
from lanet_live.records import F64Array, SharesEstimate
from lanet_live.review.edits import Edits
from lanet_live.review.interval import Interval, mean_interval, weighted_mean
from lanet_live.review.reviewed import Reviewed
from lanet_live.review.series import rows_of_face
from lanet_live.review.table import FrameTable
from lanet_live.sessions.events import EXCLUDED

# Of a marker, which is a moment: what follows it.
DEFAULT_WINDOW_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time to sum up; both ends belong to it."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One face in one window. Excluded ranges never count.

    Attributes:
        face_id: After merging.
        name: Of the face.
        window: What is summed up.
        n_rows: Rows of the face in the window, excluded ones left out.
        n_used: Of these, the ones summed up: all of them, or the reliable ones.
        seen_s: How long the face was seen.
        reliable_share: Share of reliable rows, by number; NaN when there is none.
        mean: Mean distribution, weighted by time, (C,); NaN when nothing is summed up.
        interval: 95 % interval of the mean; None when there is too little data.
        time_share: Share of time in which each class was the most probable one, (C,).
        peak: Highest probability of each class, (C,).
        peak_s: When that was, (C,).
        shares: EM's estimate of how frequent the classes are here; None when it was not asked for
            or there is too little to tell.
    """

    face_id: int
    name: str
    window: Window
    n_rows: int
    n_used: int
    seen_s: float
    reliable_share: float
    mean: F64Array
    interval: Interval | None
    time_share: F64Array
    peak: F64Array
    peak_s: F64Array
    shares: SharesEstimate | None = None


def windows_of(
    table: FrameTable, edits: Edits, *, after_marker_s: float = DEFAULT_WINDOW_S
) -> tuple[Window, ...]:
    """Return the whole session and one window per event.

    Args:
        table: The recording.
        edits: With the events; excluded ranges have no window.
        after_marker_s: Length of the window that begins at a marker.
    """
    first_s, last_s = table.span_s
    windows = [Window("Whole session", first_s, last_s)]
    for event in edits.events:
        if event.kind != EXCLUDED:
            end_s = event.end_timestamp_s
            end_s = event.timestamp_s + after_marker_s if end_s is None else end_s
            windows.append(Window(event.caption or event.kind, event.timestamp_s, end_s))
    return tuple(windows)


def summarise(
    table: FrameTable,
    reviewed: Reviewed,
    edits: Edits,
    windows: Iterable[Window],
    *,
    only_reliable: bool = False,
    class_shares: tuple[float, ...] | None = None,
) -> tuple[Summary, ...]:
    """Sum up every face in every window in which it was seen, window by window.

    Args:
        table: The recording.
        reviewed: The same rows under the edits.
        edits: In force.
        windows: What is summed up.
        only_reliable: Leave out rows that are not reliable.
        class_shares: Those the probabilities are calibrated for, (C,), to estimate the shares here.
    """
    windows = tuple(windows)
    rows_by_face = {i: rows_of_face(table, reviewed, i) for i in reviewed.face_ids}
    summaries = []
    for window in windows:
        for face_id, rows in rows_by_face.items():
            times_s = table.time_s[rows]
            low, high = np.searchsorted(
                times_s, (window.start_s, np.nextafter(window.end_s, np.inf))
            )
            inside = rows[low:high]
            inside = inside[~reviewed.is_excluded[inside]]
            if len(inside):
                used = inside[reviewed.is_reliable[inside]] if only_reliable else inside
                counted = _Counted(face_id, edits.name_of(face_id), window, inside, used)
                summary = _summarise(table, reviewed, counted)
                if class_shares is not None:
                    shares = _shares(table, inside, class_shares, edits.limits.min_quality)
                    summary = replace(summary, shares=shares)
                summaries.append(summary)
    return tuple(summaries)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Whose rows, of which window, are summed up."""

    face_id: int
    name: str
    window: Window
    rows: NDArray[np.int64]
    used: NDArray[np.int64]


def _summarise(table: FrameTable, reviewed: Reviewed, counted: _Counted) -> Summary:
    used, rows = counted.used, counted.rows
    values, weights = table.probabilities[used], reviewed.weight_s[used]
    n_classes = values.shape[1]
    nothing = np.full(n_classes, np.nan)
    best = values.argmax(axis=0) if len(used) else np.empty(0, dtype=np.int64)
    return Summary(
        face_id=counted.face_id,
        name=counted.name,
        window=counted.window,
        n_rows=len(rows),
        n_used=len(used),
        seen_s=float(reviewed.weight_s[rows].sum()),
        reliable_share=float(reviewed.is_reliable[rows].mean()),
        mean=weighted_mean(values, weights),
        interval=mean_interval(values, table.time_s[used], weights),
        time_share=_time_share(values, weights),
        peak=values.max(axis=0) if len(used) else nothing,
        peak_s=table.time_s[used][best] if len(used) else nothing,
    )


def _shares(
    table: FrameTable,
    rows: NDArray[np.int64],
    class_shares: tuple[float, ...],
    min_quality: float,
) -> SharesEstimate | None:
    """Estimate the class shares of one face; ambiguous rows count, poor pictures do not."""
    good = rows[table.quality[rows] >= min_quality]
    stride = max(1, math.ceil(len(good) / MAX_ROWS))
    thinned = good[::stride]
    return suggest_shares(
        table.probabilities[thinned],
        np.zeros(len(thinned), dtype=np.int64),
        table.labels,
        class_shares,
        is_independent=not table.has_time,
        n_frames=len(good),
    )


def _time_share(values: F64Array, weights: F64Array) -> F64Array:
    """Return the share of time in which each class was on top, (C,)."""
    total = float(weights.sum())
    if total <= 0:
        return np.full(values.shape[1], np.nan)
    on_top = np.bincount(values.argmax(axis=1), weights=weights, minlength=values.shape[1])
    return np.asarray(on_top / total)
