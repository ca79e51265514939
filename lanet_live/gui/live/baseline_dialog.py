"""Measure a person's neutral face, or put a saved profile to use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from lanet_live.errors import LanetLiveError
from lanet_live.expression.baseline import BaselineProfile
from lanet_live.expression.profile_store import ProfileStore
from lanet_live.gui.bridge import Moment
from lanet_live.gui.live.baseline_capture import CAPTURE_S, BaselineCapture

_INTRODUCTION: Final = (
    "Some faces look a little sad or angry to the model while they rest. Let the person look into "
    f"the camera with a relaxed face for {CAPTURE_S:.0f} seconds; what the resting face shows is "
    "then taken off. The raw values are kept and recorded as well."
)
_NO_FACE: Final = "No face is in the picture."


@dataclass(frozen=True, slots=True)
class BaselineContext:
    """What the dialog needs to know of the run.

    Attributes:
        names: Of the faces that can be chosen, by id.
        model_sha256: Profiles fit one model only.
        min_quality: Frames of lower quality are left out.
    """

    names: Mapping[int, str]
    model_sha256: str
    min_quality: float


class BaselineDialog(QDialog):
    """Stays open beside the picture; one for the window's life."""

    profile_chosen = Signal(int, object)  # face id, BaselineProfile or None

    def __init__(self, store: ProfileStore, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Tool)
        self.setWindowTitle("Neutral baseline")
        self._store = store
        self._context = BaselineContext({}, "", 0.0)
        self._capture: BaselineCapture | None = None
        self._now_s = 0.0
        self._face = QComboBox()
        self._face.setAccessibleName("Face")
        self._name = QLineEdit()
        self._name.setMaxLength(60)
        self._name.setPlaceholderText("Name the profile is saved under")
        self._name.setAccessibleName("Name of the person")
        self._measure = QPushButton(f"Measure {CAPTURE_S:.0f} seconds")
        self._measure.setProperty("primary", True)
        self._progress = QProgressBar()
        self._progress.setRange(0, 100)
        self._progress.setTextVisible(False)
        self._progress.setMaximumHeight(8)
        self._progress.setAccessibleName("Progress of the measurement")
        self._result = QLabel()
        self._result.setWordWrap(True)
        self._result.setMinimumHeight(3 * self.fontMetrics().height())
        self._result.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._saved = QComboBox()
        self._saved.setAccessibleName("Saved profiles")
        self._saved.setPlaceholderText("None yet")
        self._use = QPushButton("Use")
        self._delete = QPushButton("Delete")
        self._clear = QPushButton("Stop correcting this face")
        self._lay_out()
        self._measure.clicked.connect(self._on_measure)
        self._use.clicked.connect(self._on_use)
        self._delete.clicked.connect(self._on_delete)
        self._clear.clicked.connect(self._on_clear)
        self._face.currentIndexChanged.connect(self._on_face_changed)

    def set_context(self, context: BaselineContext) -> None:
        """Take up the faces and the model of the moment."""
        if context == self._context:
            return
        is_other_model = context.model_sha256 != self._context.model_sha256
        self._context = context
        chosen = self._face.currentData()
        self._face.clear()
        for face_id, name in context.names.items():
            self._face.addItem(name, face_id)
        self._face.setCurrentIndex(max(0, self._face.findData(chosen)))
        self._show_enabled()
        if is_other_model:
            self._list_saved()

    def take(self, moment: Moment) -> None:
        """Take in one frame, for the measurement under way."""
        self._now_s = moment.timestamp_s
        capture = self._capture
        if capture is None:
            return
        capture.take(moment)
        self._progress.setValue(round(100 * capture.progress))
        if capture.is_done:
            self._finish(capture)
        elif capture.is_given_up:
            self._end("The face was away or not usable for too long. Try again in good light.")

    def event(self, event: QEvent) -> bool:
        """Keep Esc for itself: a tool window hands keys to the actions of the window behind it."""
        is_override = event.type() == QEvent.Type.ShortcutOverride
        if is_override and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    def _lay_out(self) -> None:
        introduction = QLabel(_INTRODUCTION)
        introduction.setWordWrap(True)
        introduction.setProperty("secondary", True)
        form = QFormLayout()
        form.addRow("&Face", self._face)
        form.addRow("&Name", self._name)
        saved = QHBoxLayout()
        saved.addWidget(self._saved, stretch=1)
        saved.addWidget(self._use)
        saved.addWidget(self._delete)
        heading = QLabel("Saved profiles")
        heading.setProperty("heading", True)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(10)
        column.addWidget(introduction)
        column.addLayout(form)
        column.addWidget(self._measure)
        column.addWidget(self._progress)
        column.addWidget(self._result)
        column.addWidget(heading)
        column.addLayout(saved)
        column.addWidget(self._clear)
        self.setMinimumWidth(64 * self.fontMetrics().averageCharWidth())
        self._show_enabled()

    def _on_measure(self) -> None:
        if self._capture is not None:
            self._end("Stopped.")
            return
        face_id = self._face.currentData()
        self._capture = BaselineCapture(face_id, self._now_s, self._context.min_quality)
        self._progress.setValue(0)
        self._measure.setText("Stop measuring")
        self._result.setText("Relaxed face, eyes on the camera …")
        self._show_enabled()

    def _finish(self, capture: BaselineCapture) -> None:
        try:
            found = capture.measure()
            profile = BaselineProfile(
                name=self._name.text().strip() or self._face.currentText(),
                labels=found.labels,
                offsets=tuple(float(offset) for offset in found.offsets),
                n_samples=found.n_samples,
                model_sha256=self._context.model_sha256,
                captured_at=datetime.now().astimezone().isoformat(timespec="seconds"),
            )
            self._store.save(profile)
        except LanetLiveError as error:
            self._end(str(error))
            return
        strongest = max(zip(profile.offsets, profile.labels, strict=True))
        what = (
            f"Mostly {strongest[1]} is taken off."
            if strongest[0] > 0
            else "The resting face already looks neutral; nothing is taken off."
        )
        self._end(" ".join([f"Saved as {profile.name} and in use. {what}", *found.warnings]))
        self._list_saved(profile.name)
        self.profile_chosen.emit(capture.face_id, profile)

    def _end(self, sentence: str) -> None:
        self._capture = None
        self._measure.setText(f"Measure {CAPTURE_S:.0f} seconds")
        self._result.setText(sentence)
        self._show_enabled()

    def _on_use(self) -> None:
        profile = self._saved.currentData()
        if profile is not None and self._face.currentData() is not None:
            self._result.setText(f"{profile.name} is in use.")
            self.profile_chosen.emit(self._face.currentData(), profile)

    def _on_delete(self) -> None:
        profile = self._saved.currentData()
        if profile is not None:
            self._store.delete(profile)
            self._result.setText(f"The profile {profile.name} is deleted.")
            self._list_saved()

    def _on_clear(self) -> None:
        if self._face.currentData() is not None:
            self._result.setText("The raw values are shown.")
            self.profile_chosen.emit(self._face.currentData(), None)

    def _on_face_changed(self, _row: int) -> None:
        self._name.setText(self._face.currentText())

    def _list_saved(self, select: str = "") -> None:
        self._saved.clear()
        for profile in self._store.profiles(self._context.model_sha256):
            self._saved.addItem(f"{profile.name}, {profile.captured_at[:10]}", profile)
            if profile.name == select:
                self._saved.setCurrentIndex(self._saved.count() - 1)
        self._show_enabled()

    def _show_enabled(self) -> None:
        has_face = self._face.count() > 0
        is_idle = self._capture is None
        self._measure.setEnabled(has_face or not is_idle)
        self._face.setEnabled(is_idle)
        self._name.setEnabled(is_idle)
        self._clear.setEnabled(has_face and is_idle)
        self._use.setEnabled(has_face and is_idle and self._saved.count() > 0)
        self._delete.setEnabled(is_idle and self._saved.count() > 0)
        if not has_face and is_idle:
            self._result.setText(_NO_FACE)
        elif has_face and self._result.text() == _NO_FACE:
            self._result.clear()
