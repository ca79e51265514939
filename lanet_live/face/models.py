"""Who runs the face models: the engine, network by network, or MediaPipe's own graph."""

from dataclasses import dataclass
from typing import Protocol

from lanet_engines.options import OpenOptions
from lanet_live.config import TrackerConfig
from lanet_live.face.mesh import Detector, FollowerPool, Landmarker
from lanet_live.processors import share_threads, usable_processors


@dataclass(frozen=True, slots=True)
class TrackerInfo:
    """What runs the face models, for the metadata and the status bar.

    Attributes:
        name: One of `lanet_live.config.TRACKERS`.
        runtime_version: Of OpenVINO or MediaPipe.
        device: As the runtime names it.
        precision: "fp32", or "fp16" on a device without it.
    """

    name: str
    runtime_version: str
    device: str
    precision: str


class FaceModels(Protocol):
    """Detectors, landmarkers and followers of one kind. Used by one thread at a time."""

    @property
    def info(self) -> TrackerInfo:
        """What runs them."""
        ...

    def open_detector(self, *, min_confidence: float) -> Detector:
        """Open a detector with a least confidence; closed by who asked for it."""
        ...

    def open_landmarker(
        self,
        *,
        max_faces: int,
        min_detection_confidence: float = 0.5,
        min_presence_confidence: float = 0.5,
    ) -> Landmarker:
        """Open a landmarker for single pictures; closed by who asked for it.

        Args:
            max_faces: At most this many, the surest ones.
            min_detection_confidence: Of its own detector.
            min_presence_confidence: Of the landmark network's own test for a face.
        """
        ...

    def open_followers(self) -> FollowerPool:
        """Open followers for one video; closed by who asked for them."""
        ...

    def close(self) -> None:
        """Free what they share. May be called twice."""
        ...


def open_face_models(config: TrackerConfig, *, with_blendshapes: bool = False) -> FaceModels:
    """Open the face models.

    Args:
        config: Which, and how.
        with_blendshapes: Meshes come with blendshapes; MediaPipe always makes them.

    Raises:
        FaceModelError: They cannot be opened.
        ValueError: There is no tracker of that name.
    """
    if config.name == "openvino":
        from lanet_live.face.networks.models import NetworkFaceModels

        options = OpenOptions(
            device=config.device,
            threads=config.threads or share_threads(usable_processors())[0],
        )
        return NetworkFaceModels(options, with_blendshapes=with_blendshapes)
    if config.name == "mediapipe":
        from lanet_live.face.mediapipe_models import MediaPipeFaceModels

        return MediaPipeFaceModels()
    raise ValueError(f"there is no tracker {config.name!r}")
