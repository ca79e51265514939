"""A second look at a picture in which no face was found: is it one face, large and hard to see?

Strong profiles, heads on one side, faces behind hands or hair. Of the faces of FER+ Valid that the
first look missed, two in three are found here.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.agreement import NO_AGREEMENT, keypoint_disagreement, landmark_confidence
from lanet_live.face.alignment import transform_points
from lanet_live.face.found_face import FoundFace
from lanet_live.face.mesh import Detector, FaceMesh, Landmarker
from lanet_live.face.models import FaceModels
from lanet_live.face.portrait import PlausibleFace, Showing, show
from lanet_live.face.pose import head_pose

U8Array = NDArray[np.uint8]
F64Array = NDArray[np.float64]

_SHOWINGS: Final = (
    Showing(0.0),
    *(Showing(0.0, degrees) for degrees in (-25, 25, -45, 45)),
    *(Showing(0.25, degrees) for degrees in (0, -25, 25, -45, 45)),
    Showing(-0.12),
)
# Lower than elsewhere: place and size, and that both models agree, make up for it.
_DETECTOR_CONFIDENCE: Final = 0.3
_REPEATED_DETECTION_CONFIDENCE: Final = 0.1
_PRESENCE_CONFIDENCE: Final = 0.2
_MESHES_PER_SHOWING: Final = 2
_PORTRAIT: Final = PlausibleFace((0.4, 1.3), 0.22, float(np.deg2rad(85)), 0.5)
# A face that fills the picture needs no more.
_LARGEST_SIDE_PX: Final = 480


class PortraitFinder:
    """The face of a picture that it fills. Opened, used and closed in one thread."""

    def __init__(self, models: FaceModels) -> None:
        self._models = models
        # Most pictures never need a second look; opening the models costs memory and a moment.
        self._detector: Detector | None = None
        self._landmarker: Landmarker | None = None

    def find(self, image_bgr: U8Array) -> FoundFace | None:
        """Find the face of a picture, or None.

        Args:
            image_bgr: (H, W, 3) uint8.

        Raises:
            FaceModelError: The face models failed.
        """
        scale = min(1.0, _LARGEST_SIDE_PX / max(image_bgr.shape[:2]))
        if scale < 1:
            image_bgr = np.asarray(
                cv2.resize(image_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA),
                dtype=np.uint8,
            )
        for showing in _SHOWINGS:
            shown, to_shown = show(image_bgr, showing)
            face = self._find_shown(shown, cv2.invertAffineTransform(to_shown), image_bgr)
            if face is not None:
                return _enlarged(face, 1 / scale)
        return None

    def close(self) -> None:
        """Free the models. May be called twice."""
        for model in (self._detector, self._landmarker):
            if model is not None:
                model.close()
        self._detector = self._landmarker = None

    def _find_shown(
        self, shown: U8Array, to_picture: F64Array, picture: U8Array
    ) -> FoundFace | None:
        detector, landmarker = self._opened()
        detections = detector.detect(shown)
        if not detections:
            return None
        size_wh = (picture.shape[1], picture.shape[0])
        found: list[FoundFace] = []
        for mesh in landmarker.find(shown):
            pairs = [
                (keypoint_disagreement(d.keypoints_px, mesh.landmarks_px), d.score)
                for d in detections
            ]
            disagreement, score = min(pairs)
            face = _in_picture(mesh, to_picture, landmark_confidence(score, disagreement))
            if disagreement < NO_AGREEMENT and _PORTRAIT.allows(face.landmarks_px, size_wh):
                found.append(face)
        return max(found, key=lambda face: face.score, default=None)

    def _opened(self) -> tuple[Detector, Landmarker]:
        if self._detector is None or self._landmarker is None:
            self._detector = self._models.open_detector(min_confidence=_DETECTOR_CONFIDENCE)
            self._landmarker = self._models.open_landmarker(
                max_faces=_MESHES_PER_SHOWING,
                min_detection_confidence=_REPEATED_DETECTION_CONFIDENCE,
                min_presence_confidence=_PRESENCE_CONFIDENCE,
            )
        return self._detector, self._landmarker


def _in_picture(mesh: FaceMesh, to_picture: F64Array, score: float) -> FoundFace:
    """Carry a mesh from what was shown back into the picture, turned and scaled."""
    landmarks = transform_points(to_picture, mesh.landmarks_px).astype(np.float32)
    depth = mesh.depth_px * np.float32(np.sqrt(np.linalg.det(to_picture[:, :2])))
    return FoundFace(score, landmarks, mesh.blendshapes, head_pose(landmarks, depth))


def _enlarged(face: FoundFace, scale: float) -> FoundFace:
    landmarks = (face.landmarks_px * np.float32(scale)).astype(np.float32)
    return FoundFace(face.score, landmarks, face.blendshapes, face.pose_rad)
