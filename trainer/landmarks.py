"""Landmarks of training pictures, and the 19 points LA-Net learns.

The 19 points follow the AFLW layout of LA-Net's own landmark files. "Left" is the left side of the
picture. MediaPipe's mesh is denser than that layout, so that a point is the mean of one, two or
four mesh points.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.alignment import F64Array, estimate_frame_to_crop, transform_points
from lanet_live.face.landmarker import FaceLandmarker, RunningMode
from lanet_live.face.still import StillFaceFinder

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# Position in the layout: name, and the mesh points it is the mean of.
MESH_POINTS: Final[tuple[tuple[str, tuple[int, ...]], ...]] = (
    ("left brow, outer", (70, 46)),
    ("left brow, middle", (105, 52)),
    ("left brow, inner", (107, 55)),
    ("right brow, inner", (336, 285)),
    ("right brow, middle", (334, 282)),
    ("right brow, outer", (300, 276)),
    ("left eye, outer", (33,)),
    ("left eye, centre", (33, 133, 159, 145)),
    ("left eye, inner", (133,)),
    ("right eye, inner", (362,)),
    ("right eye, centre", (263, 362, 386, 374)),
    ("right eye, outer", (263,)),
    ("nose, left", (98,)),
    ("nose, tip", (1,)),
    ("nose, right", (327,)),
    ("mouth, left", (61,)),
    ("mouth, centre", (13, 14)),
    ("mouth, right", (291,)),
    ("chin", (152,)),
)
N_POINTS: Final = len(MESH_POINTS)
# Point i of a mirrored picture is point MIRRORED[i] of the picture, mirrored.
MIRRORED: Final[NDArray[np.intp]] = np.array(
    [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 14, 13, 12, 17, 16, 15, 18], dtype=np.intp
)
MIRRORED.setflags(write=False)


def reduce_to_19_points(landmarks_px: F32Array) -> F32Array:
    """Reduce MediaPipe's mesh, (..., 478, 2), to the 19 points, (..., 19, 2)."""
    points = [landmarks_px[..., list(mesh), :].mean(axis=-2) for _, mesh in MESH_POINTS]
    return np.stack(points, axis=-2).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _View:
    """One way to show a small face picture to the landmarker.

    Attributes:
        pad: Border added on each side, as a share of the picture's shorter side.
        rotation_deg: Clockwise on screen.
    """

    pad: float
    rotation_deg: float = 0.0


# Tried in turn until one yields a plausible face. On FER+ Train the first finds 94.5 % of the
# faces; the others find a good half of the rest: tight, wide and turned ones.
_VIEWS: Final = (
    _View(0.25),
    _View(0.75),
    _View(0.25, -20),
    _View(0.5, 20),
    _View(0.125),
    _View(0.25, 20),
    _View(0.5, -20),
)
# The longer side of a view is enlarged to at least this, or the detector sees too little.
_VIEW_SIDE_PX: Final = 288
_CONFIDENCE: Final = 0.2
# Surroundings shown with a known face box, as a share of its side.
_BOX_MARGIN: Final = 0.2


@dataclass(frozen=True, slots=True)
class PlausibleFace:
    """Which meshes can be the face that a face crop shows.

    An answer outside these limits is a mesh on an ear, a hand or the background. The limits were
    set by eye on the answers for FER+.

    Attributes:
        sides: Range of the aligned crop's side, in shorter sides of the picture.
        max_off_centre: How far its centre may lie from the picture's, in longer sides.
        max_roll_rad: How far the head may be tilted.
        max_off_centre_of_side: The same limit in sides of the crop: a small face must lie more in
            the middle than a large one.
    """

    sides: tuple[float, float]
    max_off_centre: float
    max_roll_rad: float
    max_off_centre_of_side: float


# The plain view is to be trusted further than those that were turned or cut tight.
PLAIN: Final = PlausibleFace((0.38, 1.6), 0.35, np.deg2rad(85), 0.4)
STRICT: Final = PlausibleFace((0.55, 1.6), 0.25, np.deg2rad(65), 1.0)


