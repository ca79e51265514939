"""The records that travel from the source to the sinks. Frozen; their arrays are never written to.

Pixel coordinates are continuous frame pixels: (0, 0) is the outer corner of the first pixel.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture.

    Attributes:
        image_bgr: (H, W, 3) uint8, upright and with square pixels.
        index: Counts from 0 in decode order.
        timestamp_s: The decoder's presentation time in seconds; for a camera, seconds since start.
        captured_at_s: `time.perf_counter()` when the picture was in hand.
        source_id: Which source it came from, e.g. the file's name.
    """

    image_bgr: U8Array
    index: int
    timestamp_s: float
    captured_at_s: float
    source_id: str


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One face in one frame.

    Attributes:
        face_id: Stays with a person through a source; from 0; never given to someone else.
        box_xyxy_px: Bounding box of the landmarks, (4,) float32.
        score: Confidence of the landmarks, 0 to 1.
        landmarks_px: (478, 2) float32.
        blendshapes: (52,) float32 in the order of `lanet_live.face.mesh.BLENDSHAPE_NAMES`; None
            when they were not asked for.
        pose_rad: (3,) float32: Rx pitch (positive down), Ry yaw, Rz roll, in OpenFace's signs.
    """

    face_id: int
    box_xyxy_px: F32Array
    score: float
    landmarks_px: F32Array
    blendshapes: F32Array | None
    pose_rad: F32Array


@dataclass(frozen=True, slots=True)
class Quality:
    """How far the input can be trusted.

    Attributes:
        value: 0 (useless) to 1 (good).
        reasons: What lowers it, worst first; names from `lanet_live.face.quality.REASONS`.
    """

    value: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlignedFace:
    """One face cut out for the model.

    Attributes:
        face_id: As in the `FaceTrack`.
        crop_bgr: (S, S, 3) uint8.
        frame_to_crop: Affine map in continuous pixels, (2, 3) float64.
        quality: Of this crop.
    """

    face_id: int
    crop_bgr: U8Array
    frame_to_crop: F64Array
    quality: Quality


@dataclass(frozen=True, slots=True)
class ExpressionEstimate:
    """What the model says of one face.

    Attributes:
        face_id: As in the `FaceTrack`.
        probabilities: (C,) float64, calibrated, unsmoothed, sums to 1.
        smoothed: (C,) float64, sums to 1; None when smoothing is off. For display; never replaces
            `probabilities`.
        uncertainty: Entropy of `probabilities` / ln C, 0 to 1: how ambiguous the expression is.
        disagreement: Mutual information over the test-time ensemble / ln C, 0 to 1: how unsure the
            model is. None when it was not computed.
        quality: Of the input.
        is_reliable: Quality and uncertainty are within the session's thresholds.
        labels: Class names, (C,).
        prior_corrected: `probabilities` under other class shares than the model's; None when none
            were asked for. Never replaces `probabilities`.
        prediction_set: Classes that remain possible, the most probable first; see
            `lanet_live.expression.prediction_sets`. Empty when the model makes no sets.
    """

    face_id: int
    probabilities: F64Array
    smoothed: F64Array | None
    uncertainty: float
    disagreement: float | None
    quality: Quality
    is_reliable: bool
    labels: tuple[str, ...]
    prior_corrected: "PriorCorrected | None" = None
    prediction_set: tuple[str, ...] = ()

    @property
    def expression(self) -> str:
        """The most probable class."""
        return self.labels[int(np.argmax(self.probabilities))]


@dataclass(frozen=True, slots=True)
class PriorCorrected:
    """An estimate under other class shares than the model's; see `lanet_live.expression.prior`.

    Attributes:
        probabilities: (C,) float64, sums to 1.
        uncertainty: Entropy of these / ln C, 0 to 1.
    """

    probabilities: F64Array
    uncertainty: float


@dataclass(frozen=True, slots=True)
class SharesEstimate:
    """How frequent the classes seem to be in a recording; see `lanet_live.expression.shares`.

    Attributes:
        labels: Class names, (C,).
        shares: Of each class, (C,), summing to 1.
        n_frames: Estimates it rests on, counted per face.
        n_effective: How many independent ones these are worth.
    """

    labels: tuple[str, ...]
    shares: tuple[float, ...]
    n_frames: int
    n_effective: float


@dataclass(frozen=True, slots=True)
class FrameResult:
    """Everything measured on one frame, with the frame it was measured on.

    Attributes:
        frame: The frame.
        tracks: Faces, by ascending `face_id`.
        estimates: One per track, in the same order.
        stage_ms: Milliseconds spent per stage.
        dropped_before: Frames of the source dropped between the previous result and this one.
    """

    frame: Frame
    tracks: tuple[FaceTrack, ...]
    estimates: tuple[ExpressionEstimate, ...]
    stage_ms: dict[str, float] = field(default_factory=dict)
    dropped_before: int = 0
