"""How far the picture of a face can be trusted, and what is wrong with it.

Each flaw is a factor from 0 (useless) to 1 (no flaw), linear between two limits; the quality is
their product. A factor below 0.8 is named among the reasons, the worst first.

Brightness and sharpness are measured on the face aligned to 64 px, so they do not depend on its
size in the frame, and sharpness relative to contrast, so it does not depend on the light.
Brightness is judged by the brightest parts of the face, not by its mean, which differs between
people's skins. A covered face shows as low landmark confidence.
"""

from dataclasses import dataclass
from math import cos, hypot, prod
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.alignment import cut_crop
from lanet_live.face.template import TEMPLATE_INDICES
from lanet_live.records import FaceTrack, Quality

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]

REASONS: Final = (
    "small_face",
    "blur",
    "dark",
    "overexposed",
    "low_contrast",
    "extreme_pose",
    "low_landmark_confidence",
    "cut_by_border",
)
_NAMED_BELOW: Final = 0.8


@dataclass(frozen=True, slots=True)
class _Limits:
    """A flaw is total at `useless` and gone at `good`."""

    useless: float
    good: float

    def factor(self, value: float) -> float:
        share = (value - self.useless) / (self.good - self.useless)
        return max(0.0, min(1.0, share))


# The limits were set on FER+ Valid, degraded in twelve ways (`lanet-train reliability`): a flaw is
# none up to where the error of the model begins to grow, and total where it has doubled.
#
# Side of the aligned square in frame pixels. The expression model learnt from sides of 44 px.
_SIDE_PX: Final = _Limits(useless=8, good=48)
# Standard deviation of the Laplacian over that of the brightness, at 64 px. Sharp video and photos
# 0.6 to 0.75, FER+ 0.43; blurred by 1 px 0.29, by 2 px 0.14, by 3 px 0.09.
_SHARPNESS: Final = _Limits(useless=0.06, good=0.24)
# Grey level that a twentieth of the face exceeds.
_HIGHLIGHT: Final = _Limits(useless=8, good=40)
# Share of the face that is burnt out.
_BURNT_SHARE: Final = _Limits(useless=0.9, good=0.2)
_BURNT_LEVEL: Final = 250
# Standard deviation over that highlight, so that the dark is not held against a face twice. FER+
# 0.22, first percentile 0.12.
_CONTRAST: Final = _Limits(useless=0.015, good=0.08)
# Cosine of the angle between the face's normal and the viewing axis: 70 and 30 degrees.
_FRONTALITY: Final = _Limits(useless=0.34, good=0.87)
_CONFIDENCE: Final = _Limits(useless=0.2, good=0.6)
# Share of the landmarks inside the frame.
_VISIBLE_SHARE: Final = _Limits(useless=0.4, good=0.95)

_CROP_SIZE_PX: Final = 64
_ROW, _COLUMN = np.mgrid[:_CROP_SIZE_PX, :_CROP_SIZE_PX] / _CROP_SIZE_PX
# An ellipse within the face: hair and background say nothing about it.
_FACE_MASK: Final = ((_COLUMN - 0.5) / 0.42) ** 2 + ((_ROW - 0.52) / 0.47) ** 2 < 1
_MASK: Final = _FACE_MASK.astype(np.uint8)
_N_IN_MASK: Final = int(_FACE_MASK.sum())


def measure_quality(image_bgr: U8Array, track: FaceTrack, *, frame_to_crop: F64Array) -> Quality:
    """Judge the picture of one face.

    Args:
        image_bgr: The whole frame, (H, W, 3) uint8.
        track: The face in it.
        frame_to_crop: Its alignment, unjittered, (2, 3); of a crop of any size.

    Returns:
        The quality and its reasons, from `REASONS`.
    """
    # The template is centred in x, so its mean lies half a crop from the left.
    template_px = track.landmarks_px[TEMPLATE_INDICES].mean(axis=0)
    crop_size_px = 2.0 * float(frame_to_crop[0, :2] @ template_px + frame_to_crop[0, 2])
    scale = _CROP_SIZE_PX / crop_size_px
    # The green channel stands for brightness.
    face = cut_crop(image_bgr, frame_to_crop * scale, size_px=_CROP_SIZE_PX)[:, :, 1]
    side_px = crop_size_px / hypot(frame_to_crop[0, 0], frame_to_crop[0, 1])
    spread = _spread(face)
    at_most = np.cumsum(np.bincount(face[_FACE_MASK], minlength=256)) / _N_IN_MASK
    highlight = float(np.searchsorted(at_most, 0.95))
    factors = {
        "small_face": _SIDE_PX.factor(side_px),
        "blur": _SHARPNESS.factor(_spread(cv2.Laplacian(face, cv2.CV_16S)) / max(spread, 1.0)),
        "dark": _HIGHLIGHT.factor(highlight),
        "overexposed": _BURNT_SHARE.factor(1.0 - float(at_most[_BURNT_LEVEL - 1])),
        "low_contrast": _CONTRAST.factor(spread / max(highlight, 1.0)),
        "extreme_pose": _FRONTALITY.factor(cos(track.pose_rad[0]) * cos(track.pose_rad[1])),
        "low_landmark_confidence": _CONFIDENCE.factor(track.score),
        "cut_by_border": _VISIBLE_SHARE.factor(_share_inside(track.landmarks_px, image_bgr)),
    }
    named = sorted((f, name) for name, f in factors.items() if f < _NAMED_BELOW)
    return Quality(value=prod(factors.values()), reasons=tuple(name for _, name in named))


def _spread(levels: cv2.typing.MatLike) -> float:
    """Return the standard deviation within the face."""
    return float(cv2.meanStdDev(levels, mask=_MASK)[1][0, 0])


def _share_inside(landmarks_px: F32Array, image_bgr: U8Array) -> float:
    limits = (image_bgr.shape[1], image_bgr.shape[0])
    if landmarks_px.min() >= 0 and (landmarks_px.max(axis=0) <= limits).all():
        return 1.0
    return float(((landmarks_px >= 0) & (landmarks_px <= limits)).all(axis=1).mean())
