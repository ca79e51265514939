"""The Live workspace: picture, faces and timeline around one run."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtWidgets import QFileDialog, QSplitter, QVBoxLayout

from lanet_engines.errors import EngineError
from lanet_live.config import LiveConfig, SourceConfig
from lanet_live.errors import LanetLiveError
from lanet_live.expression.baseline import BaselineProfile
from lanet_live.expression.prior import Prior
from lanet_live.expression.profile_store import ProfileStore
from lanet_live.gui.bridge import Delivery
from lanet_live.gui.live.actions import LIVE_ACTIONS
from lanet_live.gui.live.baseline_dialog import BaselineContext, BaselineDialog
from lanet_live.gui.live.face_book import FaceBook
from lanet_live.gui.live.faces_panel import FacesPanel
from lanet_live.gui.live.markers import MarkerControl
from lanet_live.gui.live.narration import message_for, status_of
from lanet_live.gui.live.picture_panel import PicturePanel
from lanet_live.gui.live.prior_control import PriorControl
from lanet_live.gui.live.recording import RecordingControl
from lanet_live.gui.live.run import LiveRun, RunnerFactory
from lanet_live.gui.live.source_menu import SourceMenu, source_of
from lanet_live.gui.live.streaming import StreamingControl
from lanet_live.gui.live.timeline_panel import TimelinePanel
from lanet_live.gui.live.tool_bar import LiveToolBar
from lanet_live.gui.messages import Message, describe_error
from lanet_live.gui.settings import Settings
from lanet_live.gui.widgets.overlay import Overlays
from lanet_live.gui.workspace import Workspace
from lanet_live.review.recording import can_open
from lanet_live.run.live_events import CameraBack, CameraLost, RunState, StateChanged
from lanet_live.run.pipeline import Pipeline
from lanet_live.run.processor import FrameProcessor
from lanet_live.sessions.events import SessionEvent
from lanet_live.sinks.metadata import RunSetup

_SMOOTHING_S: Final = 0.3
# Numbers that change more often cannot be read.
_CARDS_MS: Final = 120
_STATUS_MS: Final = 500
_REMEMBERED: Final = ("box", "mesh", "landmarks", "axes", "label", "lines", "raw")
_ON_AT_FIRST: Final = ("box", "landmarks", "label")
_VIDEO_FILTER: Final = (
    "Videos (*.mp4 *.mov *.mkv *.avi *.webm *.m4v *.mpg *.mpeg *.wmv);;All files (*)"
)


class LiveWorkspace(Workspace):
    """A camera, or a file as if live."""

    key = "live"
    title = "Live"
    icon_name = "live"
    tooltip = "Analyse a camera, or a file as if live"
    action_infos = LIVE_ACTIONS

    def __init__(
        self, config: LiveConfig, runner_factory: RunnerFactory, profiles: ProfileStore
    ) -> None:
        """Build the workspace; nothing runs until it is first in front.

        Args:
            config: Of the application; its first source is started at first.
            runner_factory: Makes the runners.
            profiles: Saved neutral baselines.
        """
        super().__init__()
        self._source: SourceConfig | None = config.sources[0] if config.sources else None
        self._is_start_due = self._source is not None
        self._is_camera_away = False
        self._book = FaceBook()
        self.run = LiveRun(runner_factory, self)
        self.recording = RecordingControl(self.run, config, self)
        self.prior = PriorControl(self.run, config.pipeline.prior, self)
        self.streaming = StreamingControl(self.run, self.actions_by_key["lsl"], self)
        self.markers = MarkerControl(self._marker_time, self)
        self.picture = PicturePanel(self.actions_by_key)
        self.faces = FacesPanel()
        self.timeline = TimelinePanel(self.actions_by_key)
        self.sources = SourceMenu(self.actions_by_key["open_file"], self)
        self.tool_bar = LiveToolBar(self.actions_by_key, self.sources.menu)
        self.baseline = BaselineDialog(profiles, self)
        self._lay_out()
        self._cards_timer = self._make_timer(_CARDS_MS, self._show_cards)
        self._status_timer = self._make_timer(_STATUS_MS, self._show_status)
        self.connect_actions()
        self._connect()
        if config.pipeline.smoothing_s is not None:
            self.actions_by_key["smooth"].setChecked(True)
        self.actions_by_key["lsl"].setChecked(config.with_lsl)
        self._show_state()

    @property
    def book(self) -> FaceBook:
        """The faces of the run."""
        return self._book

    # The workspace's side of the shell --------------------------------------------------------

    def activate(self) -> None:
        """Start the source given on the command line, the first time."""
        self._cards_timer.start()
        self._status_timer.start()
        if self._is_start_due and self._source is not None:
            self.start(self._source)

    def deactivate(self) -> None:
        """Draw nothing while another workspace is in front; the run goes on."""
        self._cards_timer.stop()

    def accepts(self, path: Path) -> bool:
        """Whatever is there can be tried; what cannot be played says so."""
        return path.exists()

    def open_path(self, path: Path) -> None:
        """Play a file or a folder of pictures; a recording is offered to the Review workspace."""
        if not can_open(path):
            self.start(source_of(path))
            return
        text = f"{path.name} is a recording; it is looked at in Review, not played here."
        open_it = partial(self.handed_over.emit, "review", path)
        self.message_raised.emit(Message("info", text, "Open in Review", open_it))

    def restore(self, settings: Settings) -> None:
        """Take up what was remembered."""
        for key in _REMEMBERED:
            is_on = settings.flag(f"live.{key}", default=key in _ON_AT_FIRST)
            self.actions_by_key[key].setChecked(is_on)
        self.update_overlays()
        self.timeline.timeline.set_window(settings.number("live.window_s", 30.0))
        self.markers.book.set_names(settings.texts("live.markers"))
        self.sources.set_recent(tuple(Path(p) for p in settings.texts("live.recent")))
        self.recording.restore(settings)
        for key, splitter in self._splitters.items():
            splitter.restoreState(QByteArray.fromBase64(settings.text(key).encode()))

    def remember(self, settings: Settings) -> None:
        """Put into the settings what the next run should know."""
        for key in _REMEMBERED:
            settings.set(f"live.{key}", self.actions_by_key[key].isChecked())
        settings.set("live.window_s", self.timeline.timeline.window_s)
        settings.set("live.markers", self.markers.book.names)
        settings.set("live.recent", tuple(str(path) for path in self.sources.recent))
        self.recording.remember(settings)
        for key, splitter in self._splitters.items():
            settings.set(key, bytes(splitter.saveState().toBase64().data()).decode())

    def shut_down(self) -> None:
        """Stop the run and wait for it."""
        self._cards_timer.stop()
        self._status_timer.stop()
        self.baseline.close()
        self.prior.dialog.close()
        self.run.shut_down()

    # Actions, named in live.actions -----------------------------------------------------------

    def start(self, source: SourceConfig) -> None:
        """Run a source; what ran before is stopped."""
        self._is_start_due = False
        self._source = source
        self.tool_bar.show_source(source)
        if source.path is not None:
            self.sources.remember(source.path)
        try:
            self.run.start(source)
        except (LanetLiveError, EngineError) as error:
            self.message_raised.emit(Message("error", describe_error(error)))

    def choose_file(self) -> None:
        """Ask for a video and play it."""
        path, _ = QFileDialog.getOpenFileName(self, "Open a file", "", _VIDEO_FILTER)
        if path:
            self.open_path(Path(path))

    def show_source_menu(self) -> None:
        """Open the list of cameras and files."""
        self.tool_bar.source.showMenu()

    def toggle_running(self) -> None:
        """Start the chosen source, or stop it."""
        if self.run.state.is_active:
            self.run.stop()
        elif self._source is not None:
            self.start(self._source)
        else:
            self.show_source_menu()

    def toggle_pause(self) -> None:
        """Hold the source, or go on."""
        self.run.toggle_pause()

    def update_overlays(self, _is_on: bool = False) -> None:
        """Draw what is switched on."""
        is_on = {key: self.actions_by_key[key].isChecked() for key in _REMEMBERED}
        self.picture.view.set_overlays(
            Overlays(
                has_box=is_on["box"],
                has_mesh=is_on["mesh"],
                has_landmarks=is_on["landmarks"],
                has_axes=is_on["axes"],
                has_label=is_on["label"],
            )
        )

    def set_smoothing(self, is_on: bool) -> None:
        """Smooth what is shown from the next frame on, or stop it."""
        if self.run.runner is not None:
            self.run.runner.submit(
                partial(_smooth, time_constant_s=_SMOOTHING_S if is_on else None)
            )

    def show_baseline(self) -> None:
        """Open the dialog of the neutral baseline beside the picture."""
        self._inform_baseline_dialog()
        self.baseline.show()
        self.baseline.raise_()
        self.baseline.activateWindow()

    # What arrives -----------------------------------------------------------------------------

    def _on_delivered(self, delivery: Delivery) -> None:
        for event in delivery.events:
            self._on_event(event)
        readings = {}
        for moment in delivery.moments:
            readings = self._book.take(moment)
            self.baseline.take(moment)
            self.prior.take(moment)
        if delivery.moments:
            self.timeline.take_labels()
            self.timeline.timeline.advance_to(self._book.now_s)
        if delivery.newest is not None:
            self.picture.show_picture()
            self.picture.view.show_result(delivery.newest, readings)

    def _on_event(self, event: object) -> None:
        message = message_for(event)
        if message is not None:
            self.message_raised.emit(message)
        if isinstance(event, StateChanged):
            self._on_state(event.state)
        elif isinstance(event, CameraLost | CameraBack):
            self._is_camera_away = isinstance(event, CameraLost)
        elif isinstance(event, RunSetup):
            self.timeline.timeline.set_limits(event.max_uncertainty, event.min_quality)
            if self.actions_by_key["smooth"].isChecked():
                self.set_smoothing(True)
            self.prior.begin(event)
            self.streaming.begin()
        self._show_status()

    def _on_state(self, state: RunState) -> None:
        self._is_camera_away = False
        if state is RunState.OPENING:
            self._begin_run()
        elif state is RunState.FAILED and self.picture.view.result is None:
            self.picture.invite()
        self._show_state()

    def _begin_run(self) -> None:
        """Forget the run before."""
        self._book = FaceBook()
        self.markers.book.events.clear()
        self.faces.clear()
        self.timeline.show_book(self._book)
        self.timeline.timeline.set_markers(())
        self.picture.view.show_result(None, {})
        title = self._source.title if self._source else ""
        self.picture.wait("Opening …", f"{title}\nThe source and the model are being opened.")

    def _on_prior_changed(self, prior: Prior | None) -> None:
        self._book.prior = prior

    def _on_recording_finished(self, folder: Path, reason: str) -> None:
        if not reason:
            text = f"The session is recorded in {folder}."
            open_it = partial(self.handed_over.emit, "review", folder)
            self.message_raised.emit(Message("info", text, "Open it", open_it))

    def _on_recording_begun(self) -> None:
        for face in self._book.faces.values():
            self.recording.name_face(face.face_id, face.name)
            if face.baseline is not None:
                self.recording.set_baseline(face.face_id, face.baseline, self._book.now_s)

    def _on_renamed(self, face_id: int, name: str) -> None:
        self._book.rename(face_id, name)
        self.recording.name_face(face_id, self._book.faces[face_id].name)
        self.timeline.set_lanes(self.faces.chosen)

    def _on_profile_chosen(self, face_id: int, profile: BaselineProfile | None) -> None:
        if face_id in self._book.faces:
            self._book.set_baseline(face_id, profile)
            self.recording.set_baseline(face_id, profile, self._book.now_s)

    def _on_marker_added(self, event: SessionEvent) -> None:
        self.timeline.timeline.set_markers(tuple(self.markers.book.events))
        self.recording.add_event(event)
        self.streaming.add_event(event)

    def _marker_time(self) -> float | None:
        return self._book.now_s if self._book.faces or self.run.facts else None

    # Showing ----------------------------------------------------------------------------------

    def _show_cards(self) -> None:
        setup = self.run.setup
        limits = (setup.max_uncertainty, setup.min_quality) if setup else None
        self.faces.show_faces(
            self._book.faces, self._book.now_s, result=self.picture.view.result, limits=limits
        )
        if self.baseline.isVisible():
            self._inform_baseline_dialog()

    def _show_status(self) -> None:
        recent_ms = tuple(self.picture.view.latency_ms)[-90:]
        latency_ms = float(np.median(recent_ms)) if recent_ms else None
        facts = status_of(self.run, is_camera_away=self._is_camera_away, latency_ms=latency_ms)
        self.status_changed.emit(facts)

    def _show_state(self) -> None:
        state = self.run.state
        self.tool_bar.show_running(
            is_running=state.is_active,
            is_paused=state is RunState.PAUSED,
            is_recording=self.recording.is_recording,
        )
        self.tool_bar.show_recording(self.recording.text)
        self.prior.set_recording(self.recording.is_recording)
        self._show_status()

    def _inform_baseline_dialog(self) -> None:
        setup = self.run.setup
        names = {face.face_id: face.name for face in self._book.present}
        sha256 = setup.engine.model_sha256 if setup else ""
        min_quality = setup.min_quality if setup else 0.0
        self.baseline.set_context(BaselineContext(names, sha256, min_quality))

    # Assembly ---------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        above = QSplitter(Qt.Orientation.Horizontal)
        above.addWidget(self.picture)
        above.addWidget(self.faces)
        above.setStretchFactor(0, 1)
        above.setStretchFactor(1, 0)
        above.setSizes([900, 300])
        whole = QSplitter(Qt.Orientation.Vertical)
        whole.addWidget(above)
        whole.addWidget(self.timeline)
        whole.setStretchFactor(0, 11)
        whole.setStretchFactor(1, 9)
        whole.setSizes([350, 310])
        self._splitters = {"live.columns": above, "live.rows": whole}
        for splitter in self._splitters.values():
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(8)
        self.faces.setMinimumWidth(31 * self.fontMetrics().averageCharWidth())
        self.timeline.setMinimumHeight(150)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.tool_bar)
        column.addWidget(whole, stretch=1)

    def _connect(self) -> None:
        self.run.delivered.connect(self._on_delivered)
        self.prior.changed.connect(self._on_prior_changed)
        for control in (self.recording, self.streaming, self.prior):
            control.message_raised.connect(self.message_raised)
        self.recording.changed.connect(self._show_state)
        self.recording.begun.connect(self._on_recording_begun)
        self.recording.finished.connect(self._on_recording_finished)
        self.markers.added.connect(self._on_marker_added)
        self.faces.renamed.connect(self._on_renamed)
        self.faces.lanes_chosen.connect(self.timeline.set_lanes)
        self.sources.chosen.connect(self.start)
        self.baseline.profile_chosen.connect(self._on_profile_chosen)

    def _make_timer(self, interval_ms: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval_ms)
        timer.timeout.connect(slot)
        return timer


def _smooth(pipeline: FrameProcessor, *, time_constant_s: float | None) -> None:
    """Change the smoothing; called in the worker thread, between two frames."""
    if isinstance(pipeline, Pipeline):
        pipeline.set_smoothing(time_constant_s)
