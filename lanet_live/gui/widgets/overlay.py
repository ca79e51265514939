"""Draws what was measured on top of the very frame it was measured on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from lanet_live.drawing.palette import class_colors, face_color
from lanet_live.face.pose import euler_to_rotation
from lanet_live.gui.readings import FaceReading
from lanet_live.records import F64Array, FaceTrack, FrameResult

_NOSE_TIP: Final = 1  # in MediaPipe's mesh
_SHADE: Final = QColor(10, 12, 15, 190)
_CHIP: Final = QColor(14, 17, 21, 215)
_AXES: Final = (("x", QColor("#ff6b6b")), ("y", QColor("#63d471")), ("z", QColor("#6fb1f0")))


@dataclass(frozen=True, slots=True)
class Overlays:
    """Which overlays are drawn."""

    has_box: bool = True
    has_mesh: bool = False
    has_landmarks: bool = True
    has_axes: bool = False
    has_label: bool = True


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the picture lies in the view: view = frame * scale + offset, in logical pixels."""

    scale: float
    offset_x: float
    offset_y: float

    def to_view(self, points_px: np.ndarray) -> F64Array:
        """Carry frame pixels (..., 2) into the view."""
        mapped: F64Array = points_px * self.scale + np.array([self.offset_x, self.offset_y])
        return mapped


def draw_overlays(
    painter: QPainter,
    placement: Placement,
    result: FrameResult,
    *,
    readings: Mapping[int, FaceReading],
    overlays: Overlays,
) -> None:
    """Draw the chosen overlays of every face."""
    for track in result.tracks:
        reading = readings.get(track.face_id)
        is_reliable = reading is None or reading.estimate.is_reliable
        color = QColor(*face_color(track.face_id))
        if not is_reliable:
            color.setAlpha(150)
        if overlays.has_mesh:
            _draw_mesh(painter, placement, track, color)
        if overlays.has_landmarks:
            _draw_landmarks(painter, placement, track, color)
        if overlays.has_box:
            _draw_box(painter, placement, track, color, is_reliable=is_reliable)
        if overlays.has_axes:
            _draw_axes(painter, placement, track)
    if overlays.has_label:
        # Last, so that no other face's mesh runs through a label.
        taken: list[QRectF] = []
        for track in result.tracks:
            if track.face_id in readings:
                box = _view_box(placement, track)
                taken.append(_draw_label(painter, box, readings[track.face_id], taken))


def _draw_box(
    painter: QPainter, placement: Placement, track: FaceTrack, color: QColor, *, is_reliable: bool
) -> None:
    rect = _view_box(placement, track)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    style = Qt.PenStyle.SolidLine if is_reliable else Qt.PenStyle.DashLine
    for pen in (QPen(_SHADE, 3.5), QPen(color, 1.8, style)):
        painter.setPen(pen)
        painter.drawRoundedRect(rect, 5, 5)


def _draw_landmarks(
    painter: QPainter, placement: Placement, track: FaceTrack, color: QColor
) -> None:
    points = placement.to_view(track.landmarks_px)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(QPen(color, 2.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.SquareCap))
    painter.drawPoints(pg.functions.arrayToQPolygonF(points[:, 0], points[:, 1]))


def _draw_mesh(painter: QPainter, placement: Placement, track: FaceTrack, color: QColor) -> None:
    points = placement.to_view(track.landmarks_px)[_mesh_edges()]  # (2E, 2)
    faint = QColor(color)
    faint.setAlpha(95)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(QPen(faint, 0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(pg.functions.arrayToQPath(points[:, 0], points[:, 1], connect="pairs"))


def _draw_axes(painter: QPainter, placement: Placement, track: FaceTrack) -> None:
    """Draw the head's axes from the tip of the nose: x right, y down, z out of the face."""
    origin = QPointF(*placement.to_view(track.landmarks_px[_NOSE_TIP]))
    length = 0.45 * _view_box(placement, track).width()
    rotation = euler_to_rotation(track.pose_rad)
    rotation[:, 2] *= -1  # the camera's z runs away from the viewer; the face looks towards it
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for column, (_, color) in enumerate(_AXES):
        tip = origin + QPointF(rotation[0, column], rotation[1, column]) * length
        for pen in (QPen(_SHADE, 4.5), QPen(color, 2.4)):
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLine(QLineF(origin, tip))


def _draw_label(
    painter: QPainter, box: QRectF, reading: FaceReading, taken: list[QRectF]
) -> QRectF:
    """Draw name, expression and probability on a dark chip by the box; return its place."""
    label, probability = reading.top
    why = reading.why_unreliable
    text = f"{reading.name} · {label} {probability * 100:.0f} %" + (f" · {why}" if why else "")
    metrics = QFontMetricsF(_label_font(painter))
    swatch = metrics.ascent() * 0.8
    size = QSizeF(metrics.horizontalAdvance(text) + swatch + 20, metrics.height() + 6)
    chip = _place_label(box, size, QRectF(painter.viewport()), taken)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_CHIP)
    painter.drawRoundedRect(chip, 4, 4)
    labels = reading.estimate.labels
    painter.setBrush(QColor(*class_colors(labels)[labels.index(label)]))
    square = QRectF(chip.left() + 7, chip.center().y() - swatch / 2, swatch, swatch)
    painter.drawRoundedRect(square, 2, 2)
    painter.setPen(QColor("#ffffff" if not why else "#c9ced6"))
    text_rect = chip.adjusted(swatch + 13, 0, -4, 0)
    painter.drawText(text_rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
    return chip


def _place_label(box: QRectF, size: QSizeF, view: QRectF, taken: list[QRectF]) -> QRectF:
    """Find a place above or below the box, inside the view, that covers no other label."""
    step = size.height() + 2
    above, below = box.top() - size.height() - 4, box.bottom() + 4
    tops = [above, below, *(above - n * step for n in (1, 2)), *(below + n * step for n in (1, 2))]
    lefts = [
        min(max(left, 2.0), max(2.0, view.width() - size.width() - 2))
        for left in (box.left(), box.right() - size.width())
    ]
    places = [QRectF(QPointF(left, top), size) for left in lefts for top in tops]
    inside = [p for p in places if p.top() >= 2 and p.bottom() <= view.height() - 2]
    free = [p for p in inside if not any(p.intersects(other) for other in taken)]
    return (free or inside or places)[0]


def _label_font(painter: QPainter) -> QFont:
    font = QFont(painter.font())
    font.setWeight(QFont.Weight.Medium)
    painter.setFont(font)
    return font


def _view_box(placement: Placement, track: FaceTrack) -> QRectF:
    corners = placement.to_view(track.box_xyxy_px.reshape(2, 2))
    return QRectF(QPointF(*corners[0]), QPointF(*corners[1]))


@lru_cache(maxsize=1)
def _mesh_edges() -> np.ndarray:
    """Ends of the mesh's edges, (2E,): every edge once, two entries each."""
    # Here and not above: the first import takes most of a second, and by the time a mesh can be
    # drawn the worker has done it.
    from mediapipe.tasks.python.vision import FaceLandmarksConnections

    pairs = FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION
    edges = {(min(p.start, p.end), max(p.start, p.end)) for p in pairs}
    return np.array(sorted(edges), dtype=np.intp).ravel()
