from itertools import combinations

import numpy as np
import pytest

from lanet_live.drawing.palette import (
    CLASS_COLORS,
    class_colors,
    face_color,
    hex_color,
    text_color_on,
)

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LMS_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(colors: np.ndarray) -> np.ndarray:
    share = np.asarray(colors, dtype=float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def oklab(rgb_linear: np.ndarray) -> np.ndarray:
    return np.cbrt(np.clip(rgb_linear, 0, 1) @ RGB_TO_LMS.T) @ LMS_TO_OKLAB.T


@pytest.mark.parametrize("sight", SIGHT)
def test_class_colors_stay_apart_for_every_kind_of_sight(sight):
    points = oklab(linear(np.array(list(CLASS_COLORS.values()))) @ SIGHT[sight].T)
    nearest = min(np.linalg.norm(a - b) for a, b in combinations(points, 2))
    assert nearest > 0.09  # a just noticeable difference is about 0.02


@pytest.mark.parametrize(("ground", "least"), [((24, 27, 32), 3.0), ((255, 255, 255), 2.0)])
def test_class_colors_stand_out_from_the_ground(ground, least):
    def luminance(color):
        return float(linear(np.array(color)) @ [0.2126, 0.7152, 0.0722])

    for color in CLASS_COLORS.values():
        low, high = sorted((luminance(color), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= least


def test_class_colors_follow_the_name_not_the_position():
    assert class_colors(("fear", "neutral")) == (CLASS_COLORS["fear"], CLASS_COLORS["neutral"])


def test_class_colors_give_unknown_classes_distinct_colors():
    colors = class_colors(("neutral", "boredom", "confusion", "anger"))
    assert len(set(colors)) == 4
    assert len(class_colors(tuple(f"class {i}" for i in range(20)))) == 20


def test_face_color_repeats_and_text_on_it_is_black_or_white():
    assert face_color(0) == face_color(6)
    assert text_color_on((255, 255, 255)) == (0, 0, 0)
    assert text_color_on((0, 0, 0)) == (255, 255, 255)
    assert hex_color((255, 0, 16)) == "#ff0010"
