"""One landmarker that follows one face inside a fixed part of the frame."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.landmarker import FaceLandmarker, FaceMesh, RunningMode
from lanet_live.face.views import View

U8Array = NDArray[np.uint8]

_BLANK: Final = np.zeros((64, 64, 3), dtype=np.uint8)
_BLANK.setflags(write=False)


class Follower:
    """A VIDEO-mode landmarker for one face, and the view it looks at.

    With one face per landmarker MediaPipe runs its detector only until it has the face and again
    after it has lost it, and smooths the landmarks over time (One-Euro), which it does not do for
    several. In a view cut to the face it also finds faces too small for the whole frame.
    """

    def __init__(self) -> None:
        self._landmarker = FaceLandmarker(RunningMode.VIDEO, max_faces=1)
        self._view = View(0, 0, 1, 1)
        self._last_ms = -1
        self._holds_face = False

    @property
    def view(self) -> View:
        """The part of the frame it looks at."""
        return self._view

    def start(self, view: View) -> None:
        """Forget the face followed so far and look at another part of the frame."""
        if self._holds_face:
            # MediaPipe has no reset: it looks where the face was last. A blank picture there shows
            # no face, and the next picture is searched anew.
            self._run(_BLANK, self._last_ms + 1)
        self._view = view

    def follow(self, image_bgr: U8Array, *, clock_ms: int) -> FaceMesh | None:
        """Find the face in the next frame.

        Args:
            image_bgr: The whole frame, (H, W, 3) uint8.
            clock_ms: Source time; may repeat, which MediaPipe itself does not allow.

        Returns:
            The mesh in pixels of the frame; None while there is no face in the view.
        """
        mesh = self._run(self._view.cut(image_bgr), max(clock_ms, self._last_ms + 1))
        if mesh is None:
            return None
        return FaceMesh(
            landmarks_px=mesh.landmarks_px + self._view.offset_px,
            blendshapes=mesh.blendshapes,
            depth_px=mesh.depth_px,
        )

    def close(self) -> None:
        """Free the landmarker. May be called twice."""
        self._landmarker.close()

    def _run(self, image_bgr: U8Array, timestamp_ms: int) -> FaceMesh | None:
        self._last_ms = timestamp_ms
        meshes = self._landmarker.follow(image_bgr, timestamp_ms=timestamp_ms)
        self._holds_face = bool(meshes)
        return meshes[0] if meshes else None


class FollowerPool:
    """Followers waiting for a face: opening one takes a tenth of a second, starting it none."""

    def __init__(self, open_follower: Callable[[], Follower] = Follower) -> None:
        self._open_follower = open_follower
        self._opened: list[Follower] = []
        self._idle: list[Follower] = []
        # One is opened at once, so that the first face does not wait for it.
        self.give_back(self.take())

    def take(self) -> Follower:
        """Return an idle follower, or a new one."""
        if self._idle:
            return self._idle.pop()
        follower = self._open_follower()
        self._opened.append(follower)
        return follower

    def give_back(self, follower: Follower) -> None:
        """Keep a follower for the next face."""
        self._idle.append(follower)

    def close(self) -> None:
        """Free all followers, those taken as well. May be called twice."""
        while self._opened:
            self._opened.pop().close()
        self._idle.clear()
