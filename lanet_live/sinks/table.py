"""The columns of every table, and the rows one result makes. See docs/data-dictionary.md."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from lanet_live.face.alignment import N_LANDMARKS
from lanet_live.face.mesh import BLENDSHAPE_NAMES
from lanet_live.records import ExpressionEstimate, FaceTrack, Frame, FrameResult

Value = int | float | str | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: As in the header.
        kind: `int`, `float` or `str`.
        n_decimals: Written by the text formats; finer than what the value is good for.
        is_single_precision: Stored as float32 by the binary formats.
    """

    name: str
    kind: type
    n_decimals: int = 0
    is_single_precision: bool = False


_FRAME: Final = (
    Column("frame", int),
    Column("face_id", int),
    Column("timestamp", float, 6),
    Column("confidence", float, 4),
    Column("success", int),
)
_GEOMETRY: Final = (
    Column("FaceRectX", float, 2),
    Column("FaceRectY", float, 2),
    Column("FaceRectWidth", float, 2),
    Column("FaceRectHeight", float, 2),
    Column("pose_Rx", float, 5),
    Column("pose_Ry", float, 5),
    Column("pose_Rz", float, 5),
)
_JUDGEMENT: Final = (
    Column("expression", str),
    Column("set", str),
    Column("uncertainty", float, 6),
    Column("disagreement", float, 6),
    Column("quality", float, 4),
    Column("reliable", int),
)
# Eight rounded values stay within 4e-6 of a sum of 1.
_PROBABILITY_DECIMALS: Final = 6
SET_SEPARATOR: Final = "|"
"""Between the classes of a prediction set."""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Which columns a table has; one for all formats of a run.

    Attributes:
        labels: Class names of the model, in its order.
        is_full: Also the blendshapes and landmarks.
        has_smoothed: Also the smoothed probabilities, at the end.
        has_prior: Also the probabilities under other class shares, at the very end.
    """

    labels: tuple[str, ...]
    is_full: bool = False
    has_smoothed: bool = False
    has_prior: bool = False

    def columns(self) -> tuple[Column, ...]:
        """Return the columns in order."""
        columns = [*_FRAME, *_GEOMETRY]
        columns += [Column(label, float, _PROBABILITY_DECIMALS) for label in self.labels]
        columns += _JUDGEMENT
        if self.is_full:
            columns += [
                Column(name, float, 5, is_single_precision=True) for name in BLENDSHAPE_NAMES
            ]
            columns += [
                Column(f"{axis}_{i}", float, 2, is_single_precision=True)
                for axis in "xy"
                for i in range(N_LANDMARKS)
            ]
        if self.has_smoothed:
            columns += [
                Column(f"{label}_smoothed", float, _PROBABILITY_DECIMALS) for label in self.labels
            ]
        if self.has_prior:
            columns += prior_columns(self.labels)
        return tuple(columns)

    def rows(self, result: FrameResult) -> list[list[Value]]:
        """Return one row per face, or the one row of a frame without a face.

        Values follow `columns`; None stands for empty. Numbers that are not finite are empty.
        """
        frame = result.frame
        if not result.tracks:
            n_empty = self._n_columns() - len(_FRAME)
            return [[frame.index, None, _finite(frame.timestamp_s), None, 0, *[None] * n_empty]]
        return [
            [_finite(value) for value in self._face_row(frame, track, estimate)]
            for track, estimate in zip(result.tracks, result.estimates, strict=True)
        ]

    def _n_columns(self) -> int:
        n_basic = len(_FRAME) + len(_GEOMETRY) + len(self.labels) + len(_JUDGEMENT)
        n_full = (len(BLENDSHAPE_NAMES) + 2 * N_LANDMARKS) if self.is_full else 0
        n_smoothed = len(self.labels) if self.has_smoothed else 0
        n_prior = len(prior_columns(self.labels)) if self.has_prior else 0
        return n_basic + n_full + n_smoothed + n_prior

    def _face_row(
        self, frame: Frame, track: FaceTrack, estimate: ExpressionEstimate
    ) -> list[Value]:
        left, top, right, bottom = track.box_xyxy_px.tolist()
        row: list[Value] = [frame.index, track.face_id, frame.timestamp_s]
        row += [track.score, 1, left, top, right - left, bottom - top]
        row += track.pose_rad.tolist()
        row += estimate.probabilities.tolist()
        row += [estimate.expression, SET_SEPARATOR.join(estimate.prediction_set) or None]
        row += [estimate.uncertainty, estimate.disagreement]
        row += [estimate.quality.value, int(estimate.is_reliable)]
        if self.is_full:
            shapes = track.blendshapes
            row += [None] * len(BLENDSHAPE_NAMES) if shapes is None else shapes.tolist()
            row += track.landmarks_px.T.ravel().tolist()  # all x, then all y
        if self.has_smoothed:
            smoothed = estimate.smoothed
            row += [None] * len(self.labels) if smoothed is None else smoothed.tolist()
        if self.has_prior:
            row += _prior_values(estimate)
        return row


def prior_columns(labels: tuple[str, ...]) -> tuple[Column, ...]:
    """Return the columns of the values under other class shares than the model's."""
    return (
        *(Column(f"{label}_pc", float, _PROBABILITY_DECIMALS) for label in labels),
        Column("expression_pc", str),
        Column("uncertainty_pc", float, 6),
    )


def _prior_values(estimate: ExpressionEstimate) -> list[Value]:
    corrected = estimate.prior_corrected
    if corrected is None:
        return [None] * len(prior_columns(estimate.labels))
    top = estimate.labels[int(np.argmax(corrected.probabilities))]
    return [*corrected.probabilities.tolist(), top, corrected.uncertainty]


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value
