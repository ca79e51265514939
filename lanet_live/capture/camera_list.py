"""Which cameras there are, by index and name."""

import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanet_live.capture.opencv_log import quiet_opencv

_SYSFS: Final = Path("/sys/class/video4linux")
_DEV: Final = Path("/dev")
# From linux/videodev2.h: VIDIOC_QUERYCAP and the capability bits of a node that delivers pictures.
_QUERY_CAPABILITIES: Final = 0x80685600
_CAPABILITIES_BYTES: Final = 104
_CAPABILITIES_AT: Final = 84
_HAS_DEVICE_CAPABILITIES: Final = 0x80000000
_CAPTURES: Final = 0x1 | 0x1000  # single and multi-planar
# Where a camera can only be found by opening it, each attempt may light its lamp and take seconds.
_MAX_TRIED: Final = 8
_MAX_MISSES: Final = 2


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One camera.

    Attributes:
        index: What `CameraSource` opens.
        name: As the system calls it.
    """

    index: int
    name: str


CameraProbe = Callable[[], Iterable[CameraInfo]]


def list_cameras(*, probe: CameraProbe | None = None) -> tuple[CameraInfo, ...]:
    """Return the cameras of this machine, by ascending index.

    Linux exposes their names; macOS and Windows only through a GUI toolkit, which this
    package must not import: the caller may hand in a `probe` that asks it. Without one, the first
    indices are opened one after the other and called "camera 0", "camera 1".

    Args:
        probe: Used instead of this module's own look.
    """
    if probe is None:
        probe = read_video4linux if sys.platform.startswith("linux") else open_one_by_one
    return tuple(sorted(probe(), key=lambda camera: camera.index))


def read_video4linux(
    sysfs: Path = _SYSFS, *, can_capture: Callable[[Path], bool] | None = None
) -> tuple[CameraInfo, ...]:
    """List the video4linux nodes that deliver pictures; a camera has other nodes besides.

    Args:
        sysfs: Where the kernel lists them.
        can_capture: Asks a device node; the default asks its driver.
    """
    can_capture = can_capture or _can_capture
    cameras = []
    for entry in sysfs.glob("video*"):
        digits = entry.name.removeprefix("video")
        if not digits.isdecimal() or not can_capture(_DEV / entry.name):
            continue
        try:
            name = (entry / "name").read_text(errors="replace").strip()
        except OSError:  # unplugged this very moment
            continue
        cameras.append(CameraInfo(int(digits), name or entry.name))
    return tuple(cameras)


def open_one_by_one() -> tuple[CameraInfo, ...]:
    """Find cameras by opening the first indices, until two in a row are missing."""
    import cv2

    cameras: list[CameraInfo] = []
    n_missed = 0
    with quiet_opencv():
        for index in range(_MAX_TRIED):
            capture = cv2.VideoCapture(index, preferred_backend())
            if capture.isOpened():
                cameras.append(CameraInfo(index, f"camera {index}"))
                n_missed = 0
            else:
                n_missed += 1
            capture.release()
            if n_missed == _MAX_MISSES:
                break
    return tuple(cameras)


def preferred_backend() -> int:
    """Return OpenCV's constant for the system's own way to its cameras.

    Named, so that no other backend is tried and prints its failure. On Windows that is DirectShow:
    Media Foundation takes up to minutes to open some cameras (opencv issues 17687, 26495, 27917).
    """
    import cv2

    backends = {"linux": cv2.CAP_V4L2, "darwin": cv2.CAP_AVFOUNDATION, "win32": cv2.CAP_DSHOW}
    backend: int = backends.get(sys.platform, cv2.CAP_ANY)
    return backend


def _can_capture(device: Path) -> bool:
    """Ask the driver. A node that may not be asked counts: opening it will say why."""
    import fcntl

    answer = bytearray(_CAPABILITIES_BYTES)
    try:
        with device.open("rb", buffering=0) as node:
            fcntl.ioctl(node, _QUERY_CAPABILITIES, answer)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    of_card, of_node = struct.unpack_from("=II", answer, _CAPABILITIES_AT)
    capabilities = of_node if of_card & _HAS_DEVICE_CAPABILITIES else of_card
    return bool(capabilities & _CAPTURES)
