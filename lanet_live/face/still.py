"""Find the faces of one picture on its own: no memory, no identities."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.landmarker import FaceDetector, FaceLandmarker, FaceMesh, RunningMode
from lanet_live.face.matching import box_iou, landmark_box
from lanet_live.face.pose import head_rotation, rotation_to_euler
from lanet_live.face.search import (
    Candidate,
    coarse_views,
    fine_views,
    is_same_face,
    look,
    square_view_around,
)

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# The landmarker looks at a square this many times as wide as the detector's box: the whole head
# with some air, the framing the detector inside it is surest of.
_LANDMARK_ZOOM_OUT: Final = 2.5
# Inside that square the landmarker repeats the detection; it must not lose what was already
# accepted, and its own presence test still throws out what is no face.
_REPEATED_DETECTION_CONFIDENCE: Final = 0.2
# A square around one face may show a neighbour too; the mesh that fits the candidate is taken.
_MESHES_PER_VIEW: Final = 3


@dataclass(frozen=True, slots=True)
class FoundFace:
    """One face in one picture.

    Attributes:
        score: Confidence of the face detector, 0 to 1.
        landmarks_px: (478, 2) float32, continuous pixels of the picture.
        blendshapes: (52,) float32 in the order of `lanet_live.face.landmarker.BLENDSHAPE_NAMES`.
        pose_rad: (3,) float32: Rx, Ry, Rz as in `lanet_live.face.pose`.
    """

    score: float
    landmarks_px: F32Array
    blendshapes: F32Array
    pose_rad: F32Array


class StillFaceFinder:
    """Faces, landmarks and head pose of single pictures.

    The detector searches the picture and overlapping tiles of it; each candidate is then measured
    by the landmarker in a square of its own. Opened, used and closed in one thread.
    """

    def __init__(self, *, max_faces: int = 16, min_confidence: float = 0.5) -> None:
        """Open the models.

        Args:
            max_faces: Keep at most this many, the surest ones.
            min_confidence: Least score of the detector; 0.2 finds more in tiny or blurred pictures
                that are known to show a face.
        """
        self._max_faces = max_faces
        self._detector = FaceDetector(min_confidence=min_confidence)
        self._landmarker = FaceLandmarker(
            RunningMode.IMAGE,
            max_faces=_MESHES_PER_VIEW,
            min_detection_confidence=min(min_confidence, _REPEATED_DETECTION_CONFIDENCE),
        )

    def find(self, image_bgr: U8Array) -> tuple[FoundFace, ...]:
        """Find the faces of a picture.

        Args:
            image_bgr: (H, W, 3) uint8.

        Returns:
            The faces, best score first.

        Raises:
            FaceModelError: MediaPipe failed.
        """
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        views = (*coarse_views(size_wh), *fine_views(size_wh))
        faces: list[FoundFace] = []
        for candidate in look(self._detector, image_bgr, views):
            face = self._measure(image_bgr, candidate)
            if face is not None and not any(_is_same(face, other) for other in faces):
                faces.append(face)
            if len(faces) == self._max_faces:
                break
        return tuple(faces)

    def close(self) -> None:
        """Free the models. May be called twice."""
        self._detector.close()
        self._landmarker.close()

    def _measure(self, image_bgr: U8Array, candidate: Candidate) -> FoundFace | None:
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        view = square_view_around(candidate.box_xyxy_px, size_wh, zoom_out=_LANDMARK_ZOOM_OUT)
        meshes = self._landmarker.find(view.cut(image_bgr))
        mesh = _best_fit(meshes, candidate.box_xyxy_px - np.tile(view.offset_px, 2))
        if mesh is None:
            return None
        return FoundFace(
            score=candidate.score,
            landmarks_px=mesh.landmarks_px + view.offset_px,
            blendshapes=mesh.blendshapes,
            pose_rad=rotation_to_euler(head_rotation(mesh.head_transform)),
        )


def _best_fit(meshes: tuple[FaceMesh, ...], box_xyxy: F32Array) -> FaceMesh | None:
    """Return the mesh that lies on the candidate, if any does."""
    fitting = [m for m in meshes if is_same_face(landmark_box(m.landmarks_px), box_xyxy)]
    return max(fitting, key=lambda m: box_iou(landmark_box(m.landmarks_px), box_xyxy), default=None)


def _is_same(a: FoundFace, b: FoundFace) -> bool:
    return is_same_face(landmark_box(a.landmarks_px), landmark_box(b.landmarks_px))
