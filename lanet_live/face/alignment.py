"""Cut one face out of a frame, upright and at one scale. The only alignment of the project.

The trainer prepares its crops with these same functions, so the crop seen in training is the crop
seen live. Pixel coordinates are continuous: pixel (column i, row j) covers [i, i+1) x [j, j+1), as
MediaPipe's normalised landmarks times the image size give them.
"""

from math import ceil, floor, isfinite, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.template import TEMPLATE_INDICES, TEMPLATE_UNIT

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]

C128Array = NDArray[np.complex128]

N_LANDMARKS = 478
_TEMPLATE: C128Array = TEMPLATE_UNIT.astype(np.float64).view(np.complex128)[:, 0]
_TEMPLATE_MEAN = complex(_TEMPLATE.mean())
_CENTRED_TEMPLATE: C128Array = _TEMPLATE - _TEMPLATE_MEAN
# From this ratio of crop pixels to frame pixels on, one sample a crop pixel sees all of them.
_DENSE_SCALE = 0.8


def estimate_frame_to_crop(landmarks_px: F32Array | F64Array, *, size_px: int) -> F64Array:
    """Fit the similarity transform that carries a face onto the canonical template.

    Least squares over the template's points (Umeyama 1991, without reflection).

    Args:
        landmarks_px: All MediaPipe landmarks in frame pixels, (478, 2).
        size_px: Side of the square crop.

    Returns:
        Affine map frame -> crop in continuous pixel coordinates, (2, 3).

    Raises:
        ValueError: If the landmarks do not have shape (478, 2), are not finite, or coincide.
    """
    if landmarks_px.shape != (N_LANDMARKS, 2):
        raise ValueError(f"landmarks_px must have shape (478, 2), got {landmarks_px.shape}")
    # Points as complex numbers: turning and scaling is one multiplication.
    source: C128Array = landmarks_px[TEMPLATE_INDICES].astype(np.float64).view(np.complex128)[:, 0]
    source_mean = complex(source.mean())
    centred = source - source_mean
    spread = np.vdot(centred, centred).real
    if not isfinite(spread):
        raise ValueError("landmarks_px must be finite")
    if spread <= 1e-12:
        raise ValueError("landmarks_px must not all coincide")
    turn = size_px * complex(np.vdot(centred, _CENTRED_TEMPLATE)) / spread
    offset = size_px * _TEMPLATE_MEAN - turn * source_mean
    return np.array([[turn.real, -turn.imag, offset.real], [turn.imag, turn.real, offset.imag]])


