"""Begins and ends the recording of a session, and keeps the user informed."""

from datetime import datetime
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QWidget

from lanet_live.config import LiveConfig
from lanet_live.errors import SinkError
from lanet_live.expression.baseline import BaselineProfile
from lanet_live.gui.live.recording_options import (
    RecordingOptions,
    RecordingOptionsDialog,
    default_options,
)
from lanet_live.gui.live.run import LiveRun
from lanet_live.gui.messages import Message
from lanet_live.gui.settings import Settings
from lanet_live.gui.widgets.lane import format_time
from lanet_live.sessions.events import SessionEvent
from lanet_live.sessions.layout import create_session_folder
from lanet_live.sessions.recorder import SessionRecorder
from lanet_live.sessions.session_file import VIDEO_CHOICES, RecordingPlan, live_settings

_CHECK_MS: Final = 250


class RecordingControl(QObject):
    """One recording at a time. Lives in the GUI thread; the runner's worker writes."""

    changed = Signal()
    begun = Signal()
    finished = Signal(object, str)  # folder, why it ended early or ""
    message_raised = Signal(object)  # messages.Message

    def __init__(self, run: LiveRun, config: LiveConfig, window: QWidget) -> None:
        """Record nothing yet.

        Args:
            run: What is recorded.
            config: Of the application, for the session's description.
            window: Dialogs open over it.
        """
        super().__init__(window)
        self._run = run
        self._config = config
        self._window = window
        self._options = default_options()
        self._dialog: RecordingOptionsDialog | None = None
        self._recorder: SessionRecorder | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_CHECK_MS)
        self._timer.timeout.connect(self._check)
        run.ended.connect(self._forget)

    @property
    def is_recording(self) -> bool:
        """Whether results are being recorded."""
        return self._recorder is not None

    @property
    def text(self) -> str:
        """How long it has been recording; empty when it is not."""
        if self._recorder is None:
            return ""
        counts = self._recorder.counts
        return f"● {format_time((counts.last_s or 0.0) - (counts.first_s or 0.0))}"

    @property
    def options(self) -> RecordingOptions:
        """Where to, and whether pictures are stored."""
        return self._options

    def set_options(self, options: RecordingOptions) -> None:
        """Use these from the next recording on."""
        self._options = options

    def toggle(self) -> None:
        """Begin to record a session, or finish it."""
        runner = self._run.runner
        if runner is not None and self._recorder is not None:
            runner.remove_sink(self._recorder)
            self._forget()
        elif self._run.setup is None or not self._run.state.is_active:
            text = "There is nothing to record yet: start a camera or a file first."
            self.message_raised.emit(Message("info", text, timeout_s=6))
        else:
            try:
                self._begin()
            except SinkError as error:
                text = f"The recording cannot begin. {error} The options are under Ctrl+R."
                self.message_raised.emit(Message("error", text))

    def show_options(self) -> None:
        """Ask where to record and what."""
        self._dialog = RecordingOptionsDialog(self._options, self._window)
        self._dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._dialog.accepted.connect(self._on_options_accepted)
        self._dialog.open()

    def add_event(self, event: SessionEvent) -> None:
        """Record an event, if there is a recording."""
        if self._recorder is not None:
            try:
                self._recorder.add_event(event)
            except SinkError as error:
                self.message_raised.emit(Message("error", f"The marker is not recorded. {error}"))

    def name_face(self, face_id: int, name: str) -> None:
        """Record a name, if there is a recording."""
        if self._recorder is not None:
            self._recorder.name_face(face_id, name)

    def set_baseline(self, face_id: int, profile: BaselineProfile | None, from_s: float) -> None:
        """Record a correction, if there is a recording."""
        if self._recorder is not None:
            try:
                self._recorder.set_baseline(face_id, profile, from_s)
            except SinkError as error:
                text = f"The baseline is not in the session's description. {error}"
                self.message_raised.emit(Message("error", text))

    def restore(self, settings: Settings) -> None:
        """Take up the options of the last run."""
        root, video = settings.text("live.sessions"), settings.text("live.video")
        self._options = RecordingOptions(
            Path(root) if root else self._options.root,
            video if video in VIDEO_CHOICES else self._options.video,
        )

    def remember(self, settings: Settings) -> None:
        """Keep the options for the next run."""
        settings.set("live.sessions", str(self._options.root))
        settings.set("live.video", self._options.video)

    def _begin(self) -> None:
        """Record from the next frame on."""
        runner, setup, source = self._run.runner, self._run.setup, self._run.source
        if runner is None or setup is None or source is None:
            return
        model_path = self._config.engine.model_path
        settings = live_settings(
            self._config, source=source.title, model_file=model_path.name if model_path else ""
        )
        plan = RecordingPlan(setup, settings, self._options.video)
        folder = create_session_folder(
            self._options.root, setup.facts.source_id, datetime.now().astimezone()
        )
        self._recorder = SessionRecorder(folder, plan)
        # Names and baselines are passed on first, so that they hold from the first frame on.
        self.begun.emit()
        runner.add_sink(self._recorder)
        self._timer.start()
        self.changed.emit()

    def _check(self) -> None:
        """Look whether the recording still goes on, and let the clock be shown."""
        if self._recorder is not None and self._recorder.failure is not None:
            self._forget()
        else:
            self.changed.emit()

    def _forget(self) -> None:
        """Take note that the recording is over; the worker closes its files."""
        recorder, self._recorder = self._recorder, None
        self._timer.stop()
        if recorder is not None:
            self.changed.emit()
            self.finished.emit(recorder.folder, recorder.failure or "")

    def _on_options_accepted(self) -> None:
        if self._dialog is not None:
            self._options = self._dialog.options
