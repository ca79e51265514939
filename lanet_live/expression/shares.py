"""Estimate how frequent the classes are in a recording, as a suggestion for `--prior`.

The frames of a video resemble each other: a smile of two seconds is sixty frames and one smile. The
estimate of the shares is not moved by that, but what it rests on is far less than the number of
frames; so the independent frames they are worth are counted beside it, face by face, by the
integrated autocorrelation time of the probabilities.

Frames below the quality threshold are left out. Ambiguous ones count: leaving out what the model is
unsure of would leave out the classes it is rarely sure of.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.expression.memory import memory_rows
from lanet_live.expression.prior import estimate_shares
from lanet_live.records import (
    ExpressionEstimate,
    F32Array,
    F64Array,
    FrameResult,
    SharesEstimate,
)

MIN_EFFECTIVE: Final = 30.0
"""With fewer independent frames nothing is suggested."""
MAX_ROWS: Final = 4096


def suggest_shares(
    probabilities: F64Array,
    face_id: NDArray[np.int64],
    labels: tuple[str, ...],
    class_shares: tuple[float, ...],
    *,
    is_independent: bool = False,
    n_frames: int | None = None,
) -> SharesEstimate | None:
    """Estimate the class shares by EM; None with fewer than `MIN_EFFECTIVE` independent frames.

    Args:
        probabilities: Raw, in the order of time, (N, C).
        face_id: Whose each row is, (N,).
        labels: Class names, (C,).
        class_shares: Those the probabilities are calibrated for, (C,).
        is_independent: The rows are single pictures, not frames of a video.
        n_frames: Rows before they were thinned out; None: N.
    """
    if len(probabilities) < MIN_EFFECTIVE:
        return None
    n_effective = float(len(probabilities))
    if not is_independent:
        rows_of = (probabilities[face_id == face] for face in np.unique(face_id))
        n_effective = sum(len(rows) / max(1.0, memory_rows(rows)) for rows in rows_of)
    if n_effective < MIN_EFFECTIVE:
        return None
    shares = estimate_shares(probabilities, np.array(class_shares))
    n_used = len(probabilities) if n_frames is None else n_frames
    return SharesEstimate(labels, tuple(shares.tolist()), n_used, n_effective)


class SharesCollector:
    """Keeps what an estimate of the class shares needs of a run, in bounded memory.

    A sink. When there are too many rows, every second frame is forgotten, and from then on only
    every second one kept; so the rows span the whole run evenly.

    Args:
        labels: Class names, (C,).
        class_shares: As the model assumes them, (C,); None: nothing is kept or estimated.
        min_quality: Faces below are left out.
        is_independent: The source is a set of pictures, not a video.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        class_shares: tuple[float, ...] | None,
        *,
        min_quality: float,
        is_independent: bool = False,
    ) -> None:
        self._labels = labels
        self._class_shares = class_shares
        self._min_quality = min_quality
        self._is_independent = is_independent
        self._frames: list[list[tuple[int, F32Array]]] = []
        self._n_rows = 0
        self._n_seen = 0
        self._n_frames = 0
        self._stride = 1

    def write(self, result: FrameResult) -> None:
        """Take in one result."""
        self.add(result.estimates)

    def add(self, estimates: Sequence[ExpressionEstimate]) -> None:
        """Take in the estimates of one frame."""
        if self._class_shares is None:
            return
        rows = [
            (estimate.face_id, estimate.probabilities.astype(np.float32))
            for estimate in estimates
            if estimate.quality.value >= self._min_quality
        ]
        self._n_seen += len(rows)
        if self._n_frames % self._stride == 0 and rows:
            self._frames.append(rows)
            self._n_rows += len(rows)
            if self._n_rows > MAX_ROWS:
                self._frames = self._frames[::2]
                self._n_rows = sum(map(len, self._frames))
                self._stride *= 2
        self._n_frames += 1

    def close(self) -> None:
        """Do nothing: there is no file."""

    def estimate(self) -> SharesEstimate | None:
        """Return the estimate of what was taken in so far; None when there is too little."""
        if self._class_shares is None or not self._n_rows:
            return None
        rows = [row for frame in self._frames for row in frame]
        return suggest_shares(
            np.array([probabilities for _, probabilities in rows], dtype=np.float64),
            np.array([face_id for face_id, _ in rows]),
            self._labels,
            self._class_shares,
            is_independent=self._is_independent,
            n_frames=self._n_seen,
        )


def describe_shares(estimate: SharesEstimate) -> str:
    """Say an estimate in a sentence, the most frequent classes first."""
    order = sorted(zip(estimate.shares, estimate.labels, strict=True), reverse=True)
    named = ", ".join(f"{label} {share:.0%}" for share, label in order if share >= 0.005)
    return (
        f"Class shares as estimated (EM): {named}; from {estimate.n_frames} frames, worth "
        f"about {estimate.n_effective:.0f} independent ones"
    )
