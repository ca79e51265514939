"""Pictures of a folder, one frame each."""

import math
import re
import time
from pathlib import Path
from typing import Final

import numpy as np

from lanet_live.capture.base import DetailValue, SourceFacts, SourceReport
from lanet_live.capture.image_header import read_image_size_wh
from lanet_live.capture.opencv_log import quiet_opencv
from lanet_live.errors import SourceUnavailable
from lanet_live.records import Frame, U8Array

SUFFIXES: Final = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff")
# Pictures a user would miss if they were passed over without a word.
_OTHER_PICTURES: Final = (".heic", ".heif", ".avif", ".gif", ".jp2", ".jxl", ".dng", ".cr2", ".nef")
# The largest phone cameras reach 200 megapixels; in memory that is 600 MB.
_MAX_PIXELS: Final = 200_000_000
_MAX_FILE_BYTES: Final = 512_000_000


class ImageFolderSource:
    """Reads the pictures of a folder in natural order (2 before 10), or one picture file.

    Pictures stand upright by their EXIF orientation and may differ in size. No time runs between
    them: `Frame.timestamp_s` is NaN, to be written as an empty value. `Frame.source_id` is the
    picture's name, `Frame.index` counts the pictures that could be read; `report` lists their names
    in that order, and those that had to be skipped.

    Args:
        path: The folder, searched without its subfolders, or one picture.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._waiting: list[Path] = []
        self._first: Frame | None = None
        self._read_names: list[str] = []
        self._skipped_names: list[str] = []
        self._other_names: list[str] = []

    def open(self) -> SourceFacts:
        """List the pictures and read the first one.

        Raises:
            SourceUnavailable: There is no such folder, or no picture in it can be read.
        """
        pictures, self._other_names = _list_pictures(self._path)
        self._waiting = pictures[::-1]
        self._first = first = self._next_frame()
        if first is None:
            self.close()
            raise SourceUnavailable(self._why_nothing())
        height, width = first.image_bgr.shape[:2]
        return SourceFacts(
            source_id=self._path.name,
            kind="images",
            width_px=width,
            height_px=height,
            nominal_fps=None,
            n_frames_expected=len(pictures),
            duration_s=None,
            is_live=False,
            has_independent_frames=True,
            details={"n_pictures": len(pictures)},
        )

    def read(self) -> Frame | None:
        """Return the next picture that can be read, or None at the end."""
        if self._first is not None:
            frame, self._first = self._first, None
            return frame
        return self._next_frame()

    def report(self) -> SourceReport:
        """Report which pictures were read, in the order of their frames, and which were skipped."""
        details: dict[str, DetailValue] = {"pictures": tuple(self._read_names)}
        warnings = []
        if self._skipped_names:
            details["skipped_pictures"] = tuple(self._skipped_names)
            warnings.append(
                f"Pictures of {self._path.name} that could not be read: "
                f"{len(self._skipped_names)} ({_some(self._skipped_names)}); they were skipped."
            )
        if self._other_names:
            details["n_other_pictures"] = len(self._other_names)
            warnings.append(
                f"Pictures of {self._path.name} of a kind not read here: {len(self._other_names)} "
                f"({_some(self._other_names)}); convert them to JPEG or PNG."
            )
        return SourceReport(
            n_decoded=len(self._read_names), details=details, warnings=tuple(warnings)
        )

    def close(self) -> None:
        """Forget the pictures not read. May be called twice."""
        self._waiting = []
        self._first = None

    def _next_frame(self) -> Frame | None:
        while self._waiting:
            path = self._waiting.pop()
            image = _read_image(path)
            if image is None:
                self._skipped_names.append(path.name)
                continue
            self._read_names.append(path.name)
            return Frame(
                image_bgr=image,
                index=len(self._read_names) - 1,
                timestamp_s=math.nan,
                captured_at_s=time.perf_counter(),
                source_id=path.name,
            )
        return None

    def _why_nothing(self) -> str:
        if self._skipped_names and self._path.is_file():
            return f"{self._path} is not a picture that can be read."
        if self._skipped_names:
            return f"No picture in {self._path} can be read ({_some(self._skipped_names)})."
        return f"There is no picture in {self._path}; looked for {', '.join(SUFFIXES)}."


def _list_pictures(path: Path) -> tuple[list[Path], list[str]]:
    """Return the pictures in natural order, and names of pictures of kinds not read here."""
    if path.is_file():
        return [path], []
    if not path.exists():
        raise SourceUnavailable(f"There is no folder or picture {path}; check the name.")
    try:
        files = [entry for entry in path.iterdir() if entry.is_file()]
    except OSError as error:
        raise SourceUnavailable(
            f"The folder {path} cannot be read ({error.strerror}); check its permissions."
        ) from error
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    others = [file.name for file in files if file.suffix.lower() in _OTHER_PICTURES]
    return sorted(pictures, key=_natural_order), sorted(others)


def _natural_order(path: Path) -> tuple[list[tuple[str, int]], str]:
    """Compare runs of digits by value: img2 comes before img10."""
    pieces = re.findall(r"([^0-9]*)([0-9]*)", path.name.casefold())
    return [(text, int(digits or -1)) for text, digits in pieces], path.name


def _read_image(path: Path) -> U8Array | None:
    """Decode a picture upright, (H, W, 3) BGR, read-only; None if it cannot be read."""
    import cv2

    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    size_wh = read_image_size_wh(data)
    if size_wh is None or not 0 < size_wh[0] * size_wh[1] <= _MAX_PIXELS:
        return None
    with quiet_opencv():
        try:
            # From memory: on Windows OpenCV opens no file whose name is not plain ASCII.
            image: U8Array | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            return None
    if image is not None:
        image.flags.writeable = False
    return image


def _some(names: list[str]) -> str:
    """Name a few and count the rest."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