class TrainingFaceFinder:
    """Landmarks of the one face that a training picture is about.

    Opened, used and closed in one thread.
    """

    def __init__(self) -> None:
        self._landmarker = FaceLandmarker(
            RunningMode.IMAGE,
            min_detection_confidence=_CONFIDENCE,
            min_presence_confidence=_CONFIDENCE,
        )
        self._still: StillFaceFinder | None = None

    def find(
        self,
        picture_bgr: U8Array,
        *,
        is_face_crop: bool,
        box_xyxy_px: tuple[float, float, float, float] | None = None,
    ) -> F32Array | None:
        """Find the landmarks of a picture's face.

        Args:
            picture_bgr: (H, W, 3) uint8.
            is_face_crop: The picture is filled by one face.
            box_xyxy_px: Where the face is known to be.

        Returns:
            (478, 2) float32 in continuous picture pixels, or None.
        """
        if box_xyxy_px is not None:
            return self._find_in_box(picture_bgr, box_xyxy_px)
        if is_face_crop:
            return self._find_in_crop(picture_bgr)
        return self._find_largest(picture_bgr)

    def close(self) -> None:
        """Free the models. May be called twice."""
        self._landmarker.close()
        if self._still is not None:
            self._still.close()

    def _find_in_box(
        self, picture_bgr: U8Array, box_xyxy_px: tuple[float, float, float, float]
    ) -> F32Array | None:
        box = np.array(box_xyxy_px).reshape(2, 2)  # (low, high) x (x, y)
        margin = _BOX_MARGIN * np.ptp(box, axis=0)
        low = np.maximum(np.floor(box[0] - margin), 0).astype(int)
        high = np.maximum(np.ceil(box[1] + margin), 0).astype(int)
        part = picture_bgr[low[1] : high[1], low[0] : high[0]]
        if min(part.shape[:2]) < 2:
            return None
        found = self._find_in_crop(np.ascontiguousarray(part))
        return None if found is None else (found + low).astype(np.float32)

    def _find_in_crop(self, picture_bgr: U8Array) -> F32Array | None:
        size_wh = (picture_bgr.shape[1], picture_bgr.shape[0])
        for view in _VIEWS:
            limits = PLAIN if view is _VIEWS[0] else STRICT
            shown, picture_to_view = _show(picture_bgr, view)
            for mesh in self._landmarker.find(shown):
                view_to_picture = cv2.invertAffineTransform(picture_to_view)
                landmarks = transform_points(view_to_picture, mesh.landmarks_px)
                if is_plausible_in_crop(landmarks, size_wh, limits):
                    return landmarks.astype(np.float32)
        return None

    def _find_largest(self, picture_bgr: U8Array) -> F32Array | None:
        if self._still is None:
            self._still = StillFaceFinder()
        faces = self._still.find(picture_bgr)
        if not faces:
            return self._find_in_crop(picture_bgr)
        largest = max(faces, key=lambda face: float(np.ptp(face.landmarks_px, axis=0).prod()))
        return largest.landmarks_px


def is_plausible_in_crop(
    landmarks_px: F64Array, size_wh: tuple[int, int], limits: PlausibleFace = PLAIN
) -> bool:
    """Tell whether a mesh can be the face that fills a picture of this size."""
    try:
        to_crop = estimate_frame_to_crop(landmarks_px, size_px=1)
    except ValueError:
        return False
    rotation = to_crop[:, :2]
    side = 1 / np.sqrt(np.linalg.det(rotation))
    centre = np.linalg.solve(rotation, np.array([0.5, 0.5]) - to_crop[:, 2])
    off_centre = np.abs(centre - np.array(size_wh) / 2).max()
    roll = abs(np.arctan2(rotation[1, 0], rotation[0, 0]))
    return bool(
        limits.sides[0] <= side / min(size_wh) <= limits.sides[1]
        and off_centre <= limits.max_off_centre * max(size_wh)
        and off_centre <= limits.max_off_centre_of_side * side
        and roll <= limits.max_roll_rad
    )


def _show(picture_bgr: U8Array, view: _View) -> tuple[U8Array, F64Array]:
    """Pad with the border's pixels, enlarge and turn; return the view and picture -> view."""
    height, width = picture_bgr.shape[:2]
    pad = round(view.pad * min(width, height))
    scale = max(1.0, _VIEW_SIDE_PX / (max(width, height) + 2 * pad))
    size_wh = (round((width + 2 * pad) * scale), round((height + 2 * pad) * scale))
    centre = (size_wh[0] / 2, size_wh[1] / 2)
    turn = cv2.getRotationMatrix2D(centre, -view.rotation_deg, 1.0)
    affine = np.hstack(
        [turn[:, :2] * scale, turn[:, 2:] + turn[:, :2] @ np.full((2, 1), pad * scale)]
    )
    matrix = affine.copy()
    matrix[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5  # OpenCV counts from pixel centres.
    shown: U8Array = cv2.warpAffine(
        picture_bgr, matrix, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return shown, affine
