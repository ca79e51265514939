"""What was measured on each face so far, kept so that any stretch of time is cheap to draw.

Every face has a pyramid: level 0 holds single samples, level k the means of up to 2^k neighbours. A
stretch of time is answered from the finest level that fits the asked number of points, so an hour
costs no more than a minute. Imports nothing of Qt.
"""

from dataclasses import dataclass, fields

import numpy as np

from lanet_live.records import F32Array, F64Array

# Samples of a face farther apart than this are not joined: the face was away in between.
MAX_GAP_S = 0.5
_FACTOR = 2
_N_LEVELS = 14
_FIRST_CAPACITY = 256
_CAPACITY = 216_000  # two hours at 30 a second


@dataclass(frozen=True, slots=True)
class Sample:
    """One estimate of one face at one moment, as it enters the history.

    Attributes:
        time_s: Of the source.
        raw: Calibrated probabilities, (C,).
        shown: What the user asked to see: smoothed or corrected; equals `raw` otherwise, (C,).
        uncertainty: 0 to 1.
        quality: 0 to 1.
        is_reliable: Quality and uncertainty are within the thresholds.
    """

    time_s: float
    raw: F64Array
    shown: F64Array
    uncertainty: float
    quality: float
    is_reliable: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """A face over a stretch of time, one row per sample or per bucket of samples.

    Attributes:
        start_s: First moment of each row, (N,) float64, ascending.
        end_s: Last moment of each row, (N,) float64; equals `start_s` for single samples.
        raw: (N, C) float32.
        shown: (N, C) float32.
        uncertainty: (N,) float32.
        quality: (N,) float32.
        reliable_share: Share of reliable samples in the row, 0 to 1, (N,) float32.
    """

    start_s: F64Array
    end_s: F64Array
    raw: F32Array
    shown: F32Array
    uncertainty: F32Array
    quality: F32Array
    reliable_share: F32Array

    @property
    def time_s(self) -> F64Array:
        """Middle of each row, (N,)."""
        return (self.start_s + self.end_s) / 2

    @property
    def is_joined(self) -> np.ndarray:
        """Whether each row follows the one before it without a gap, (N - 1,) bool."""
        return (self.start_s[1:] - self.end_s[:-1]) <= MAX_GAP_S

    def __len__(self) -> int:
        return len(self.start_s)


