"""MediaPipe's graph as face models: the tracker named "mediapipe"."""

from importlib.metadata import version

from lanet_live.face.follower import ThreadedFollowerPool
from lanet_live.face.landmarker import FaceDetector, FaceLandmarker, RunningMode
from lanet_live.face.models import TrackerInfo


class MediaPipeFaceModels:
    """Opens MediaPipe tasks; see `lanet_live.face.models.FaceModels`."""

    @property
    def info(self) -> TrackerInfo:
        """What runs them."""
        return TrackerInfo("mediapipe", version("mediapipe"), "CPU", "fp32")

    def open_detector(self, *, min_confidence: float) -> FaceDetector:
        """Open a detector with a least confidence."""
        return FaceDetector(min_confidence=min_confidence)

    def open_landmarker(
        self,
        *,
        max_faces: int,
        min_detection_confidence: float = 0.5,
        min_presence_confidence: float = 0.5,
    ) -> FaceLandmarker:
        """Open a landmarker for single pictures."""
        return FaceLandmarker(
            RunningMode.IMAGE,
            max_faces=max_faces,
            min_detection_confidence=min_detection_confidence,
            min_presence_confidence=min_presence_confidence,
        )

    def open_followers(self) -> ThreadedFollowerPool:
        """Open followers for one video."""
        return ThreadedFollowerPool()

    def close(self) -> None:
        """Do nothing: each task is closed by who opened it."""
