"""The row above the picture: source, start, pause, record, markers, and what is drawn."""

from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from lanet_live.config import SourceConfig
from lanet_live.gui.icons import icon
from lanet_live.gui.widgets.divider import divider
from lanet_live.gui.widgets.tool_button import style_button

_RECORD_COLOR: Final = "#d8403b"  # reads on light and dark
# Captions by whether it is on, and the icon that goes with each.
_WITH_TEXT: Final = {
    "start_stop": (("Start", "play"), ("Stop", "stop")),
    "pause": (("Pause", "pause"), ("Go on", "play")),
    "record": (("Record", "record"), ("Finish", "record")),
    "lsl": (("LSL", "stream"),),
    "baseline": (("Baseline", "baseline"),),
    "note": (("Note", "note"),),
}
_BEGINS_GROUP: Final = ("record", "baseline")
_MIDDLE: Final = Qt.TextElideMode.ElideMiddle
_ICONS_ONLY: Final = ("box", "mesh", "landmarks", "axes", "label")


class LiveToolBar(QWidget):
    """Buttons of the Live workspace; their actions belong to the workspace."""

    def __init__(self, actions: Mapping[str, QAction], source_menu: QMenu) -> None:
        super().__init__()
        self.source = QToolButton()
        self.source.setText("Choose a source")
        self.source.setIcon(icon("camera"))
        self.source.setToolTip("Choose a camera or a file (Ctrl+K).")
        self.source.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.source.setMenu(source_menu)
        self.recording = QLabel()
        self.recording.setProperty("recording", True)
        self.recording.setAccessibleName("Recording")
        self.recording.setVisible(False)
        self._buttons = {key: QToolButton() for key in (*_WITH_TEXT, *_ICONS_ONLY)}
        for key, button in self._buttons.items():
            button.setDefaultAction(actions[key])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        row.addWidget(style_button(self.source, has_text=True))
        for key, captions in _WITH_TEXT.items():
            if key in _BEGINS_GROUP:
                row.addWidget(divider())
            button = style_button(self._buttons[key], has_text=True)
            widths = []
            for place in reversed(range(len(captions))):
                self._set(key, place=place)
                widths.append(button.sizeHint().width())
            # Wide enough for both captions, so that nothing moves when it changes.
            button.setMinimumWidth(max(widths))
            row.addWidget(button)
            if key == "record":
                row.addWidget(self.recording)
        row.addStretch(1)
        row.addWidget(QLabel("Show"))
        for key in _ICONS_ONLY:
            self._buttons[key].setAccessibleName(f"Show {actions[key].text().lower()}")
            row.addWidget(style_button(self._buttons[key], has_text=False))

    def show_running(self, *, is_running: bool, is_paused: bool, is_recording: bool) -> None:
        """Let the buttons say what pressing them does now."""
        self._set("start_stop", place=int(is_running))
        self._set("pause", place=int(is_paused))
        self._set("record", place=int(is_recording))

    def show_source(self, source: SourceConfig) -> None:
        """Name the chosen source on its button."""
        is_file = source.path is not None
        self.source.setIcon(icon("file" if is_file else "camera"))
        name = source.path.name if source.path else source.title.capitalize()
        self.source.setText(self.source.fontMetrics().elidedText(name, _MIDDLE, 180))
        self.source.setAccessibleName(f"Source: {source.title}")

    def show_recording(self, text: str) -> None:
        """Show how long it has been recording; empty when it is not."""
        self.recording.setText(text)
        self.recording.setVisible(bool(text))

    def _set(self, key: str, *, place: int) -> None:
        button = self._buttons[key]
        text, icon_name = _WITH_TEXT[key][place]
        if button.accessibleName() != text:
            action = button.defaultAction()
            action.setIcon(icon(icon_name, color=_RECORD_COLOR if key == "record" else None))
            action.setIconText(text)
            button.setAccessibleName(text)
