"""Draws a result onto a copy of the frame it was measured on. Needs no display."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from lanet_live.drawing.palette import Rgb, class_colors, text_color_on
from lanet_live.records import ExpressionEstimate, FaceTrack, FrameResult, U8Array

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_UNRELIABLE: Rgb = (0x9A, 0x9D, 0xA1)
_BAR_GROUND: Rgb = (0x2A, 0x2D, 0x31)
_BAR_FILL: Rgb = (0xF2, 0xF3, 0xF5)
_NO_NAMES: Mapping[int, str] = {}
# Sizes for a picture of this height; they grow and shrink with it.
_REFERENCE_HEIGHT_PX = 540
_MIN_SCALE = 0.95


@dataclass(frozen=True, slots=True)
class _Pen:
    """Sizes in pixels for one picture."""

    font_scale: float
    line_px: int
    pad_px: int
    bar_px: int

    @classmethod
    def for_height(cls, height_px: int) -> "_Pen":
        scale = max(_MIN_SCALE, height_px / _REFERENCE_HEIGHT_PX)
        return cls(
            font_scale=0.5 * scale,
            line_px=max(1, round(2 * scale)),
            pad_px=max(2, round(4 * scale)),
            bar_px=max(3, round(5 * scale)),
        )


def draw_result(result: FrameResult, *, names: Mapping[int, str] = _NO_NAMES) -> U8Array:
    """Draw box, id, most probable expression and an uncertainty bar for every face.

    A face whose estimate is not reliable is drawn in grey and says so.

    Args:
        result: The frame and what was measured on it.
        names: Stand in place of the id, by id.

    Returns:
        A new picture, (H, W, 3) uint8 BGR.
    """
    picture = result.frame.image_bgr.copy()
    pen = _Pen.for_height(picture.shape[0])
    for track, estimate in zip(result.tracks, result.estimates, strict=True):
        name = names.get(track.face_id) or f"#{track.face_id}"
        _draw_face(picture, track, estimate, name=name, pen=pen)
    return picture


def draw_card(size_wh: tuple[int, int], text: str) -> U8Array:
    """Draw a dark picture with one line of text in its middle.

    Args:
        size_wh: In pixels.
        text: What it says.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    width, height = size_wh
    picture = np.full((height, width, 3), _bgr(_BAR_GROUND), dtype=np.uint8)
    scale = _Pen.for_height(height).font_scale
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, scale, 1)
    if text_width > 0.9 * width:
        scale *= 0.9 * width / text_width
        (text_width, text_height), _ = cv2.getTextSize(text, _FONT, scale, 1)
    place = ((width - text_width) // 2, (height + text_height) // 2)
    cv2.putText(picture, text, place, _FONT, scale, _bgr(_BAR_FILL), 1, cv2.LINE_AA)
    return picture


def _draw_face(
    picture: U8Array, track: FaceTrack, estimate: ExpressionEstimate, *, name: str, pen: _Pen
) -> None:
    winner = int(np.argmax(estimate.probabilities))
    color = class_colors(estimate.labels)[winner] if estimate.is_reliable else _UNRELIABLE
    left, top, right, bottom = (round(float(value)) for value in track.box_xyxy_px)
    # A dark outline below the coloured one keeps the box visible on any ground.
    for ink, extra_px in ((_BAR_GROUND, 2), (color, 0)):
        cv2.rectangle(
            picture, (left, top), (right, bottom), _bgr(ink), pen.line_px + extra_px, cv2.LINE_AA
        )
    text = f"{name} {estimate.expression} {estimate.probabilities[winner]:.2f}"
    if not estimate.is_reliable:
        text += " ?"
    _draw_label(picture, (left, top, bottom), text, color, estimate.uncertainty, pen)


def _draw_label(
    picture: U8Array,
    box_left_top_bottom: tuple[int, int, int],
    text: str,
    color: Rgb,
    uncertainty: float,
    pen: _Pen,
) -> None:
    """Draw the text on a plate above the box, or below it where there is no room, with its bar."""
    left, top, bottom = box_left_top_bottom
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, pen.font_scale, 1)
    plate_width = text_width + 2 * pen.pad_px
    plate_height = text_height + baseline + 2 * pen.pad_px
    full_height = plate_height + pen.bar_px
    gap = pen.line_px + 1
    y = top - gap - full_height if top - gap - full_height >= 0 else bottom + gap
    x = int(np.clip(left - pen.line_px, 0, max(0, picture.shape[1] - plate_width)))
    cv2.rectangle(picture, (x, y), (x + plate_width, y + plate_height), _bgr(color), cv2.FILLED)
    cv2.putText(
        picture,
        text,
        (x + pen.pad_px, y + pen.pad_px + text_height),
        _FONT,
        pen.font_scale,
        _bgr(text_color_on(color)),
        1,
        cv2.LINE_AA,
    )
    bar_top, bar_bottom = y + plate_height, y + full_height
    filled = round(uncertainty * plate_width)
    cv2.rectangle(
        picture, (x, bar_top), (x + plate_width, bar_bottom), _bgr(_BAR_GROUND), cv2.FILLED
    )
    if filled:
        cv2.rectangle(
            picture, (x, bar_top + 1), (x + filled, bar_bottom - 1), _bgr(_BAR_FILL), cv2.FILLED
        )


def _bgr(color: Rgb) -> tuple[int, int, int]:
    return color[2], color[1], color[0]