class FaceHistory:
    """The samples of one face, newest last; the oldest are forgotten beyond the capacity."""

    def __init__(self, n_classes: int, *, capacity: int = _CAPACITY) -> None:
        """Start empty.

        Args:
            n_classes: C.
            capacity: Samples kept at least. Memory grows with what is stored, up to twice that.
        """
        self._n_classes = n_classes
        width = 2 * n_classes + 3
        # A coarse level has as many rows as a fine one where gaps follow each other closely.
        self._levels = [_Level(width, capacity) for _ in range(_N_LEVELS)]
        self._last_s = -np.inf

    @classmethod
    def from_arrays(
        cls,
        time_s: F64Array,
        raw: F32Array,
        shown: F32Array,
        judgement: F32Array,
    ) -> "FaceHistory":
        """Build a history at once, as appending the samples one by one would.

        Args:
            time_s: (N,), strictly ascending.
            raw: (N, C).
            shown: (N, C).
            judgement: Uncertainty, quality, and 1 for reliable or 0 for not, (N, 3).
        """
        history = cls(raw.shape[1], capacity=max(_CAPACITY, len(time_s)))
        if not len(time_s):
            return history
        history._last_s = float(time_s[-1])
        values = np.concatenate([raw, shown, judgement], axis=1, dtype=np.float32)
        start_s, end_s = time_s.astype(np.float64), time_s.astype(np.float64)
        run = np.concatenate([[0], np.cumsum(np.diff(time_s) > MAX_GAP_S)])
        last_run = run[-1]
        for level in history._levels:
            level.fill(start_s, end_s, values)
            # Rows are averaged within their run; what the last run leaves over stays open.
            level.n_open = int((run == last_run).sum()) % _FACTOR
            n_used = len(run) - level.n_open
            place = np.arange(n_used) - np.searchsorted(run, run[:n_used])
            heads = np.flatnonzero(place % _FACTOR == 0)
            if not len(heads):
                break
            counts = np.diff(np.append(heads, n_used))
            sums = np.add.reduceat(values[:n_used], heads, axis=0)
            values = (sums / counts[:, None]).astype(np.float32)
            start_s, end_s = start_s[heads], end_s[heads + counts - 1]
            run = run[heads]
        history._levels[-1].n_open = 0
        return history

    def __len__(self) -> int:
        return self._levels[0].size

    @property
    def first_s(self) -> float | None:
        """Moment of the oldest sample kept; None when there is none."""
        level = self._levels[0]
        return float(level.start_s[0]) if level.size else None

    @property
    def last_s(self) -> float | None:
        """Moment of the newest sample; None when there is none."""
        return float(self._last_s) if len(self) else None

    def append(self, sample: Sample) -> None:
        """Add the newest sample; one that is not newer than the last is ignored."""
        if sample.time_s <= self._last_s:
            return
        n = self._n_classes
        row = np.empty(2 * n + 3, dtype=np.float32)
        row[:n], row[n : 2 * n] = sample.raw, sample.shown
        row[2 * n :] = sample.uncertainty, sample.quality, sample.is_reliable
        if sample.time_s - self._last_s > MAX_GAP_S:
            self._close_buckets()
        self._last_s = sample.time_s
        self._push(0, sample.time_s, sample.time_s, row)

    def stretch(self, start_s: float, end_s: float, *, max_points: int) -> Stretch:
        """Return what was measured between two moments, and one row beyond at each side.

        Args:
            start_s: Begin of the stretch.
            end_s: End of the stretch.
            max_points: Rows wanted; a coarser level is used when there would be more. A few rows of
                finer levels may follow at the newest end.
        """
        depth = self._depth_for(start_s, end_s, max_points)
        level = self._levels[depth]
        low, high = level.range_of(start_s, end_s)
        parts = [self._cut(level, low, high)]
        if high == level.size:
            # What is not yet carried up, so that the newest sample is always there.
            finer = self._levels[:depth][::-1]
            parts += [self._cut(lv, lv.size - lv.n_open, lv.size) for lv in finer if lv.n_open]
        return parts[0] if len(parts) == 1 else _join(parts)

    def nearest(self, time_s: float) -> Stretch | None:
        """Return the sample closest to a moment as a stretch of one row; None when empty."""
        level = self._levels[0]
        if not level.size:
            return None
        times = level.start_s[: level.size]
        after = int(np.searchsorted(times, time_s))
        options = [i for i in (after - 1, after) if 0 <= i < level.size]
        best = min(options, key=lambda i: abs(float(times[i]) - time_s))
        return self._cut(level, best, best + 1)

    def _depth_for(self, start_s: float, end_s: float, max_points: int) -> int:
        """Return the finest level with no more than ``max_points`` rows in the stretch."""
        for depth, level in enumerate(self._levels):
            low, high = level.range_of(start_s, end_s)
            if high - low <= max_points:
                return depth
        return len(self._levels) - 1

    def _cut(self, level: "_Level", low: int, high: int) -> Stretch:
        n, rows = self._n_classes, level.values[low:high]
        return Stretch(
            start_s=level.start_s[low:high],
            end_s=level.end_s[low:high],
            raw=rows[:, :n],
            shown=rows[:, n : 2 * n],
            uncertainty=rows[:, 2 * n],
            quality=rows[:, 2 * n + 1],
            reliable_share=rows[:, 2 * n + 2],
        )

    def _push(self, depth: int, start_s: float, end_s: float, row: F32Array) -> None:
        """Store a row and carry the mean of every full bucket one level up."""
        level = self._levels[depth]
        level.append(start_s, end_s, row)
        if level.n_open == _FACTOR:
            self._carry(depth)

    def _carry(self, depth: int) -> None:
        level = self._levels[depth]
        first = level.size - level.n_open
        level.n_open = 0
        if depth + 1 < _N_LEVELS:
            rows = level.values[first : level.size]
            self._push(
                depth + 1,
                float(level.start_s[first]),
                float(level.end_s[level.size - 1]),
                rows.mean(axis=0, dtype=np.float32),
            )

    def _close_buckets(self) -> None:
        """Finish the open buckets of all levels, so that none reaches over a gap."""
        for depth, level in enumerate(self._levels[:-1]):
            if level.n_open:
                self._carry(depth)
        self._levels[-1].n_open = 0


def _join(parts: list[Stretch]) -> Stretch:
    """Put stretches that follow each other into one."""
    names = [field.name for field in fields(Stretch)]
    return Stretch(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


class _Level:
    """Rows of one resolution in arrays that grow, then forget their older half when full."""

    def __init__(self, width: int, capacity: int) -> None:
        self._largest = 2 * capacity
        n_rows = min(_FIRST_CAPACITY, self._largest)
        self.start_s: F64Array = np.empty(n_rows)
        self.end_s: F64Array = np.empty(n_rows)
        self.values: F32Array = np.empty((n_rows, width), dtype=np.float32)
        self.size = 0
        self.n_open = 0  # rows at the end not yet carried one level up

    def append(self, start_s: float, end_s: float, row: F32Array) -> None:
        if self.size == len(self.start_s):
            self._make_room()
        self.start_s[self.size], self.end_s[self.size] = start_s, end_s
        self.values[self.size] = row
        self.size += 1
        self.n_open += 1

    def fill(self, start_s: F64Array, end_s: F64Array, values: F32Array) -> None:
        """Hold these rows and no others."""
        self.start_s, self.end_s, self.values = start_s, end_s, values
        self.size = len(start_s)

    def range_of(self, start_s: float, end_s: float) -> tuple[int, int]:
        """Return the rows that touch a stretch of time and one more at each side."""
        low = int(np.searchsorted(self.end_s[: self.size], start_s)) - 1
        high = int(np.searchsorted(self.start_s[: self.size], end_s, side="right")) + 1
        return max(0, low), min(self.size, high)

    def _make_room(self) -> None:
        n_rows = len(self.start_s)
        kept = slice(0, n_rows) if n_rows < self._largest else slice(n_rows // 2, n_rows)
        n_kept, n_new = kept.stop - kept.start, min(2 * n_rows, self._largest)
        for name in ("start_s", "end_s", "values"):
            old = getattr(self, name)
            # A new array, also when it is not larger: a stretch handed out stays as it was.
            new = np.empty((n_new, *old.shape[1:]), dtype=old.dtype)
            new[:n_kept] = old[kept]
            setattr(self, name, new)
        self.size = n_kept
