"""Landmarks of training pictures, and the 19 points LA-Net learns.

The 19 points follow the AFLW layout of LA-Net's own landmark files. "Left" is the left side of the
picture. MediaPipe's mesh is denser than that layout, so that a point is the mean of one, two or
four mesh points.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.config import TrackerConfig
from lanet_live.face.alignment import transform_points
from lanet_live.face.models import open_face_models
from lanet_live.face.portrait import PlausibleFace, Showing, show
from lanet_live.face.still import StillFaceFinder
from lanet_trainer.surroundings import surround

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


# Tried in turn until one yields a plausible face. On FER+ Train the first finds 94.5 % of the
# faces; the others find a good half of the rest: tight, wide and turned ones. A plain border and
# the app's own search find most of what is left.
_SHOWINGS: Final = (
    Showing(0.25),
    Showing(0.75),
    Showing(0.25, -20),
    Showing(0.5, 20),
    Showing(0.125),
    Showing(0.25, 20),
    Showing(0.5, -20),
)
_CONFIDENCE: Final = 0.2
# Surroundings shown with a known face box, as a share of its side.
_BOX_MARGIN: Final = 0.2
# A result outside these limits is a mesh on an ear, a hand or the background. The limits were set
# by eye on the answers for FER+. The plain showing is trusted further than those that were turned
# or cut tight.
PLAIN: Final = PlausibleFace((0.38, 1.6), 0.35, np.deg2rad(85), 0.4)
STRICT: Final = PlausibleFace((0.55, 1.6), 0.25, np.deg2rad(65), 1.0)


class TrainingFaceFinder:
    """Landmarks of the one face that a training picture is about.

    Opened, used and closed in one thread.
    """

    def __init__(self) -> None:
        # What runs them in the app runs them here, so that both see the same crops.
        self._models = open_face_models(TrackerConfig())
        self._landmarker = self._models.open_landmarker(
            max_faces=1,
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
        self._models.close()

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
        for showing in _SHOWINGS:
            limits = PLAIN if showing is _SHOWINGS[0] else STRICT
            shown, picture_to_shown = show(picture_bgr, showing)
            for mesh in self._landmarker.find(shown):
                shown_to_picture = cv2.invertAffineTransform(picture_to_shown)
                landmarks = transform_points(shown_to_picture, mesh.landmarks_px)
                if limits.allows(landmarks, size_wh):
                    return landmarks.astype(np.float32)
        return self._find_surrounded(picture_bgr)

    def _find_surrounded(self, picture_bgr: U8Array) -> F32Array | None:
        """Look within a plain border: the landmarker alone, then the app's own search."""
        size_wh = (picture_bgr.shape[1], picture_bgr.shape[0])
        surrounded, to_picture = surround(picture_bgr)
        for mesh in self._landmarker.find(surrounded):
            landmarks = transform_points(to_picture, mesh.landmarks_px)
            if STRICT.allows(landmarks, size_wh):
                return landmarks.astype(np.float32)
        found = self._find_by_search(surrounded)
        if found is None:
            return None
        landmarks = transform_points(to_picture, found)
        return landmarks.astype(np.float32) if PLAIN.allows(landmarks, size_wh) else None

    def _find_largest(self, picture_bgr: U8Array) -> F32Array | None:
        found = self._find_by_search(picture_bgr)
        return self._find_in_crop(picture_bgr) if found is None else found

    def _find_by_search(self, picture_bgr: U8Array) -> F32Array | None:
        if self._still is None:
            self._still = StillFaceFinder(self._models)
        faces = self._still.find(picture_bgr)
        if not faces:
            return None
        largest = max(faces, key=lambda face: float(np.ptp(face.landmarks_px, axis=0).prod()))
        return largest.landmarks_px
