import struct
from fractions import Fraction

import numpy as np
import pytest

from lanet_live.capture.display_geometry import Orientation, square_pixel_size_wh
from tests.media import four_colors

ONE = 1 << 16


def display_matrix(a, b, c, d) -> bytes:
    return struct.pack("=9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (display_matrix(1, 0, 0, 1), lambda image: image),
        (display_matrix(0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        (display_matrix(-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        (display_matrix(0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        (display_matrix(-1, 0, 0, 1), lambda image: image[:, ::-1]),
        (display_matrix(1, 0, 0, -1), lambda image: image[::-1]),
        (display_matrix(0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
        (display_matrix(0, -1, -1, 0), lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
    ],
)
def test_display_matrix_brings_the_picture_upright(matrix, expected):
    image = four_colors((6, 4))
    shown = Orientation.from_display_matrix(matrix).apply(image)
    np.testing.assert_array_equal(shown, expected(image))
    assert shown.flags.c_contiguous


@pytest.mark.parametrize("degrees", [-180, -90, -89, 0, 1, 90, 180, 270])
def test_rotation_turns_counterclockwise_to_the_nearest_quarter(degrees):
    image = four_colors((6, 4))
    shown = Orientation.from_rotation(degrees).apply(image)
    np.testing.assert_array_equal(shown, np.rot90(image, round(degrees / 90)))


def test_slanted_matrix_counts_as_the_nearest_quarter_turn():
    slanted = struct.pack("=9i", ONE // 10, ONE, 0, -ONE, ONE // 10, 0, 0, 0, 1 << 30)
    assert Orientation.from_display_matrix(slanted) == Orientation.from_rotation(-90)


def test_matrix_of_wrong_length_counts_as_upright():
    assert Orientation.from_display_matrix(b"short").is_upright


@pytest.mark.parametrize(
    ("aspect", "expected"),
    [
        (None, (720, 576)),
        (Fraction(1), (720, 576)),
        (Fraction(64, 45), (1024, 576)),
        (Fraction(1, 2), (720, 1152)),
        (Fraction(1, 1000), (720, 576)),
        (Fraction(0), (720, 576)),
    ],
)
def test_square_pixels_enlarge_one_side_only(aspect, expected):
    assert square_pixel_size_wh((720, 576), aspect) == expected
