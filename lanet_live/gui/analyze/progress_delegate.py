"""Draws the progress of an item as a thin bar with its words beside it."""

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QPainter, QPalette
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from lanet_live.gui.analyze.table_model import SHARE_ROLE

_BAR_PX: Final = 6
_MARGIN_PX: Final = 8


class ProgressDelegate(QStyledItemDelegate):
    """For the column of `table_model.Column.PROGRESS`."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Draw ground, bar and words."""
        text, share = index.data(), index.data(SHARE_ROLE)
        bare = QStyleOptionViewItem(option)
        self.initStyleOption(bare, index)
        bare.text = ""
        bare.widget.style().drawControl(
            bare.widget.style().ControlElement.CE_ItemViewItem, bare, painter, bare.widget
        )
        if not text:
            return
        roles = QPalette.ColorRole
        ink = bare.palette.color(roles.Text)
        text_px = bare.fontMetrics.horizontalAdvance("100%") + _MARGIN_PX
        area = QRectF(bare.rect).adjusted(_MARGIN_PX, 0, -_MARGIN_PX, 0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(ink)
        if share is None or not text.endswith("%"):
            painter.drawText(area, _ALIGN, text)
        else:
            words = QRectF(area.right() - text_px, area.top(), text_px, area.height())
            painter.drawText(words, _ALIGN_RIGHT, text)
            groove = QRectF(area.left(), 0, area.width() - text_px - _MARGIN_PX, _BAR_PX)
            groove.moveCenter(
                QRectF(groove.left(), area.top(), groove.width(), area.height()).center()
            )
            painter.setPen(Qt.PenStyle.NoPen)
            ground = bare.palette.color(roles.Mid)
            painter.setBrush(ground)
            painter.drawRoundedRect(groove, _BAR_PX / 2, _BAR_PX / 2)
            groove.setWidth(groove.width() * share)
            painter.setBrush(bare.palette.color(roles.Accent))
            painter.drawRoundedRect(groove, _BAR_PX / 2, _BAR_PX / 2)
        painter.restore()


_ALIGN: Final = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_ALIGN_RIGHT: Final = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
