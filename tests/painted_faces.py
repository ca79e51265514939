"""A world of painted faces, and a detector and followers that find them in the pixels.

They stand in for MediaPipe: every person is a square of one red level with a texture of their own
in the green channel, so that numbers, views and looks are tested on real pictures.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from lanet_live.face.agreement import _MESH_PAIRS
from lanet_live.face.matching import landmark_box
from lanet_live.face.mesh import FaceDetection, FaceMesh
from lanet_live.face.views import View
from lanet_live.records import Frame
from tests.fakes import make_landmarks

# Fraction of a view a face must fill to be detected.
LEAST_SHARE = 0.1


@dataclass(frozen=True)
class Person:
    """Somebody at a place: `name` (0, 1, 2...) fixes the looks."""

    name: int
    x: float
    y: float
    side_px: int = 80
    is_half_hidden: bool = False


def paint(people: Iterable[Person], size_wh=(640, 360), background: int = 90) -> np.ndarray:
    image = np.full((size_wh[1], size_wh[0], 3), background, np.uint8)
    image[:, :, 2] = 0
    for person in people:
        texture = np.random.default_rng(person.name).integers(0, 255, (12, 12), dtype=np.uint8)
        side = person.side_px
        face = np.zeros((side, side, 3), np.uint8)
        face[:, :, 1] = cv2.resize(texture, (side, side), interpolation=cv2.INTER_CUBIC)
        face[:, :, 2] = 100 + person.name
        if person.is_half_hidden:
            face[:, side // 2 :, 1] = 30
        left, top = round(person.x - side / 2), round(person.y - side / 2)
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(size_wh[0], left + side), min(size_wh[1], top + side)
        if x0 < x1 and y0 < y1:
            image[y0:y1, x0:x1] = face[y0 - top : y1 - top, x0 - left : x1 - left]
    return image


def frame_of(people: Iterable[Person], index: int, *, fps: float = 30.0, **painting) -> Frame:
    return Frame(paint(people, **painting), index, index / fps, 0.0, "painted")


@dataclass(frozen=True)
class Seen:
    landmarks_px: np.ndarray
    share: float
    is_half_hidden: bool


def find_painted(image: np.ndarray) -> list[Seen]:
    """Find the painted faces of a picture or a part of one, largest first."""
    found = []
    for level in np.unique(image[:, :, 2]):
        if level < 100:
            continue
        rows, columns = np.nonzero(image[:, :, 2] == level)
        x0, x1, y0, y1 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        side = max(x1 - x0, y1 - y0)
        if min(x1 - x0, y1 - y0) < 0.5 * side:
            continue  # Less than half a face is none, for MediaPipe too.
        # A face cut by the border of the part: its whole square is imagined, as MediaPipe does.
        cx = x0 + side / 2 if x1 >= image.shape[1] else x1 - side / 2
        cy = y0 + side / 2 if y1 >= image.shape[0] else y1 - side / 2
        green = image[y0:y1, x0:x1, 1]
        found.append(
            Seen(
                landmarks_px=make_landmarks((cx, cy), side / 0.94),
                share=side / max(image.shape[:2]),
                is_half_hidden=bool((green[:, -3:] == 30).all()),
            )
        )
    return sorted(found, key=lambda seen: -seen.share)


class PaintedDetector:
    """Finds painted faces that fill enough of the view; half-hidden ones with a lower score."""

    def __init__(self, min_confidence: float = 0.5) -> None:
        self.min_confidence = min_confidence
        self.n_calls = 0
        self.is_closed = False
        self.sees_phantom_at: tuple[float, float] | None = None

    def detect(self, image_bgr: np.ndarray) -> tuple[FaceDetection, ...]:
        self.n_calls += 1
        return tuple(
            FaceDetection(
                box_xyxy_px=landmark_box(seen.landmarks_px),
                keypoints_px=seen.landmarks_px[_MESH_PAIRS].mean(axis=1),
                score=0.6 if seen.is_half_hidden else 0.95,
            )
            for seen in find_painted(image_bgr)
            if seen.share >= LEAST_SHARE
        )

    def close(self) -> None:
        self.is_closed = True


class PaintedFollower:
    """Follows the painted face nearest to where it saw it last, as a VIDEO landmarker does."""

    def __init__(self) -> None:
        self.view = View(0, 0, 1, 1)
        self.clock_ms: list[int] = []
        self.n_starts = 0
        self.is_closed = False
        self._last: np.ndarray | None = None

    def start(self, view: View) -> None:
        self.view = view
        self.n_starts += 1
        self._last = None

    def follow(self, image_bgr: np.ndarray, *, clock_ms: int) -> FaceMesh | None:
        self.clock_ms.append(clock_ms)
        seen = find_painted(self.view.cut(image_bgr))
        seen = [s for s in seen if s.share >= LEAST_SHARE]
        if not seen:
            self._last = None
            return None
        if self._last is None:
            landmarks = seen[0].landmarks_px
        else:
            landmarks = min(
                (s.landmarks_px for s in seen),
                key=lambda points: float(np.abs(points.mean(0) - self._last).max()),
            )
        self._last = landmarks.mean(axis=0)
        return FaceMesh(
            landmarks_px=landmarks + self.view.offset_px,
            blendshapes=np.zeros(52, np.float32),
            depth_px=np.zeros(478, np.float32),
        )

    def close(self) -> None:
        self.is_closed = True
