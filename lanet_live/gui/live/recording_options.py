"""Where sessions are recorded, and whether pictures are stored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_documents_path
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from lanet_live.gui.widgets.dialog_buttons import dialog_buttons
from lanet_live.sessions.session_file import VIDEO_CHOICES

_VIDEO_TEXTS: Final = {
    "none": "Numbers only: no picture is stored",
    "blurred": "Also a video with blurred faces (a face the tracker misses is not blurred)",
    "clear": "Also a video with the faces as they are",
}


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """What the user chose.

    Attributes:
        root: Sessions are made in here.
        video: One of `lanet_live.sessions.session_file.VIDEO_CHOICES`.
    """

    root: Path
    video: str = "none"


def default_options() -> RecordingOptions:
    """Return numbers only, into the user's documents."""
    return RecordingOptions(user_documents_path() / "LA-Net Live")


class RecordingOptionsDialog(QDialog):
    """Where to, and whether pictures are stored."""

    def __init__(self, options: RecordingOptions, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Recording options")
        self._root = QLineEdit(str(options.root))
        self._root.setAccessibleName("Folder for sessions")
        browse = QPushButton("Browse…")
        browse.clicked.connect(self._on_browse)
        row = QHBoxLayout()
        row.addWidget(self._root, stretch=1)
        row.addWidget(browse)
        self._choices = {video: QRadioButton(_VIDEO_TEXTS[video]) for video in VIDEO_CHOICES}
        self._choices[options.video].setChecked(True)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addWidget(_heading("Sessions are stored in"))
        column.addLayout(row)
        column.addSpacing(6)
        column.addWidget(_heading("What is stored"))
        for choice in self._choices.values():
            column.addWidget(choice)
        column.addSpacing(6)
        column.addWidget(dialog_buttons(self))
        self.setMinimumWidth(520)

    @property
    def options(self) -> RecordingOptions:
        """What was chosen."""
        video = next(name for name, choice in self._choices.items() if choice.isChecked())
        return RecordingOptions(Path(self._root.text()).expanduser(), video)

    def _on_browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for sessions", self._root.text())
        if folder:
            self._root.setText(folder)


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("heading", True)
    return label
