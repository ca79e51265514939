"""Degradations of a face's picture as cameras cause them, each in three strengths.

They are applied to the whole picture before any face search, as they happen in life. Strengths are
chosen from "a person notices" to "a person hesitates"; lengths are shares of the picture's side, so
that the size of the picture does not matter.
"""

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]
Change = Callable[[U8Array, float, np.random.Generator], U8Array]

CLEAN: Final = "clean"
# Sensor noise is that of single pixels, so it is added, and JPEG is applied, at this size of the
# picture; at the enlarged size both would average out within the face.
_CAMERA_SIDE_PX: Final = 120
# In dim light the sensor's own noise stays while the signal shrinks.
_READ_NOISE: Final = 2.0
# A head seen from above is about as deep as it is wide; it fills this share of the picture.
_HEAD_WIDTH: Final = 0.62


def degrade(picture_bgr: U8Array, kind: str, level: int, generator: np.random.Generator) -> U8Array:
    """Degrade a picture that one face fills.

    Args:
        picture_bgr: (H, W, 3) uint8.
        kind: A key of `STRENGTHS`.
        level: 0 (slight) to 2 (severe).
        generator: Decides noise, places and sides.
    """
    changed = _CHANGES[kind](picture_bgr, STRENGTHS[kind][level], generator)
    return np.ascontiguousarray(changed)


def _blur(picture: U8Array, share: float, _: np.random.Generator) -> U8Array:
    return _as_u8(cv2.GaussianBlur(picture, (0, 0), share * _side(picture)))


def _smear(picture: U8Array, share: float, generator: np.random.Generator) -> U8Array:
    """Apply motion blur in a random direction."""
    length = max(3, round(share * _side(picture)))
    kernel = np.zeros((length, length), dtype=np.float32)
    kernel[length // 2] = 1.0
    centre = ((length - 1) / 2, (length - 1) / 2)
    turn = cv2.getRotationMatrix2D(centre, generator.uniform(0, 180), 1.0)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), dtype=np.float32)
    return _as_u8(cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))


def _darken(picture: U8Array, gain: float, generator: np.random.Generator) -> U8Array:
    noise = generator.standard_normal(picture.shape[:2], dtype=np.float32) * _READ_NOISE
    return _as_u8(picture * np.float32(gain) + noise[:, :, None])


def _overexpose(picture: U8Array, gain: float, _: np.random.Generator) -> U8Array:
    return _as_u8(picture * np.float32(gain))


def _flatten(picture: U8Array, share: float, _: np.random.Generator) -> U8Array:
    mean = np.float32(picture.mean())
    return _as_u8(mean + np.float32(share) * (picture - mean))


def _add_noise(picture: U8Array, std: float, generator: np.random.Generator) -> U8Array:
    small = _shrink_to(picture, _CAMERA_SIDE_PX)
    noise = generator.standard_normal(small.shape[:2], dtype=np.float32) * np.float32(std)
    return _as_u8(small + noise[:, :, None])


def _compress(picture: U8Array, quality: float, _: np.random.Generator) -> U8Array:
    small = _shrink_to(picture, _CAMERA_SIDE_PX)
    encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    return _as_u8(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)))


def _cover(picture: U8Array, share: float, generator: np.random.Generator) -> U8Array:
    """Cover a part of the face with a patch of its mean brightness, as a hand would."""
    height, width = picture.shape[:2]
    covered = picture.copy()
    side = np.array([width, height]) * _HEAD_WIDTH
    low = np.array([width, height]) / 2 - side / 2
    size = np.sqrt(share) * side
    corner = low + generator.uniform(size=2) * (side - size)
    left, top, right, bottom = np.concatenate([corner, corner + size]).astype(int)
    level = picture[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4].mean()
    covered[top:bottom, left:right] = np.uint8(level)
    return covered


def _lean(picture: U8Array, degrees: float, generator: np.random.Generator) -> U8Array:
    height, width = picture.shape[:2]
    angle = degrees if generator.random() < 0.5 else -degrees
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    return _as_u8(cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE))


def _turn(picture: U8Array, degrees: float, generator: np.random.Generator) -> U8Array:
    """Turn the head to one side: the picture is projected onto a sphere that is rotated."""
    height, width = picture.shape[:2]
    radius = _HEAD_WIDTH * width / 2
    angle = np.deg2rad(degrees if generator.random() < 0.5 else -degrees)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    x, y = (columns - width / 2) / radius, (rows - height / 2) / (1.3 * radius)
    depth = np.sqrt(np.maximum(0.0, 1.0 - x**2 - y**2))
    seen_x = x * np.cos(angle) + depth * np.sin(angle)
    is_head = (x**2 + y**2 < 1.0) & (np.abs(seen_x) < 1.0)
    source = np.where(is_head, seen_x * radius + width / 2, columns).astype(np.float32)
    return _as_u8(
        cv2.remap(picture, source, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _cut(picture: U8Array, share: float, generator: np.random.Generator) -> U8Array:
    """Leave a part of the head outside the frame, on a random side."""
    height, width = picture.shape[:2]
    margin = (1 - _HEAD_WIDTH) / 2 + share * _HEAD_WIDTH
    sides = (
        picture[:, round(margin * width) :],
        picture[:, : width - round(margin * width)],
        picture[round(margin * height) :],
        picture[: height - round(margin * height)],
    )
    return sides[int(generator.integers(len(sides)))]


def _shrink(picture: U8Array, head_px: float, _: np.random.Generator) -> U8Array:
    return _shrink_to(picture, round(head_px / _HEAD_WIDTH))


def _shrink_to(picture: U8Array, side_px: int) -> U8Array:
    scale = side_px / max(picture.shape[:2])
    if scale >= 1:
        return picture
    return _as_u8(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _side(picture: U8Array) -> int:
    return max(picture.shape[:2])


def _as_u8(picture: NDArray[Any]) -> U8Array:
    if picture.dtype == np.uint8:
        return np.asarray(picture, dtype=np.uint8)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


_CHANGES: Final[dict[str, Change]] = {
    "blur": _blur,
    "motion blur": _smear,
    "darkness": _darken,
    "overexposure": _overexpose,
    "low contrast": _flatten,
    "noise": _add_noise,
    "JPEG": _compress,
    "occlusion": _cover,
    "head leaning": _lean,
    "head turned": _turn,
    "cut by the border": _cut,
    "small face": _shrink,
}
# Blur: standard deviation, and motion blur: length, in sides of the picture; darkness and
# overexposure: gain; low contrast: what is left of it; noise: standard deviation in grey levels;
# JPEG: quality; occlusion: share of the head; leaning and turned: degrees; cut: share of the head's
# side; small: width of the head in pixels.
STRENGTHS: Final[dict[str, tuple[float, float, float]]] = {
    "blur": (0.012, 0.022, 0.036),
    "motion blur": (0.05, 0.10, 0.16),
    "darkness": (0.30, 0.12, 0.05),
    "overexposure": (1.7, 2.6, 4.5),
    "low contrast": (0.35, 0.15, 0.06),
    "noise": (12.0, 28.0, 50.0),
    "JPEG": (20.0, 8.0, 3.0),
    "occlusion": (0.12, 0.25, 0.45),
    "head leaning": (20.0, 40.0, 60.0),
    "head turned": (15.0, 30.0, 45.0),
    "cut by the border": (0.10, 0.25, 0.40),
    "small face": (28.0, 20.0, 14.0),
}
