"""The cameras by name, kept up to date as they come and go.

OpenCV opens cameras by index and knows no names; Qt knows names and signals when a camera comes or
goes, but no index. On Linux both speak of ``/dev/videoN``, so `list_cameras` answers and Qt only
says when to ask again. On macOS and Windows the place in Qt's list is taken as the index:
AVFoundation and DirectShow list cameras in the same order as a rule, but where two devices swap
places the picture shows it at once and the other entry is the one wanted.
"""

import logging
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal

from lanet_live.capture.camera_list import CameraInfo, list_cameras

if TYPE_CHECKING:
    from PySide6.QtMultimedia import QCameraDevice, QMediaDevices

logger = logging.getLogger(__name__)

# Offered where a camera does not report its sizes.
_COMMON_SIZES: Final = ((640, 480), (1280, 720), (1920, 1080))
_MAX_SIZES: Final = 8


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """One camera as the menu lists it.

    Attributes:
        info: Its index and name.
        sizes_wh: Picture sizes it offers, smallest first.
    """

    info: CameraInfo
    sizes_wh: tuple[tuple[int, int], ...]


class CameraList(QObject):
    """Asks for the cameras when first needed, and signals when the list changes."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._devices: QMediaDevices | None = None
        self._is_watch_tried = False

    def choices(self) -> tuple[CameraChoice, ...]:
        """Return the cameras of this moment."""
        devices = self._watch()
        inputs = devices.videoInputs() if devices is not None else []
        by_index = {_index_of(device, place): device for place, device in enumerate(inputs)}
        if devices is None or sys.platform.startswith("linux"):
            infos = list_cameras()
        else:
            infos = list_cameras(
                probe=lambda: [CameraInfo(i, d.description()) for i, d in by_index.items()]
            )
        return tuple(CameraChoice(info, _sizes(by_index.get(info.index))) for info in infos)

    def _watch(self) -> "QMediaDevices | None":
        """Return what knows names and signals changes; None where Qt's multimedia is missing."""
        if self._devices is None and not self._is_watch_tried:
            self._is_watch_tried = True
            try:
                # Imported here: it loads plugins, which a start need not wait for.
                from PySide6.QtMultimedia import QMediaDevices
            except ImportError as error:
                logger.warning("cameras that come or go are not noticed: %s", error)
                return None
            self._devices = QMediaDevices(self)
            self._devices.videoInputsChanged.connect(self.changed)
        return self._devices


def _index_of(device: "QCameraDevice", place: int) -> int:
    """Return OpenCV's index: the number in ``/dev/videoN``, or the place in Qt's list."""
    match = re.fullmatch(r"/dev/video(\d+)", bytes(device.id().data()).decode(errors="replace"))
    return int(match.group(1)) if match else place


def _sizes(device: "QCameraDevice | None") -> tuple[tuple[int, int], ...]:
    if device is None:
        return _COMMON_SIZES
    found = {(f.resolution().width(), f.resolution().height()) for f in device.videoFormats()}
    return tuple(sorted(found)[-_MAX_SIZES:]) or _COMMON_SIZES
