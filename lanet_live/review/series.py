"""One face of a recording as a series that is cheap to draw over any stretch of time.

Like `lanet_live.drawing.history.FaceHistory`, but made at once from whole columns, and with limits
that can change: only the reliable shares are then computed anew.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.drawing.history import MAX_GAP_S, Stretch
from lanet_live.records import F32Array, F64Array
from lanet_live.review.reviewed import Reviewed
from lanet_live.review.table import FrameTable

_MIN_ROWS: Final = 64


@dataclass(frozen=True, slots=True)
class _Level:
    """The series at one resolution.

    Attributes:
        start_s: First moment of each bucket, (M,).
        end_s: Last moment, (M,).
        values: Mean probabilities, uncertainty and quality, (M, C + 2) float32.
        n_samples: In each bucket, (M,).
        firsts: First bucket of the finer level in each bucket, (M,); empty at the finest.
    """

    start_s: F64Array
    end_s: F64Array
    values: F32Array
    n_samples: NDArray[np.int64]
    firsts: NDArray[np.int64]


class FaceSeries:
    """The samples of one face by time, and their means over 2, 4, 8, … neighbours.

    Args:
        time_s: (N,), ascending.
        probabilities: (N, C).
        uncertainty: (N,).
        quality: (N,).
        is_reliable: (N,) bool.
    """

    def __init__(
        self,
        time_s: F64Array,
        probabilities: F64Array,
        *,
        uncertainty: F64Array,
        quality: F64Array,
        is_reliable: NDArray[np.bool_],
    ) -> None:
        values = np.column_stack([probabilities, uncertainty, quality]).astype(np.float32)
        ones = np.ones(len(time_s), dtype=np.int64)
        self._levels = [_Level(time_s, time_s, values, ones, np.empty(0, dtype=np.int64))]
        while len(self._levels[-1].start_s) > _MIN_ROWS:
            coarser = _coarsen(self._levels[-1])
            if len(coarser.start_s) == len(self._levels[-1].start_s):
                break
            self._levels.append(coarser)
        self._shares: list[F32Array] = []
        self.set_reliable(is_reliable)

    def __len__(self) -> int:
        return len(self._levels[0].start_s)

    @property
    def first_s(self) -> float | None:
        """First moment; None for an empty series."""
        return float(self._levels[0].start_s[0]) if len(self) else None

    def set_reliable(self, is_reliable: NDArray[np.bool_]) -> None:
        """Rely on other samples, (N,) bool."""
        counts = is_reliable.astype(np.float64)
        self._shares = [is_reliable.astype(np.float32)]
        for level in self._levels[1:]:
            counts = np.add.reduceat(counts, level.firsts)
            self._shares.append((counts / level.n_samples).astype(np.float32))

    def stretch(self, start_s: float, end_s: float, *, max_points: int) -> Stretch:
        """Return what was measured between two moments, and one row beyond at each side.

        Args:
            start_s: Begin of the stretch.
            end_s: End of the stretch.
            max_points: The finest resolution with no more rows than this is used.
        """
        depth, rows = self._rows_between(start_s, end_s, max_points)
        level = self._levels[depth]
        shown = level.values[rows, :-2]
        return Stretch(
            start_s=level.start_s[rows],
            end_s=level.end_s[rows],
            raw=shown,
            shown=shown,
            uncertainty=level.values[rows, -2],
            quality=level.values[rows, -1],
            reliable_share=self._shares[depth][rows],
        )

    def _rows_between(self, start_s: float, end_s: float, max_points: int) -> tuple[int, slice]:
        """Return the finest level with few enough rows, and these."""
        found: list[slice] = []
        for level in self._levels:
            low = max(0, int(np.searchsorted(level.end_s, start_s)) - 1)
            high = int(np.searchsorted(level.start_s, end_s, side="right")) + 1
            found.append(slice(low, min(high, len(level.start_s))))
            if found[-1].stop - low <= max_points:
                break
        return len(found) - 1, found[-1]


def _coarsen(level: _Level) -> _Level:
    """Join buckets in pairs; none reaches over a gap."""
    n = len(level.start_s)
    is_after_gap = np.concatenate([[True], level.start_s[1:] - level.end_s[:-1] > MAX_GAP_S])
    place = np.arange(n)
    run_starts = np.maximum.accumulate(np.where(is_after_gap, place, 0))
    firsts = np.flatnonzero((place - run_starts) % 2 == 0)
    lasts = np.concatenate([firsts[1:], [n]]) - 1
    weights = level.n_samples[:, None]
    n_samples = np.add.reduceat(level.n_samples, firsts)
    sums = np.add.reduceat(level.values * weights, firsts, axis=0)
    return _Level(
        start_s=level.start_s[firsts],
        end_s=level.end_s[lasts],
        values=(sums / n_samples[:, None]).astype(np.float32),
        n_samples=n_samples,
        firsts=firsts,
    )


def rows_of_face(table: FrameTable, reviewed: Reviewed, face_id: int) -> NDArray[np.int64]:
    """Return the rows of a face in the order of time, (K,)."""
    rows = np.flatnonzero(reviewed.face_id == face_id)
    times_s = table.time_s[rows]
    if (np.diff(times_s) < 0).any():
        rows = rows[np.argsort(times_s, kind="stable")]
    return rows


def series_of(table: FrameTable, reviewed: Reviewed, rows: NDArray[np.int64]) -> FaceSeries:
    """Make the series of given rows, which are in the order of time."""
    return FaceSeries(
        table.time_s[rows],
        table.probabilities[rows],
        uncertainty=table.uncertainty[rows],
        quality=table.quality[rows],
        is_reliable=reviewed.is_reliable[rows],
    )
