"""Parts of a frame to look at: tiles to search, and squares around faces."""

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.matching import share_inside

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# A tile overlaps its neighbour by at least this share of its side: a face on the seam that is too
# wide for the overlap is wide enough to be found in the next larger view.
_TILE_OVERLAP: Final = 0.25
# A frame this close to a square is one view; two tiles would be nearly the same picture twice.
_SQUARE_ASPECT: Final = 1.1
# Tiles of half the short side pay only while the faces they add are not too small to read: the
# smallest face found is about an eighth of a tile, and the expression model learnt on 48 px.
_MIN_FINE_TILE_PX: Final = 480
# A follower's view is this many times as wide as the face: room to move for a while, and in a
# portrait it is simply the whole frame. It is made smaller until it shows no second face, which
# the follower could take for its own.
_VIEW_ZOOMS_OUT: Final = (4.0, 3.0, 2.2, 1.7)
# A second face does not count while no more than this share of it is in the view.
_VISIBLE_SHARE: Final = 0.4
# The view is moved when the face comes nearer to its edge than this, in widths of the face, or
# when it fills the view or shrinks in it.
_LEAST_MARGIN: Final = 0.3
_LARGEST_SHARE: Final = 0.55
_SMALLEST_SHARE: Final = 0.12


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of a frame, in whole pixels."""

    x: int
    y: int
    width: int
    height: int

    def cut(self, image: U8Array) -> U8Array:
        """Return this part of an image, without copying."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]

    @property
    def offset_px(self) -> F32Array:
        """Its top left corner in the frame, (2,)."""
        return np.array([self.x, self.y], dtype=np.float32)

    @property
    def box_xyxy(self) -> F32Array:
        """Its corners in the frame, (4,)."""
        corners = (self.x, self.y, self.x + self.width, self.y + self.height)
        return np.array(corners, dtype=np.float32)


def coarse_views(size_wh: tuple[int, int]) -> tuple[View, ...]:
    """Return the whole frame and, unless it is square, square tiles of its short side."""
    width, height = size_wh
    whole = View(0, 0, width, height)
    if max(size_wh) <= _SQUARE_ASPECT * min(size_wh):
        return (whole,)
    return (whole, *_tiles(size_wh, min(size_wh)))


def fine_views(size_wh: tuple[int, int]) -> tuple[View, ...]:
    """Return square tiles of half the short side; none when the frame is small."""
    side = min(size_wh) // 2
    return _tiles(size_wh, side) if side >= _MIN_FINE_TILE_PX else ()


def square_view_around(box_xyxy: F32Array, size_wh: tuple[int, int], *, zoom_out: float) -> View:
    """Return a square around a box, `zoom_out` times as wide, cut at the frame's border."""
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    half = zoom_out * float((box_xyxy[2:] - box_xyxy[:2]).max()) / 2
    low = np.clip(np.floor(centre - half), 0, np.array(size_wh) - 1).astype(int)
    high = np.clip(np.ceil(centre + half), low + 1, size_wh).astype(int)
    return View(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))


def view_of_one(box_xyxy: F32Array, other_boxes: list[F32Array], size_wh: tuple[int, int]) -> View:
    """Return the roomiest view around a face that does not show another face."""
    for zoom_out in _VIEW_ZOOMS_OUT:
        view = square_view_around(box_xyxy, size_wh, zoom_out=zoom_out)
        if not any(share_inside(box, view.box_xyxy) > _VISIBLE_SHARE for box in other_boxes):
            break
    return view


def is_ill_placed(box_xyxy: F32Array, view: View, frame_size_wh: tuple[int, int]) -> bool:
    """Return whether a face is about to leave a follower's view, fills it or is lost in it."""
    width, height = frame_size_wh
    size = float((box_xyxy[2:] - box_xyxy[:2]).max())
    right, bottom = view.x + view.width, view.y + view.height
    # No margin is needed where the view ends with the frame.
    margins = (
        box_xyxy[0] - view.x if view.x > 0 else np.inf,
        box_xyxy[1] - view.y if view.y > 0 else np.inf,
        right - box_xyxy[2] if right < width else np.inf,
        bottom - box_xyxy[3] if bottom < height else np.inf,
    )
    is_whole_frame = (view.width, view.height) == frame_size_wh
    share = size / max(view.width, view.height)
    return (
        min(margins) < _LEAST_MARGIN * size
        or (share > _LARGEST_SHARE and not is_whole_frame)
        or share < _SMALLEST_SHARE
    )


def _tiles(size_wh: tuple[int, int], side: int) -> tuple[View, ...]:
    return tuple(
        View(x, y, side, side)
        for y in _tile_starts(size_wh[1], side)
        for x in _tile_starts(size_wh[0], side)
    )


def _tile_starts(length: int, side: int) -> list[int]:
    overlap = _TILE_OVERLAP * side
    count = max(1, ceil((length - overlap) / (side - overlap)))
    return [round(i * (length - side) / max(1, count - 1)) for i in range(count)]
