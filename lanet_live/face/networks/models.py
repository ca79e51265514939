"""The networks as face models: the tracker named "openvino"."""

from lanet_engines.options import OpenOptions
from lanet_live.face.models import TrackerInfo
from lanet_live.face.networks.bundle import FaceNetworks
from lanet_live.face.networks.detector import NetworkDetector
from lanet_live.face.networks.follower import NetworkFollowerPool
from lanet_live.face.networks.landmarker import NetworkLandmarker


class NetworkFaceModels:
    """Detectors, landmarkers and followers that share three networks.

    Args:
        options: Precision, device and threads of the networks.
        with_blendshapes: Meshes come with blendshapes.

    Raises:
        FaceModelError: The networks cannot be opened.
    """

    def __init__(self, options: OpenOptions, *, with_blendshapes: bool) -> None:
        self._networks = FaceNetworks(options)
        self._with_blendshapes = with_blendshapes

    @property
    def info(self) -> TrackerInfo:
        """What runs them."""
        engine = self._networks.info
        return TrackerInfo(engine.backend, engine.runtime_version, engine.device, engine.precision)

    def open_detector(self, *, min_confidence: float) -> NetworkDetector:
        """Return a detector with a least confidence."""
        return NetworkDetector(self._networks, min_confidence=min_confidence)

    def open_landmarker(
        self,
        *,
        max_faces: int,
        min_detection_confidence: float = 0.5,
        min_presence_confidence: float = 0.5,
    ) -> NetworkLandmarker:
        """Return a landmarker for single pictures."""
        return NetworkLandmarker(
            self._networks,
            max_faces=max_faces,
            min_detection_confidence=min_detection_confidence,
            min_presence_confidence=min_presence_confidence,
            with_blendshapes=self._with_blendshapes,
        )

    def open_followers(self) -> NetworkFollowerPool:
        """Return followers for a video."""
        return NetworkFollowerPool(self._networks, with_blendshapes=self._with_blendshapes)

    def close(self) -> None:
        """Free the networks. May be called twice."""
        self._networks.close()