def jitter_crop(
    frame_to_crop: F64Array,
    *,
    size_px: int,
    scale: float = 1.0,
    rotation_rad: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
    mirror: bool = False,
) -> F64Array:
    """Compose an alignment with a change of framing, so that the image is sampled only once.

    Args:
        frame_to_crop: Affine map frame -> crop, (2, 3).
        size_px: Side of the square crop.
        scale: Above 1 the face gets larger in the crop.
        rotation_rad: Clockwise on screen.
        shift: Right and down, as shares of the crop's side.
        mirror: Mirror the crop left to right, last.

    Returns:
        The changed affine map frame -> crop, (2, 3).
    """
    centre = size_px / 2
    cosine, sine = scale * np.cos(rotation_rad), scale * np.sin(rotation_rad)
    change = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    change[:2, 2] = centre + np.array(shift) * size_px - change[:2, :2] @ [centre, centre]
    if mirror:
        change = np.array([[-1.0, 0.0, size_px], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ change
    composed: F64Array = change[:2, :2] @ frame_to_crop
    composed[:, 2] += change[:2, 2]
    return composed


def cut_crop(image: U8Array, frame_to_crop: F64Array, *, size_px: int) -> U8Array:
    """Sample a square crop; outside the image its border pixels are repeated.

    Args:
        image: (H, W, 3) or (H, W), uint8.
        frame_to_crop: Affine map frame -> crop in continuous pixel coordinates, (2, 3).
        size_px: Side of the square crop.

    Returns:
        (size_px, size_px, 3) or (size_px, size_px), uint8.
    """
    (a, b, _), (c, d, _) = frame_to_crop.tolist()
    scale = sqrt(abs(a * d - b * c))
    # Bilinear sampling skips frame pixels when a crop pixel covers several, and the crop shimmers.
    # So whole blocks are averaged first, and what is left of the ratio is sampled twice as densely.
    block_px = int(1 / max(scale, 1e-6))
    if block_px >= 2:
        image, frame_to_crop = _shrink_around_crop(image, frame_to_crop, size_px, block_px)
        scale *= block_px
    oversampling = 2 if scale < _DENSE_SCALE else 1
    # warpAffine counts from pixel centres: u_cv = u - 0.5 on both sides.
    matrix = frame_to_crop * oversampling
    matrix[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5
    side_px = size_px * oversampling
    crop: U8Array = cv2.warpAffine(
        image, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if oversampling > 1:
        crop = cv2.resize(crop, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return crop


def align_face(
    image: U8Array, landmarks_px: F32Array | F64Array, *, size_px: int
) -> tuple[U8Array, F64Array]:
    """Rotate, scale and crop one face to the canonical template.

    Args:
        image: Whole frame, (H, W, 3) or (H, W), uint8.
        landmarks_px: All MediaPipe landmarks in frame pixels, (478, 2).
        size_px: Side of the square crop.

    Returns:
        The crop, (size_px, size_px[, 3]) uint8, and the affine map frame -> crop, (2, 3).

    Raises:
        ValueError: If the landmarks do not have shape (478, 2), are not finite, or coincide.
    """
    frame_to_crop = estimate_frame_to_crop(landmarks_px, size_px=size_px)
    return cut_crop(image, frame_to_crop, size_px=size_px), frame_to_crop


def transform_points(affine: F64Array, points: F32Array | F64Array) -> F64Array:
    """Apply an affine map (2, 3) to points (..., 2)."""
    mapped: F64Array = points @ affine[:, :2].T + affine[:, 2]
    return mapped


def _shrink_around_crop(
    image: U8Array, frame_to_crop: F64Array, size_px: int, block_px: int
) -> tuple[U8Array, F64Array]:
    """Average the part of the image under the crop in blocks of `block_px` by `block_px` pixels.

    Whole blocks, because OpenCV averages them many times faster than broken ones.
    """
    x0, y0, x1, y1 = _part_under_crop(
        frame_to_crop, size_px, margin_px=2 * block_px, image_size_hw=image.shape[:2]
    )
    width, height = -(-(x1 - x0) // block_px), -(-(y1 - y0) // block_px)  # rounded up
    part = cv2.copyMakeBorder(
        image[y0:y1, x0:x1],
        *(0, height * block_px - (y1 - y0), 0, width * block_px - (x1 - x0)),
        borderType=cv2.BORDER_REPLICATE,
    )
    shrunk: U8Array = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    # frame = (x0, y0) + shrunk * block_px
    matrix = frame_to_crop.copy()
    matrix[:, 2] += matrix[:, 0] * x0 + matrix[:, 1] * y0
    matrix[:, :2] *= block_px
    return shrunk, matrix


def _part_under_crop(
    frame_to_crop: F64Array, size_px: int, *, margin_px: float, image_size_hw: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Return the rectangle x0, y0, x1, y1 of the image that a crop samples, with a margin."""
    (a, b, tx), (c, d, ty) = frame_to_crop.tolist()
    determinant = a * d - b * c
    corners = [(u - tx, v - ty) for u in (0, size_px) for v in (0, size_px)]
    xs = [(d * u - b * v) / determinant for u, v in corners]
    ys = [(a * v - c * u) / determinant for u, v in corners]
    height, width = image_size_hw
    x0 = min(max(floor(min(xs) - margin_px), 0), width - 1)
    y0 = min(max(floor(min(ys) - margin_px), 0), height - 1)
    x1 = min(max(ceil(max(xs) + margin_px), x0 + 1), width)
    y1 = min(max(ceil(max(ys) + margin_px), y0 + 1), height)
    return x0, y0, x1, y1
