"""A thin line between groups of a row."""

from PySide6.QtWidgets import QFrame


def divider() -> QFrame:
    """Return a vertical line in the colour of lines."""
    line = QFrame()
    line.setObjectName("divider")
    line.setFixedWidth(1)
    return line
