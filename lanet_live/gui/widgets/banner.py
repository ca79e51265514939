"""Messages inside the window: what happened and what to do, never a dialog in the way."""

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from lanet_live.gui.icons import icon
from lanet_live.gui.messages import Message

_ICON_NAMES = {"info": "info", "warning": "warning", "error": "error"}


class Banner(QWidget):
    """Shows one message at a time; the next waits until this one is dismissed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._waiting: list[Message] = []
        self._shown: Message | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        self._symbol = QLabel()
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._action = QPushButton()
        self._action.clicked.connect(self._on_action)
        self._close = QToolButton()
        self._close.setIcon(icon("close"))
        self._close.setIconSize(QSize(14, 14))
        self._close.setToolTip("Dismiss this message (Esc)")
        self._close.setAccessibleName("Dismiss this message")
        self._close.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 6, 6)
        row.setSpacing(10)
        for widget in (self._symbol, self._text, self._action, self._close):
            row.addWidget(widget, stretch=1 if widget is self._text else 0)
        self.hide()

    @property
    def text(self) -> str:
        """The sentence on show; empty when there is none."""
        return self._shown.text if self._shown else ""

    def show_message(self, message: Message) -> None:
        """Show a message, now or after those before it; the same one is not shown twice."""
        if message == self._shown or message in self._waiting:
            return
        if self._shown is not None and self._shown.level != "info":
            self._waiting.append(message)
            return
        self._present(message)

    def dismiss(self) -> None:
        """Put the message away and show the next."""
        self._shown = None
        self._timer.stop()
        if self._waiting:
            self._present(self._waiting.pop(0))
        else:
            self.hide()

    def _present(self, message: Message) -> None:
        self._shown = message
        self.setProperty("level", message.level)
        self._symbol.setPixmap(icon(_ICON_NAMES[message.level]).pixmap(QSize(20, 20)))
        self._text.setText(message.text)
        self._text.setAccessibleName(f"{message.level}: {message.text}")
        self._action.setText(message.action_text)
        self._action.setVisible(bool(message.action_text))
        for widget in (self, self._text):
            widget.style().unpolish(widget)
            widget.style().polish(widget)
        self._timer.stop()
        if message.timeout_s is not None:
            self._timer.start(round(message.timeout_s * 1000))
        self.show()

    def _on_action(self) -> None:
        action = self._shown.on_action if self._shown else None
        self.dismiss()
        if action is not None:
            action()
