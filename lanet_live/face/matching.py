"""Geometry of boxes: how much two faces overlap."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

F32Array = NDArray[np.float32]

# Two boxes that overlap like this, or of which one lies this far inside the other, are one face.
_SAME_FACE_IOU: Final = 0.3
_SAME_FACE_CONTAINED: Final = 0.7


def landmark_box(landmarks_px: F32Array) -> F32Array:
    """Return the bounding box of landmarks (N, 2) as x0, y0, x1, y1, (4,) float32."""
    return np.concatenate([landmarks_px.min(axis=0), landmarks_px.max(axis=0)]).astype(np.float32)


def box_iou(a_xyxy: F32Array, b_xyxy: F32Array) -> float:
    """Return intersection over union of two boxes, 0 to 1."""
    shared = _intersection_area(a_xyxy, b_xyxy)
    union = _area(a_xyxy) + _area(b_xyxy) - shared
    return shared / union if union > 0 else 0.0


def contained_share(a_xyxy: F32Array, b_xyxy: F32Array) -> float:
    """Return how much of the smaller box lies inside the other, 0 to 1."""
    smaller = min(_area(a_xyxy), _area(b_xyxy))
    return _intersection_area(a_xyxy, b_xyxy) / smaller if smaller > 0 else 0.0


def is_same_face(a_xyxy: F32Array, b_xyxy: F32Array) -> bool:
    """Return whether two boxes in one frame belong to one face."""
    return (
        box_iou(a_xyxy, b_xyxy) >= _SAME_FACE_IOU
        or contained_share(a_xyxy, b_xyxy) >= _SAME_FACE_CONTAINED
    )


def share_inside(box_xyxy: F32Array, outer_xyxy: F32Array) -> float:
    """Return how much of a box lies inside another one, 0 to 1."""
    area = _area(box_xyxy)
    return _intersection_area(box_xyxy, outer_xyxy) / area if area > 0 else 0.0


def _area(box_xyxy: F32Array) -> float:
    return float(np.prod(np.maximum(0.0, box_xyxy[2:] - box_xyxy[:2])))


def _intersection_area(a_xyxy: F32Array, b_xyxy: F32Array) -> float:
    low, high = np.maximum(a_xyxy[:2], b_xyxy[:2]), np.minimum(a_xyxy[2:], b_xyxy[2:])
    return float(np.prod(np.maximum(0.0, high - low)))
