"""What the face models return, on any runtime: meshes, detections, and who provides them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.views import View

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

BLENDSHAPE_NAMES: Final[tuple[str, ...]] = (
    "_neutral",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
)


@dataclass(frozen=True, slots=True)
class FaceMesh:
    """What a landmarker says of one face.

    Attributes:
        landmarks_px: (478, 2) float32, continuous pixels of the picture given.
        blendshapes: (52,) float32, 0 to 1, in the order of `BLENDSHAPE_NAMES`; None when they were
            not asked for.
        depth_px: (478,) float32, in the same unit, growing away from the viewer; only differences
            mean something.
    """

    landmarks_px: F32Array
    blendshapes: F32Array | None
    depth_px: F32Array


@dataclass(frozen=True, slots=True)
class FaceDetection:
    """One answer of the face detector.

    Attributes:
        box_xyxy_px: Brow to chin, square, (4,) float32, pixels of the picture given.
        keypoints_px: Right eye, left eye, nose tip, mouth, right ear, left ear of the person,
            (6, 2) float32.
        score: The detector's own confidence, 0 to 1.
    """

    box_xyxy_px: F32Array
    keypoints_px: F32Array
    score: float


class Detector(Protocol):
    """Finds faces and says how sure it is."""

    def detect(self, image_bgr: U8Array) -> tuple[FaceDetection, ...]:
        """Find faces wider than about an eighth of the picture, (H, W, 3) uint8."""
        ...

    def close(self) -> None:
        """Free the model. May be called twice."""
        ...


class Landmarker(Protocol):
    """Measures the faces of single pictures."""

    def find(self, image_bgr: U8Array) -> tuple[FaceMesh, ...]:
        """Find and measure the faces of a picture, (H, W, 3) uint8."""
        ...

    def close(self) -> None:
        """Free the model. May be called twice."""
        ...


class Follower(Protocol):
    """Follows one face inside a part of the frame."""

    @property
    def view(self) -> View:
        """The part of the frame it looks at."""
        ...

    def start(self, view: View) -> None:
        """Forget the face followed so far and look at another part of the frame."""
        ...


class FollowerPool(Protocol):
    """Followers waiting for faces, and what follows with them."""

    def take(self) -> Follower:
        """Return an idle follower, or a new one."""
        ...

    def give_back(self, follower: Follower) -> None:
        """Keep a follower for the next face."""
        ...

    def follow(
        self, followers: Sequence[Follower], image_bgr: U8Array, *, clock_ms: int
    ) -> list[FaceMesh | None]:
        """Find the face of each follower in the next frame.

        Args:
            followers: Taken from here.
            image_bgr: The whole frame, (H, W, 3) uint8.
            clock_ms: Source time; never goes backwards.

        Returns:
            The meshes in pixels of the frame; None where there is no face in the view.
        """
        ...

    def change_view(
        self,
        follower: Follower,
        view: View,
        image_bgr: U8Array,
        *,
        clock_ms: int,
        is_same: Callable[[FaceMesh], bool],
    ) -> Follower:
        """Let a face be followed in another part of the frame from now on.

        Args:
            follower: Who follows it.
            view: The other part.
            image_bgr: The frame at hand.
            clock_ms: Its time.
            is_same: Whether a mesh found in the other part is the face's.

        Returns:
            Who follows it from now on; the same as before when the face is not found in that part.
        """
        ...

    def close(self) -> None:
        """Free all followers, those taken as well. May be called twice."""
        ...
