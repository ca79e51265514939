"""Candidates for faces: the detector on views of a frame, one candidate per face out of them all.

The detector shrinks whatever it is given to 128 px and misses faces narrower than about an eighth
of it, so a group in a wide frame is found only when it looks at parts of the frame one by one.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.agreement import keypoint_disagreement, landmark_confidence
from lanet_live.face.matching import is_same_face, landmark_box
from lanet_live.face.mesh import Detector
from lanet_live.face.views import View, square_view_around

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# A closer look shows the landmarks' box in a square this many times as wide.
_CLOSE_ZOOM_OUT: Final = 2.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something the detector takes for a face.

    Attributes:
        box_xyxy_px: Brow to chin, square, frame pixels, (4,) float32.
        keypoints_px: As in `FaceDetection`, frame pixels, (6, 2) float32.
        score: The detector's confidence, 0 to 1.
    """

    box_xyxy_px: F32Array
    keypoints_px: F32Array
    score: float


def search(detector: Detector, image_bgr: U8Array, views: tuple[View, ...]) -> list[Candidate]:
    """Run the detector on views of one frame.

    Returns:
        One candidate per face, best score first.
    """
    found = [
        Candidate(
            box_xyxy_px=detection.box_xyxy_px + np.tile(view.offset_px, 2),
            keypoints_px=detection.keypoints_px + view.offset_px,
            score=detection.score,
        )
        for view in views
        for detection in detector.detect(view.cut(image_bgr))
    ]
    return drop_duplicates(found)


def look_closer(detector: Detector, image_bgr: U8Array, landmarks_px: F32Array) -> float:
    """Run the detector close around a mesh.

    In a wide view a face is a few of the detector's pixels, and its key points are coarse; seen
    close, they lie within 0.03 of a face from good landmarks.

    Returns:
        Confidence of the landmarks, 0 to 1 (see `lanet_live.face.agreement`); 0 when the detector,
        at its own threshold, sees no face there or another one.
    """
    size_wh = (image_bgr.shape[1], image_bgr.shape[0])
    view = square_view_around(landmark_box(landmarks_px), size_wh, zoom_out=_CLOSE_ZOOM_OUT)
    return max(
        (
            landmark_confidence(c.score, keypoint_disagreement(c.keypoints_px, landmarks_px))
            for c in search(detector, image_bgr, (view,))
        ),
        default=0.0,
    )


def drop_duplicates(candidates: list[Candidate]) -> list[Candidate]:
    """Keep the best-scored candidate of each face, best first."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.score):
        if not any(is_same_face(candidate.box_xyxy_px, other.box_xyxy_px) for other in kept):
            kept.append(candidate)
    return kept
