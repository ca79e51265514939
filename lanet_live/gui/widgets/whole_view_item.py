"""What is drawn over a whole plot, whatever range it shows."""

import pyqtgraph as pg
from PySide6.QtCore import QRectF


class WholeViewItem(pg.GraphicsObject):
    """An item that is as large as what is visible, and asks for no more room."""

    def boundingRect(self) -> QRectF:
        """Cover everything visible."""
        return self.viewRect() or QRectF()

    def viewRangeChanged(self) -> None:
        """Follow the visible range."""
        self.prepareGeometryChange()
