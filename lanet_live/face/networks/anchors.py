"""From the numbers of the short-range detector (BlazeFace, Bazarevsky et al. 2019) to detections.

The network answers for 896 anchors: two in each cell of a 16 x 16 grid and six in each cell of an
8 x 8 grid, with a box and six key points relative to the cell's centre, in pixels of its input.
Answers that overlap are averaged, weighted by their scores.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

F32Array = NDArray[np.float32]

INPUT_SIZE_PX: Final = 128
N_KEYPOINTS: Final = 6
_GRIDS: Final = ((16, 2), (8, 6))  # (cells along a side, anchors in a cell)
_SCORE_LIMIT: Final = 100.0  # of the logit


def _anchor_centres() -> F32Array:
    """Return the anchors' centres, (896, 2), in pixels of the input."""
    grids = []
    for n_cells, n_anchors in _GRIDS:
        steps = (np.arange(n_cells, dtype=np.float32) + 0.5) * (INPUT_SIZE_PX / n_cells)
        x, y = np.meshgrid(steps, steps)
        cells = np.stack([x.ravel(), y.ravel()], axis=1)
        grids.append(np.repeat(cells, n_anchors, axis=0))
    return np.concatenate(grids).astype(np.float32)


_CENTRES: Final = _anchor_centres()


def decode_detections(
    regressors: F32Array, logits: F32Array, *, min_score: float, max_overlap: float
) -> tuple[F32Array, F32Array]:
    """Turn the network's answer for one picture into detections.

    Args:
        regressors: (896, 16): box centre, box size, six key points.
        logits: (896,).
        min_score: Weaker answers are left out.
        max_overlap: Answers with a larger intersection over union are one face.

    Returns:
        Points (N, 8, 2): top left and bottom right corner of the box, then the key points, in
        pixels of the input; scores (N,), descending.
    """
    limited = np.clip(logits.astype(np.float64), -_SCORE_LIMIT, _SCORE_LIMIT)
    scores: F32Array = (1.0 / (1.0 + np.exp(-limited))).astype(np.float32)
    likely = np.flatnonzero(scores >= min_score)
    if not len(likely):
        return np.empty((0, 2 + N_KEYPOINTS, 2), np.float32), np.empty(0, np.float32)
    likely = likely[np.argsort(-scores[likely], kind="stable")]
    scores = scores[likely]
    pairs = regressors[likely].reshape(-1, 2 + N_KEYPOINTS, 2)
    centres, sizes = pairs[:, 0] + _CENTRES[likely], pairs[:, 1]
    points = np.concatenate(
        [
            (centres - sizes / 2)[:, None],
            (centres + sizes / 2)[:, None],
            pairs[:, 2:] + _CENTRES[likely][:, None],
        ],
        axis=1,
    )
    return _merge(points, scores, max_overlap)


def _merge(points: F32Array, scores: F32Array, max_overlap: float) -> tuple[F32Array, F32Array]:
    """Average answers that overlap the best one left, until none is left."""
    merged, best = [], []
    while len(points):
        is_same = _overlap(points[0, :2], points[:, :2]) > max_overlap
        is_same[0] = True
        weights = scores[is_same] / scores[is_same].sum()
        merged.append(np.tensordot(weights, points[is_same], axes=1))
        best.append(scores[0])
        points, scores = points[~is_same], scores[~is_same]
    return np.array(merged, dtype=np.float32), np.array(best, dtype=np.float32)


def _overlap(box: F32Array, boxes: F32Array) -> F32Array:
    """Return intersection over union of a box (2, 2) with boxes (N, 2, 2)."""
    low, high = np.maximum(box[0], boxes[:, 0]), np.minimum(box[1], boxes[:, 1])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    union = np.prod(box[1] - box[0]) + np.prod(boxes[:, 1] - boxes[:, 0], axis=1) - shared
    overlap: F32Array = shared / np.maximum(union, 1e-9)
    return overlap
