"""Where to cut the crop when no landmarks were found, so that its framing matches the others."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

F64Array = NDArray[np.float64]

# With fewer found faces their median says little of how the data set frames a face.
_MIN_FACES_FOR_MEDIAN: Final = 20


@dataclass(frozen=True, slots=True)
class Geometry:
    """The chips of one split.

    Attributes:
        alignment: Chip -> crop of side 1, (N, 2, 3); NaN where it is not known.
        size_wh: Width and height of the chips, (N, 2).
        is_whole: The chip shows the whole picture, (N,) bool.
    """

    alignment: F64Array
    size_wh: NDArray[np.int64]
    is_whole: NDArray[np.bool_]


def alignment_from_box(box_xyxy_px: tuple[float, float, float, float]) -> F64Array:
    """Frame a face by a box around it: a square about its centre, as wide as its longer side."""
    left, top, right, bottom = box_xyxy_px
    side = max(right - left, bottom - top, 1.0)
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    return np.column_stack([np.eye(2) / side, 0.5 - centre / side])


def fill_missing_alignments(splits: dict[str, Geometry]) -> dict[str, F64Array]:
    """Replace NaN alignments by the data set's usual framing.

    That is the median over the pictures that are their own chip, measured in shorter sides from the
    middle of the picture; the middle square where there are too few of them.

    Returns:
        Complete alignments per split, (N, 2, 3).
    """
    usual = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    known = [_relative(g)[g.is_whole & np.isfinite(g.alignment[:, 0, 0])] for g in splits.values()]
    faces = np.concatenate(known)
    if len(faces) >= _MIN_FACES_FOR_MEDIAN:
        usual = np.median(faces, axis=0)
    return {split: _fill(geometry, usual) for split, geometry in splits.items()}


def _relative(geometry: Geometry) -> F64Array:
    """Express alignments in shorter sides from the middle of the chip."""
    short = geometry.size_wh.min(axis=1).astype(np.float64)
    relative = geometry.alignment.copy()
    linear = geometry.alignment[:, :, :2]
    relative[:, :, :2] = linear * short[:, None, None]
    relative[:, :, 2] += np.einsum("nij,nj->ni", linear, geometry.size_wh / 2)
    return relative


def _fill(geometry: Geometry, usual: F64Array) -> F64Array:
    short = np.maximum(geometry.size_wh.min(axis=1), 1).astype(np.float64)
    linear = usual[:, :2] / short[:, None, None]  # (N, 2, 2)
    offset = usual[:, 2] - np.einsum("nij,nj->ni", linear, geometry.size_wh / 2)
    fallback = np.concatenate([linear, offset[:, :, None]], axis=2)
    is_missing = np.isnan(geometry.alignment)  # whole rows
    filled: F64Array = np.where(is_missing, fallback, geometry.alignment)
    return filled
