"""Cameras, through OpenCV."""

import math
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from lanet_live.capture.base import DetailValue, SourceFacts, SourceReport
from lanet_live.capture.camera_list import CameraInfo, list_cameras, preferred_backend
from lanet_live.capture.opencv_log import quiet_opencv
from lanet_live.errors import SourceLost, SourceUnavailable
from lanet_live.records import Frame, U8Array

__all__ = ["CameraInfo", "CameraSource", "CaptureHandle", "list_cameras"]

# A driver may fail on a single picture, e.g. while it changes the exposure.
_MAX_FAILED_GRABS: Final = 3
# USB 2 carries uncompressed pictures at full rate up to about this size; above, ask for JPEG.
_MAX_UNCOMPRESSED_PIXELS: Final = 640 * 480
_MAX_FPS: Final = 1000.0


class CaptureHandle(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def isOpened(self) -> bool:
        """Whether the camera is open."""
        ...

    def grab(self) -> bool:
        """Wait for the next picture."""
        ...

    def retrieve(self) -> tuple[bool, U8Array | None]:
        """Decode the picture that was grabbed."""
        ...

    def get(self, prop: int) -> float:
        """Read a property."""
        ...

    def set(self, prop: int, value: float) -> bool:
        """Change a property."""
        ...

    def release(self) -> None:
        """Close the camera."""
        ...


OpenCapture = Callable[[int], CaptureHandle]


class CameraSource:
    """Reads a camera. Frames are lost if nobody reads.

    Time runs from the first frame that is read; each is stamped when the driver hands it over,
    before it is decoded.

    Args:
        camera: Index, or a part of the name as `list_cameras` gives it.
        size_wh: Picture size to ask for; the camera may choose another. None leaves it the choice.
        open_capture: Opens a camera by index.
        cameras: Lists the cameras, to find one by name.
    """

    def __init__(
        self,
        camera: int | str = 0,
        *,
        size_wh: tuple[int, int] | None = None,
        open_capture: OpenCapture | None = None,
        cameras: Callable[[], tuple[CameraInfo, ...]] = list_cameras,
    ) -> None:
        self._camera = camera
        self._size_wh = size_wh
        self._open_capture = open_capture or _open_with_opencv
        self._cameras = cameras
        self._handle: CaptureHandle | None = None
        self._source_id = f"camera {camera}"
        self._zero_s: float | None = None
        self._index = 0

    def open(self) -> SourceFacts:
        """Open the camera and look at one picture, which is not handed out.

        Raises:
            SourceUnavailable: There is no such camera, or it delivers nothing.
        """
        index = self._find_index()
        with quiet_opencv():
            handle = self._handle = self._open_capture(index)
            if not handle.isOpened():
                self.close()
                raise SourceUnavailable(_why_not_open(index))
            self._ask_for_size(handle)
        picture = self._grab()
        if picture is None:
            self.close()
            raise SourceUnavailable(
                f"Camera {index} delivers no picture; close other programs that use it, or "
                "unplug it and plug it in again."
            )
        height, width = picture[0].shape[:2]
        return self._facts(index, (width, height))

    def read(self) -> Frame | None:
        """Wait for the next frame; None once the camera is closed.

        Raises:
            SourceLost: The camera vanished.
        """
        if self._handle is None:
            return None
        picture = self._grab()
        if picture is None:
            raise SourceLost(f"The {self._source_id} delivers no more pictures; was it unplugged?")
        image, captured_at_s = picture
        if self._zero_s is None:
            self._zero_s = captured_at_s
        frame = Frame(
            image_bgr=image,
            index=self._index,
            timestamp_s=captured_at_s - self._zero_s,
            captured_at_s=captured_at_s,
            source_id=self._source_id,
        )
        self._index += 1
        return frame

    def report(self) -> SourceReport:
        """Report how many frames were read."""
        return SourceReport(n_decoded=self._index)

    def close(self) -> None:
        """Release the camera. May be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.release()

    def _find_index(self) -> int:
        """Take an index as it is; find a name among the cameras, an exact one before a part."""
        wanted = str(self._camera).strip()
        if wanted.isdecimal():
            return int(wanted)
        cameras = self._cameras()
        named = [camera for camera in cameras if camera.name.casefold() == wanted.casefold()]
        named = named or [c for c in cameras if wanted and wanted.casefold() in c.name.casefold()]
        if len(named) == 1:
            return named[0].index
        seen = ", ".join(f"{camera.index}: {camera.name}" for camera in named or cameras)
        if named:
            raise SourceUnavailable(f"More than one camera is called {wanted!r} ({seen}).")
        raise SourceUnavailable(
            f"There is no camera called {wanted!r} "
            + (f"(there are {seen})." if seen else "(no camera was found).")
        )

    def _ask_for_size(self, handle: CaptureHandle) -> None:
        import cv2

        if self._size_wh is None:
            return
        width, height = self._size_wh
        if width * height > _MAX_UNCOMPRESSED_PIXELS:
            handle.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        handle.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        handle.set(cv2.CAP_PROP_FRAME_HEIGHT, height)

    def _grab(self) -> tuple[U8Array, float] | None:
        """Return a picture, (H, W, 3) read-only, and when it came; None if none comes."""
        handle = self._handle
        if handle is None:
            return None
        with quiet_opencv():
            for _ in range(_MAX_FAILED_GRABS):
                if not handle.grab():
                    continue
                captured_at_s = time.perf_counter()
                is_good, image = handle.retrieve()
                if is_good and image is not None and image.size:
                    image = _as_bgr(image)
                    image.flags.writeable = False
                    return image, captured_at_s
        return None

    def _facts(self, index: int, size_wh: tuple[int, int]) -> SourceFacts:
        import cv2

        if self._handle is None:
            raise ValueError("the camera is closed")
        fps = self._handle.get(cv2.CAP_PROP_FPS)
        details: dict[str, DetailValue] = {"camera_index": index}
        if self._size_wh and self._size_wh != size_wh:
            details["asked_size"] = f"{self._size_wh[0]}x{self._size_wh[1]}"
        return SourceFacts(
            source_id=self._source_id,
            kind="camera",
            width_px=size_wh[0],
            height_px=size_wh[1],
            nominal_fps=fps if math.isfinite(fps) and 0 < fps <= _MAX_FPS else None,
            n_frames_expected=None,
            duration_s=None,
            is_live=True,
            has_independent_frames=False,
            details=details,
        )


def _open_with_opencv(index: int) -> CaptureHandle:
    import cv2

    handle: CaptureHandle = cv2.VideoCapture(index, preferred_backend())
    return handle


def _why_not_open(index: int) -> str:
    if platform.system() == "Linux":
        if not Path(f"/dev/video{index}").exists():
            return f"There is no camera {index}; lanet-live --list-cameras shows which there are."
        return (
            f"Camera {index} could not be opened; another program may be using it, or this user "
            "may not (on most systems the group 'video' may)."
        )
    return (
        f"Camera {index} could not be opened; it is not there, another program is using it, or "
        "the system's privacy settings forbid it."
    )


def _as_bgr(image: U8Array) -> U8Array:
    """Bring what a camera may deliver, grey or with alpha, to (H, W, 3)."""
    import cv2

    if image.ndim == 3 and image.shape[2] == 3:
        return image
    has_alpha = image.ndim == 3 and image.shape[2] == 4
    code = cv2.COLOR_BGRA2BGR if has_alpha else cv2.COLOR_GRAY2BGR
    converted: U8Array = cv2.cvtColor(image, code)
    return converted
