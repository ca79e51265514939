"""The app's own icons: outlines that take the text colour of the current look."""

from functools import lru_cache

from PySide6.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer

from lanet_live.resources import asset_path


def icon(name: str, *, color: str | None = None) -> QIcon:
    """Return an icon of ``assets/icons``.

    Args:
        name: File name without ``.svg``.
        color: ``#rrggbb``; without one the icon follows the text colour of the look.
    """
    return QIcon(_OutlineEngine(_read(name), color))


@lru_cache(maxsize=64)
def _read(name: str) -> str:
    return asset_path(f"icons/{name}.svg").read_text(encoding="utf-8")


class _OutlineEngine(QIconEngine):
    """Draws the outline in the colour of the moment, sharp at every scaling."""

    def __init__(self, svg: str, color: str | None) -> None:
        super().__init__()
        self._svg = svg
        self._color = color

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        svg = self._svg.replace("currentColor", self._color_for(mode, state))
        renderer = QSvgRenderer(QByteArray(svg.encode()))
        side = min(rect.width(), rect.height())
        square = QRectF(0, 0, side, side)
        square.moveCenter(QRectF(rect).center())
        if mode == QIcon.Mode.Disabled:
            painter.setOpacity(0.4)
        renderer.render(painter, square)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        return _OutlineEngine(self._svg, self._color)

    def _color_for(self, mode: QIcon.Mode, state: QIcon.State) -> str:
        if self._color is not None:
            return self._color
        roles = QPalette.ColorRole
        is_marked = state == QIcon.State.On and mode != QIcon.Mode.Disabled
        role = roles.Highlight if is_marked else roles.ButtonText
        return QGuiApplication.palette().color(QPalette.ColorGroup.Active, role).name()
