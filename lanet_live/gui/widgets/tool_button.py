"""The look all tool buttons share."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QToolButton


def style_button(button: QToolButton, *, has_text: bool) -> QToolButton:
    """Give a button its size, its outline where it has words, and the keyboard's focus."""
    button.setIconSize(QSize(18, 18))
    button.setProperty("outlined", has_text)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if has_text:
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return button


def action_button(action: QAction, *, has_text: bool = True) -> QToolButton:
    """Make the button of an action."""
    button = QToolButton()
    button.setDefaultAction(action)
    return style_button(button, has_text=has_text)
