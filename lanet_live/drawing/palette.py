"""The colours of the expressions and of the faces, the same in the window, pictures and reports.

Imports nothing of Qt. The eight class colours were searched so that every pair stays apart in OKLab
for normal, protanopic, deuteranopic and tritanopic sight (Machado et al. 2009), and so that each
stands out from a dark ground (contrast 3) as from a light one (contrast 2). Colour is never the
only carrier: every picture names the classes in their fixed order as well.
"""

from typing import Final

Rgb = tuple[int, int, int]

CLASS_COLORS: Final[dict[str, Rgb]] = {
    "neutral": (0x8E, 0x91, 0x8F),
    "happiness": (0xEE, 0xA6, 0x42),
    "surprise": (0x28, 0x76, 0x78),
    "sadness": (0x3F, 0x7E, 0xF0),
    "anger": (0xDB, 0x27, 0x3F),
    "disgust": (0x49, 0xCD, 0x9C),
    "fear": (0xBC, 0xA3, 0xEF),
    "contempt": (0xB8, 0x52, 0xBC),
}

# Pale, so that a frame around a face stands out from any video over a dark outline and is not
# taken for an expression.
_FACE_COLORS: Final[tuple[Rgb, ...]] = (
    (0x7F, 0xD6, 0xFF),
    (0xFF, 0xD9, 0x6B),
    (0xA6, 0xF0, 0xA6),
    (0xFF, 0xB0, 0xC4),
    (0xD4, 0xC2, 0xFF),
    (0xFF, 0xFF, 0xFF),
)


def class_colors(labels: tuple[str, ...]) -> tuple[Rgb, ...]:
    """Return one colour per class.

    A class by a known name always has its own colour; a model with other names gets the colours no
    known name of its own takes, in order, and then starts over.

    Args:
        labels: Class names as in the model's description, (C,).

    Returns:
        Red, green, blue, 0 to 255, (C,).
    """
    free = [color for name, color in CLASS_COLORS.items() if name not in labels]
    spare = free or list(CLASS_COLORS.values())
    colors: list[Rgb] = []
    n_unknown = 0
    for label in labels:
        if label in CLASS_COLORS:
            colors.append(CLASS_COLORS[label])
        else:
            colors.append(spare[n_unknown % len(spare)])
            n_unknown += 1
    return tuple(colors)


def face_color(face_id: int) -> Rgb:
    """Return the colour of one face's frame and card; it repeats after six faces."""
    return _FACE_COLORS[face_id % len(_FACE_COLORS)]


def hex_color(color: Rgb) -> str:
    """Write a colour as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def text_color_on(color: Rgb) -> Rgb:
    """Return black or white, whichever reads better on a ground of this colour."""
    red, green, blue = (_linear(value) for value in color)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (0, 0, 0) if luminance > 0.18 else (255, 255, 255)


def _linear(value: int) -> float:
    """Turn one sRGB channel, 0 to 255, into linear light, 0 to 1 (IEC 61966-2-1)."""
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
