"""Landmarks of the faces in single pictures: detector first, then all meshes in one batch."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.mesh import FaceMesh
from lanet_live.face.networks.bundle import FaceNetworks
from lanet_live.face.networks.detector import NetworkDetector
from lanet_live.face.networks.region import region_of_detection

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# MediaPipe's landmarker merges detections less eagerly than its detector task.
MAX_OVERLAP: Final = 0.5


class NetworkLandmarker:
    """Landmarks and, if they are asked for, blendshapes; see `FaceModels.open_landmarker`."""

    def __init__(
        self,
        networks: FaceNetworks,
        *,
        max_faces: int,
        min_detection_confidence: float,
        min_presence_confidence: float,
        with_blendshapes: bool,
    ) -> None:
        self._networks = networks
        self._detector = NetworkDetector(
            networks, min_confidence=min_detection_confidence, max_overlap=MAX_OVERLAP
        )
        self._max_faces = max_faces
        self._min_presence = min_presence_confidence
        self._with_blendshapes = with_blendshapes

    def find(self, image_bgr: U8Array) -> tuple[FaceMesh, ...]:
        """Find and measure the faces of a picture, (H, W, 3) uint8, the surest first."""
        detections = self._detector.detect(image_bgr)[: self._max_faces]
        if not detections:
            return ()
        regions = [region_of_detection(d.box_xyxy_px, d.keypoints_px) for d in detections]
        meshes, presences = self._networks.find_meshes(image_bgr, regions)
        return tuple(
            make_mesh(self._networks, points, with_blendshapes=self._with_blendshapes)
            for points in meshes[presences >= self._min_presence]
        )

    def close(self) -> None:
        """Do nothing: the networks belong to who opened them."""


def make_mesh(networks: FaceNetworks, points: F32Array, *, with_blendshapes: bool) -> FaceMesh:
    """Return the record of a mesh (478, 3)."""
    landmarks = np.ascontiguousarray(points[:, :2])
    return FaceMesh(
        landmarks_px=landmarks,
        blendshapes=networks.blendshapes(landmarks) if with_blendshapes else None,
        depth_px=np.ascontiguousarray(points[:, 2]),
    )
