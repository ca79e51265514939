"""Rates, latencies and losses of a run, as numbers; the view formats them."""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from lanet_live.capture.base import SourceFacts
from lanet_live.records import FrameResult

_WINDOW_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class StatsSnapshot:
    """How a run is doing.

    Attributes:
        fps: Results a second over the last two seconds; 0 when there were fewer than two.
        n_results: Frames analysed since the start.
        n_with_face: Of these, frames with at least one face.
        n_dropped: Frames lost because the analysis was busy.
        latency_ms: Median time from a frame's capture to its result being written; None when
            there was no result lately.
        latency_p95_ms: 95 of 100 results took no longer; None likewise.
        stage_ms: Mean time of each stage over the same two seconds.
        facts: Of the source, once it is open.
    """

    fps: float = 0.0
    n_results: int = 0
    n_with_face: int = 0
    n_dropped: int = 0
    latency_ms: float | None = None
    latency_p95_ms: float | None = None
    stage_ms: dict[str, float] = field(default_factory=dict)
    facts: SourceFacts | None = None


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    latency_ms: float
    stage_ms: dict[str, float]


class RunStats:
    """Gathers the numbers of one run. Written in one thread, read in any.

    Args:
        window_s: Rates and latencies look back this far.
    """

    def __init__(self, window_s: float = _WINDOW_S) -> None:
        self._window_s = window_s
        self._lock = threading.Lock()
        self._samples: deque[_Sample] = deque()
        self._n_results = 0
        self._n_with_face = 0
        self._n_dropped = 0
        self._facts: SourceFacts | None = None

    def set_facts(self, facts: SourceFacts) -> None:
        """Note what is known of the source."""
        self._facts = facts

    def add(self, result: FrameResult, now_s: float) -> None:
        """Count a result.

        Args:
            result: Just written.
            now_s: `time.perf_counter()`, the clock of `Frame.captured_at_s`.
        """
        latency_ms = (now_s - result.frame.captured_at_s) * 1000
        with self._lock:
            self._n_results += 1
            self._n_with_face += bool(result.tracks)
            self._n_dropped += result.dropped_before
            self._samples.append(_Sample(now_s, latency_ms, result.stage_ms))
            self._forget_before(now_s - self._window_s)

    def snapshot(self, now_s: float) -> StatsSnapshot:
        """Return the numbers as of now."""
        with self._lock:
            self._forget_before(now_s - self._window_s)
            samples = tuple(self._samples)
            counts = (self._n_results, self._n_with_face, self._n_dropped)
        if not samples:
            return StatsSnapshot(0.0, *counts, facts=self._facts)
        median_ms, p95_ms = np.percentile([sample.latency_ms for sample in samples], (50, 95))
        return StatsSnapshot(
            _rate_hz([sample.at_s for sample in samples]),
            *counts,
            latency_ms=float(median_ms),
            latency_p95_ms=float(p95_ms),
            stage_ms=_mean_by_stage([sample.stage_ms for sample in samples]),
            facts=self._facts,
        )

    def _forget_before(self, limit_s: float) -> None:
        while self._samples and self._samples[0].at_s < limit_s:
            self._samples.popleft()


def _rate_hz(times_s: list[float]) -> float:
    """N moments span n - 1 intervals."""
    span_s = times_s[-1] - times_s[0]
    return (len(times_s) - 1) / span_s if span_s > 0 else 0.0


def _mean_by_stage(stages_ms: list[dict[str, float]]) -> dict[str, float]:
    sums_ms: dict[str, list[float]] = {}
    for stage_ms in stages_ms:
        for name, value_ms in stage_ms.items():
            sums_ms.setdefault(name, []).append(value_ms)
    return {name: float(np.mean(values_ms)) for name, values_ms in sums_ms.items()}
