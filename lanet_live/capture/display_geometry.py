"""From stored to displayed pictures: orientation and square pixels."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from lanet_live.records import U8Array

# Real pixel aspect ratios lie between 1:2 and 3:1; what lies far outside is a damaged header.
_MAX_PIXEL_ASPECT: Final = 8
_DISPLAY_MATRIX_BYTES: Final = 36


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways to turn a picture by quarter turns and mirror it.

    Attributes:
        is_transposed: Rows and columns change places first.
        flips_x: Then left and right change places.
        flips_y: Then top and bottom change places.
    """

    is_transposed: bool = False
    flips_x: bool = False
    flips_y: bool = False

    @classmethod
    def from_display_matrix(cls, data: bytes) -> "Orientation":
        """Read a display matrix as FFmpeg keeps it.

        Nine int32 [a b u; c d v; x y w]; a stored point (p, q) is shown at (ap + cq, bp + dq).
        A turn that is no multiple of 90 degrees counts as the nearest one, rubbish as upright.
        """
        if len(data) != _DISPLAY_MATRIX_BYTES:
            return cls()
        a, b, _, c, d = struct.unpack("=9i", data)[:5]
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(is_transposed=True, flips_x=c < 0, flips_y=b < 0)
        return cls(flips_x=a < 0, flips_y=d < 0)

    @classmethod
    def from_rotation(cls, counterclockwise_deg: float) -> "Orientation":
        """Take a turn without mirroring, to the nearest quarter."""
        quarters = round(counterclockwise_deg / 90) % 4
        return cls(
            is_transposed=quarters % 2 == 1, flips_x=quarters >= 2, flips_y=quarters in (1, 2)
        )

    @property
    def is_upright(self) -> bool:
        """Nothing has to be done."""
        return not (self.is_transposed or self.flips_x or self.flips_y)

    @property
    def rotation_deg(self) -> int:
        """Clockwise turn that brings the stored picture upright, before any mirroring."""
        if self.is_transposed:
            return 90 if self.flips_x else 270
        return 180 if self.flips_y else 0

    @property
    def is_mirrored(self) -> bool:
        """The picture is also shown mirrored."""
        return (self.is_transposed + self.flips_x + self.flips_y) % 2 == 1

    def apply(self, image: U8Array) -> U8Array:
        """Return the picture as it is to be shown, C-contiguous; (H, W, 3) or (W, H, 3)."""
        if self.is_upright:
            return image
        # Imported here: OpenCV would slow every start, and few videos need turning.
        import cv2

        if not self.is_mirrored:  # In one pass; NumPy's strided copies take ten times as long.
            code = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180}
            turned = cv2.rotate(image, code.get(self.rotation_deg, cv2.ROTATE_90_COUNTERCLOCKWISE))
        else:
            turned = cv2.transpose(image) if self.is_transposed else image
            if self.flips_x or self.flips_y:
                both = self.flips_x and self.flips_y
                turned = cv2.flip(turned, -1 if both else int(self.flips_x))
        result: U8Array = turned
        return result


def square_pixel_size_wh(size_wh: tuple[int, int], aspect: Fraction | None) -> tuple[int, int]:
    """Return the size that shows a picture with square pixels.

    Only one side grows, so that no stored pixel is lost.

    Args:
        size_wh: Stored size.
        aspect: Width of a pixel over its height; None or an impossible value counts as 1.
    """
    width, height = size_wh
    if aspect is None or not Fraction(1, _MAX_PIXEL_ASPECT) <= aspect <= _MAX_PIXEL_ASPECT:
        return size_wh
    if aspect >= 1:
        return round(width * aspect), height
    return width, round(height / aspect)
