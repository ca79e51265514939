"""Faces followed from frame to frame, all of them in one batch.

Each face is looked for where its last landmarks were. When the landmark network finds no face
there, the detector looks at the face's view in the same frame.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.mesh import FaceMesh, Follower
from lanet_live.face.networks.bundle import FaceNetworks
from lanet_live.face.networks.detector import NetworkDetector
from lanet_live.face.networks.landmarker import MAX_OVERLAP, make_mesh
from lanet_live.face.networks.region import Region, region_of_detection, region_of_landmarks
from lanet_live.face.networks.smoothing import OneEuroFilter, face_size
from lanet_live.face.views import View

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# The landmark network's own test, and the detector's, as in MediaPipe's video mode.
_LEAST_PRESENCE: Final = 0.5
_LEAST_CONFIDENCE: Final = 0.5


class NetworkFollower:
    """Where one face was last, and its smoothing."""

    def __init__(self) -> None:
        self.view = View(0, 0, 1, 1)
        self.region: Region | None = None
        self._filter = OneEuroFilter()

    def start(self, view: View) -> None:
        """Forget the face followed so far and look at another part of the frame."""
        self.view = view
        self.lose()

    def lose(self) -> None:
        """Forget where the face was."""
        self.region = None
        self._filter = OneEuroFilter()

    def take_over(self, points: F32Array, now_s: float) -> F32Array:
        """Go on from a mesh (478, 3); returns it smoothed."""
        self.region = region_of_landmarks(points[:, :2])
        return self._filter.update(points, now_s=now_s, scale=face_size(points[:, :2]))


class NetworkFollowerPool:
    """Follows faces with the networks; see `lanet_live.face.mesh.FollowerPool`."""

    def __init__(self, networks: FaceNetworks, *, with_blendshapes: bool) -> None:
        self._networks = networks
        self._with_blendshapes = with_blendshapes
        self._detector = NetworkDetector(
            networks, min_confidence=_LEAST_CONFIDENCE, max_overlap=MAX_OVERLAP
        )

    def take(self) -> NetworkFollower:
        """Return a new follower: it costs nothing."""
        return NetworkFollower()

    def give_back(self, follower: Follower) -> None:
        """Do nothing: a follower holds nothing."""

    def follow(
        self, followers: Sequence[Follower], image_bgr: U8Array, *, clock_ms: int
    ) -> list[FaceMesh | None]:
        """Find the face of each follower in the next frame."""
        own = [_own(follower) for follower in followers]
        found: dict[int, F32Array] = {}
        with_region = [i for i, follower in enumerate(own) if follower.region is not None]
        self._measure(own, with_region, image_bgr, found)
        lost = [i for i in range(len(own)) if i not in found]
        for i in lost:
            own[i].lose()
            own[i].region = self._detect(image_bgr, own[i].view)
        self._measure(own, [i for i in lost if own[i].region is not None], image_bgr, found)
        for i in lost:
            if i not in found:
                own[i].lose()
        return [
            self._mesh(follower, found[i], clock_ms / 1000) if i in found else None
            for i, follower in enumerate(own)
        ]

    def change_view(
        self,
        follower: Follower,
        view: View,
        image_bgr: U8Array,
        *,
        clock_ms: int,
        is_same: Callable[[FaceMesh], bool],
    ) -> Follower:
        """Note where to look for the face when it is lost; it is followed wherever it goes."""
        _own(follower).view = view
        return follower

    def close(self) -> None:
        """Do nothing: the networks belong to who opened them."""

    def _measure(
        self,
        followers: list[NetworkFollower],
        places: list[int],
        image_bgr: U8Array,
        found: dict[int, F32Array],
    ) -> None:
        """Measure the faces in the regions of some followers; notes the meshes found."""
        regions = [region for i in places if (region := followers[i].region) is not None]
        if not regions:
            return
        meshes, presences = self._networks.find_meshes(image_bgr, regions)
        for i, points, presence in zip(places, meshes, presences, strict=True):
            if presence >= _LEAST_PRESENCE:
                found[i] = points

    def _detect(self, image_bgr: U8Array, view: View) -> Region | None:
        detections = self._detector.detect(view.cut(image_bgr))
        if not detections:
            return None
        offset = view.offset_px
        best = detections[0]
        return region_of_detection(
            best.box_xyxy_px + np.tile(offset, 2), best.keypoints_px + offset
        )

    def _mesh(self, follower: NetworkFollower, points: F32Array, now_s: float) -> FaceMesh:
        smoothed = follower.take_over(points, now_s)
        return make_mesh(self._networks, smoothed, with_blendshapes=self._with_blendshapes)


def _own(follower: Follower) -> NetworkFollower:
    if not isinstance(follower, NetworkFollower):
        raise TypeError("the follower was not taken from this pool")
    return follower
