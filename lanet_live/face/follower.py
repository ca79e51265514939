"""MediaPipe landmarkers that each follow one face inside a fixed part of the frame."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.landmarker import FaceLandmarker, RunningMode
from lanet_live.face.mesh import FaceMesh, Follower
from lanet_live.face.views import View

U8Array = NDArray[np.uint8]

_BLANK: Final = np.zeros((64, 64, 3), dtype=np.uint8)
_BLANK.setflags(write=False)
_MAX_THREADS: Final = 4


class MediaPipeFollower:
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


class ThreadedFollowerPool:
    """Followers waiting for a face: opening one takes a tenth of a second, starting it none.

    Several faces are followed at once: MediaPipe works outside Python's lock.
    """

    def __init__(self, open_follower: Callable[[], MediaPipeFollower] = MediaPipeFollower) -> None:
        self._open_follower = open_follower
        self._opened: list[MediaPipeFollower] = []
        self._idle: list[MediaPipeFollower] = []
        self._threads = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="lanet-face")
        # One is opened at once, so that the first face does not wait for it.
        self.give_back(self.take())

    def take(self) -> MediaPipeFollower:
        """Return an idle follower, or a new one."""
        if self._idle:
            return self._idle.pop()
        follower = self._open_follower()
        self._opened.append(follower)
        return follower

    def give_back(self, follower: Follower) -> None:
        """Keep a follower for the next face."""
        self._idle.append(self._own(follower))

    def follow(
        self, followers: Sequence[Follower], image_bgr: U8Array, *, clock_ms: int
    ) -> list[FaceMesh | None]:
        """Find the face of each follower in the next frame."""
        run_all = map if len(followers) < 2 else self._threads.map
        own = [self._own(follower) for follower in followers]
        return list(run_all(lambda one: one.follow(image_bgr, clock_ms=clock_ms), own))

    def change_view(
        self,
        follower: Follower,
        view: View,
        image_bgr: U8Array,
        *,
        clock_ms: int,
        is_same: Callable[[FaceMesh], bool],
    ) -> Follower:
        """Hand the face to a follower that looks at another part, if it finds it there at once."""
        other = self.take()
        other.start(view)
        mesh = other.follow(image_bgr, clock_ms=clock_ms)
        is_found = mesh is not None and is_same(mesh)
        self.give_back(follower if is_found else other)
        return other if is_found else follower

    def close(self) -> None:
        """Free all followers, those taken as well. May be called twice."""
        while self._opened:
            self._opened.pop().close()
        self._idle.clear()
        self._threads.shutdown()

    def _own(self, follower: Follower) -> MediaPipeFollower:
        return next(one for one in self._opened if one is follower)
