"""Find the faces of one picture on its own: no memory, no identities."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.config import TrackerConfig
from lanet_live.face.agreement import NO_AGREEMENT, keypoint_disagreement
from lanet_live.face.found_face import FoundFace
from lanet_live.face.matching import is_same_face, landmark_box
from lanet_live.face.mesh import FaceMesh
from lanet_live.face.models import FaceModels, open_face_models
from lanet_live.face.portrait_finder import PortraitFinder
from lanet_live.face.pose import head_pose
from lanet_live.face.search import Candidate, look_closer, search
from lanet_live.face.views import View, coarse_views, fine_views, square_view_around

U8Array = NDArray[np.uint8]

# The landmarker looks at a square this many times as wide as the detector's box: the whole head
# with some air. A twisted or covered face that gets no mesh in one framing often gets it in another
# (of 300 pictures of FER+ Valid 93 % have one in the first, 97 % in one of several).
_LANDMARK_ZOOMS_OUT: Final = (2.5, 1.8, 3.5)
# Inside that square the landmarker repeats the detection; it must not lose what was already
# accepted, and its own presence test still throws out what is no face.
_REPEATED_DETECTION_CONFIDENCE: Final = 0.2
# A square around one face may show a neighbour too; the mesh that fits the candidate is taken.
_MESHES_PER_VIEW: Final = 3


class StillFaceFinder:
    """Faces, landmarks and head pose of single pictures.

    The detector searches the picture and overlapping tiles of it; each candidate is then measured
    by the landmarker in a square of its own. A picture in which nothing is found this way is looked
    at again as a portrait. Opened, used and closed in one thread.
    """

    def __init__(
        self,
        models: FaceModels | None = None,
        *,
        max_faces: int = 16,
        min_confidence: float = 0.5,
    ) -> None:
        """Open the models.

        Args:
            models: Who runs them, not closed with the finder; None opens the usual ones.
            max_faces: Keep at most this many, the surest ones.
            min_confidence: Least score of the detector; 0.2 finds more in tiny or blurred pictures
                that are known to show a face.
        """
        self._own_models = open_face_models(TrackerConfig()) if models is None else None
        models = self._own_models or models
        assert models is not None
        self._max_faces = max_faces
        self._detector = models.open_detector(min_confidence=min_confidence)
        self._landmarker = models.open_landmarker(
            max_faces=_MESHES_PER_VIEW,
            min_detection_confidence=min(min_confidence, _REPEATED_DETECTION_CONFIDENCE),
        )
        self._portraits = PortraitFinder(models)

    def find(self, image_bgr: U8Array) -> tuple[FoundFace, ...]:
        """Find the faces of a picture.

        Args:
            image_bgr: (H, W, 3) uint8.

        Returns:
            The faces, the detector's surest first.

        Raises:
            FaceModelError: The face models failed.
        """
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        views = (*coarse_views(size_wh), *fine_views(size_wh))
        faces: list[FoundFace] = []
        for candidate in search(self._detector, image_bgr, views):
            face = self._measure(image_bgr, candidate)
            if face is not None and not any(_is_same(face, other) for other in faces):
                faces.append(face)
            if len(faces) == self._max_faces:
                break
        if not faces:
            face = self._portraits.find(image_bgr)
            return () if face is None else (face,)
        return tuple(faces)

    def close(self) -> None:
        """Free the models. May be called twice."""
        self._detector.close()
        self._landmarker.close()
        self._portraits.close()
        if self._own_models is not None:
            self._own_models.close()

    def _measure(self, image_bgr: U8Array, candidate: Candidate) -> FoundFace | None:
        """Put a mesh on a candidate; None when no mesh agrees with it."""
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        views = [
            square_view_around(candidate.box_xyxy_px, size_wh, zoom_out=zoom_out)
            for zoom_out in _LANDMARK_ZOOMS_OUT
        ]
        for view in dict.fromkeys(views):  # In a small picture they are all the whole.
            mesh = self._mesh_in(image_bgr, view, candidate)
            if mesh is None:
                continue
            landmarks = mesh.landmarks_px + view.offset_px
            score = look_closer(self._detector, image_bgr, landmarks)
            if score > 0:
                return FoundFace(
                    score=score,
                    landmarks_px=landmarks,
                    blendshapes=mesh.blendshapes,
                    pose_rad=head_pose(mesh.landmarks_px, mesh.depth_px),
                )
        return None

    def _mesh_in(self, image_bgr: U8Array, view: View, candidate: Candidate) -> FaceMesh | None:
        meshes = self._landmarker.find(view.cut(image_bgr))
        keypoints = candidate.keypoints_px - view.offset_px
        errors = [keypoint_disagreement(keypoints, mesh.landmarks_px) for mesh in meshes]
        if not errors or min(errors) >= NO_AGREEMENT:
            return None
        return meshes[int(np.argmin(errors))]


def _is_same(a: FoundFace, b: FoundFace) -> bool:
    return is_same_face(landmark_box(a.landmarks_px), landmark_box(b.landmarks_px))
