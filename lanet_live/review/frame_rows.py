"""The rows of one frame of a reviewed table as the records they were written from."""

import numpy as np
from numpy.typing import NDArray

from lanet_live.expression.prediction_sets import sets_of
from lanet_live.records import ExpressionEstimate, F64Array, FaceTrack, Frame, FrameResult, Quality
from lanet_live.review.reviewed import Reviewed
from lanet_live.review.table import NO_FACE, FrameTable


def track_of(table: FrameTable, face_id: int, row: int) -> FaceTrack:
    """Return what a table knows of a face's place; it has no landmarks to draw."""
    left, top, width, height = table.box_xywh_px[row]
    return FaceTrack(
        face_id=face_id,
        box_xyxy_px=np.array([left, top, left + width, top + height], dtype=np.float32),
        score=1.0,
        landmarks_px=np.full((478, 2), np.nan, dtype=np.float32),
        blendshapes=np.zeros(52, dtype=np.float32),
        pose_rad=np.zeros(3, dtype=np.float32),
    )


def estimate_of(
    table: FrameTable,
    reviewed: Reviewed,
    row: int,
    *,
    min_quality: float = 0.0,
    min_probabilities: F64Array | None = None,
) -> ExpressionEstimate:
    """Return what a table says of a face's expression.

    Args:
        table: The recording.
        reviewed: The same rows under the edits.
        row: Of the face.
        min_quality: Below it the quality is named as what keeps the estimate from being reliable.
        min_probabilities: Thresholds of the prediction sets, (C,); None makes none.
    """
    prediction_set: tuple[str, ...] = ()
    if min_probabilities is not None:
        (prediction_set,) = sets_of(table.probabilities[[row]], min_probabilities, table.labels)
    value = float(table.quality[row])
    return ExpressionEstimate(
        face_id=int(reviewed.face_id[row]),
        probabilities=table.probabilities[row],
        smoothed=None,
        uncertainty=float(table.uncertainty[row]),
        disagreement=None,
        quality=Quality(value, ("low_quality",) if value < min_quality else ()),
        is_reliable=bool(reviewed.is_reliable[row]),
        labels=table.labels,
        prediction_set=prediction_set,
    )


def result_of(
    frame: Frame, table: FrameTable, reviewed: Reviewed, rows: NDArray[np.int64]
) -> FrameResult:
    """Return the result of one frame.

    Args:
        frame: Its picture.
        table: The recording.
        reviewed: The same rows under the edits.
        rows: Of this frame.
    """
    faces = [int(row) for row in rows if reviewed.face_id[row] != NO_FACE]
    faces.sort(key=lambda row: int(reviewed.face_id[row]))
    return FrameResult(
        frame=frame,
        tracks=tuple(track_of(table, int(reviewed.face_id[row]), row) for row in faces),
        estimates=tuple(estimate_of(table, reviewed, row) for row in faces),
    )
