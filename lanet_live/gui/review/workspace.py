"""The Review workspace: a recording with picture, plot, edits, summary and exports."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QSplitter, QTabWidget, QVBoxLayout, QWidget

from lanet_live.gui.messages import Message, describe_error
from lanet_live.gui.review.actions import REVIEW_ACTIONS
from lanet_live.gui.review.comparing import CompareControl
from lanet_live.gui.review.document import Loaded, ReviewDocument, load
from lanet_live.gui.review.drops import DropControl
from lanet_live.gui.review.editing import EditControl
from lanet_live.gui.review.events_panel import EventsPanel
from lanet_live.gui.review.export_progress import ExportProgress
from lanet_live.gui.review.exports import ExportControl
from lanet_live.gui.review.faces_panel import ReviewFaces
from lanet_live.gui.review.jobs import BackgroundJobs, Job
from lanet_live.gui.review.limits_panel import LimitsPanel
from lanet_live.gui.review.picture_panel import ReviewPicture
from lanet_live.gui.review.pictures import Picture, PictureLoader
from lanet_live.gui.review.player import Player
from lanet_live.gui.review.summary_panel import SummaryPanel
from lanet_live.gui.review.summing import SummaryControl
from lanet_live.gui.review.timeline_panel import ReviewTimelinePanel
from lanet_live.gui.review.tool_bar import ReviewToolBar
from lanet_live.gui.settings import Settings
from lanet_live.gui.widgets.overlay import Overlays
from lanet_live.gui.workspace import StatusFacts, Workspace
from lanet_live.review.edits_file import write_edits
from lanet_live.review.recording import can_open

_TABLE_FILTER: Final = "Tables (*.csv *.parquet);;All files (*)"
_VIDEO_FILTER: Final = (
    "Videos (*.mp4 *.mov *.mkv *.avi *.webm *.m4v *.mpg *.mpeg *.wmv);;All files (*)"
)
_NEEDS_RECORDING: Final = (
    *("play", "frame_back", "frame_ahead", "second_back", "second_ahead", "to_begin", "to_end"),
    *("mark_in", "mark_out", "select_none", "exclude", "add_event", "merge", "review_video"),
    *(
        "compare",
        "compare_table",
        "export_table",
        "export_selection",
        "export_plot",
        "export_video",
        "export_report",
    ),
)
_REMEMBERED: Final = ("review_lines", "review_box", "review_label")


class ReviewWorkspace(Workspace):
    """A recorded session, or an exported table with its video."""

    key = "review"
    title = "Review"
    icon_name = "review"
    tooltip = "Look through a recording, edit it, sum it up and export it"
    action_infos = REVIEW_ACTIONS

    def __init__(self) -> None:
        super().__init__()
        self.jobs = BackgroundJobs(self)
        self.pictures = PictureLoader(self)
        self.document = ReviewDocument(self)
        self.player = Player(self.document, self.pictures, self)
        self.picture = ReviewPicture(self.actions_by_key)
        self.faces = ReviewFaces(self.document)
        self.events = EventsPanel(self.document)
        self.summary = SummaryPanel()
        self.limits = LimitsPanel(self.document)
        self.timeline_panel = ReviewTimelinePanel(self.document, self.actions_by_key)
        self.timeline = self.timeline_panel.timeline
        self.editing = EditControl(self.document, self.player, self.timeline, self)
        self.summing = SummaryControl(self.document, self.jobs, self.summary, self)
        self.exports = ExportControl(self.document, self.timeline, self.summing, self)
        self.comparing = CompareControl(
            self.document,
            self.jobs,
            self.timeline,
            self.player,
            end_action=self.actions_by_key["compare_end"],
            window=self,
        )
        self.drops = DropControl(
            self, open_path=self.open_path, compare_path=self.comparing.open_path
        )
        self.progress = ExportProgress(self.exports.jobs, self.actions_by_key["cancel_export"])
        self.tool_bar = ReviewToolBar(self.actions_by_key, self.player)
        self._lay_out()
        self.connect_actions()
        self._connect()
        self.actions_by_key["corrected"].setEnabled(False)
        self._show_exporting()
        self._show_comparison()
        self._show_state()

    # The workspace's side of the shell --------------------------------------------------------

    def activate(self) -> None:
        """Show what is open."""
        self._show_status()

    def deactivate(self) -> None:
        """Hold while another workspace is in front."""
        self.player.hold()

    def accepts(self, path: Path) -> bool:
        """Sessions and tables."""
        return can_open(path)

    def open_path(self, path: Path) -> None:
        """Open a session or a table in the background."""
        self.player.hold()
        if self.document.recording is None:
            self.picture.wait("Opening …")
        self.jobs.submit(Job("open", partial(load, path), self._on_loaded, self._on_open_failed))

    def take_drop(self, paths: Sequence[Path]) -> None:
        """Open a recording, compare two, or ask."""
        recording = self.document.recording
        self.drops.take(paths, shown_title=recording.title if recording else "")

    def restore(self, settings: Settings) -> None:
        """Take up what was remembered."""
        for key in _REMEMBERED:
            is_on = settings.flag(f"review.{key}", default=key != "review_lines")
            self.actions_by_key[key].setChecked(is_on)
        self.update_overlays()

    def remember(self, settings: Settings) -> None:
        """Put into the settings what the next run should know."""
        for key in _REMEMBERED:
            settings.set(f"review.{key}", self.actions_by_key[key].isChecked())

    def shut_down(self) -> None:
        """Stop all work; edits that wait are written."""
        self.player.hold()
        self.summing.stop()
        self.pictures.close()
        self.exports.jobs.close()
        self.jobs.close()

    # Actions, named in review.actions ---------------------------------------------------------

    def choose_session(self) -> None:
        """Ask for a session folder."""
        if path := QFileDialog.getExistingDirectory(self, "Open a session"):
            self.open_path(Path(path))

    def choose_table(self) -> None:
        """Ask for a table."""
        path, _ = QFileDialog.getOpenFileName(self, "Open a table", "", _TABLE_FILTER)
        if path:
            self.open_path(Path(path))

    def choose_video(self) -> None:
        """Ask for the video of the recording."""
        path, _ = QFileDialog.getOpenFileName(self, "Choose its video", "", _VIDEO_FILTER)
        if path:
            self.use_video(Path(path), shift_s=0.0)

    def use_video(self, path: Path, *, shift_s: float) -> None:
        """Show the pictures of a video."""
        self.pictures.open(path, shift_s=shift_s)
        self.exports.use_video(path, shift_s=shift_s)
        self.pictures.ask(self.player.time_s)

    def step_back(self) -> None:
        """Go one frame back."""
        self.player.step(-1)

    def step_ahead(self) -> None:
        """Go one frame ahead."""
        self.player.step(1)

    def second_back(self) -> None:
        """Go a second back."""
        self.player.seek(self.player.time_s - 1)

    def second_ahead(self) -> None:
        """Go a second ahead."""
        self.player.seek(self.player.time_s + 1)

    def to_begin(self) -> None:
        """Go to the first frame."""
        self.player.seek(self.document.span_s[0])

    def to_end(self) -> None:
        """Go to the last frame."""
        self.player.seek(self.document.span_s[1])

    def set_only_reliable(self, is_on: bool) -> None:
        """Leave out what is not reliable, in plot and summary."""
        self.timeline.set_hiding(is_on)
        self.comparing.set_only_reliable(is_on)
        self.summing.set_only_reliable(is_on)

    def set_corrected(self, is_on: bool) -> None:
        """Show values corrected by neutral baselines, or those measured."""
        self.document.set_corrected(is_on)
        self.comparing.set_corrected(is_on)

    def update_overlays(self, _is_on: bool = False) -> None:
        """Draw what is switched on."""
        self.picture.view.set_overlays(
            Overlays(
                has_box=self.actions_by_key["review_box"].isChecked(),
                has_landmarks=False,
                has_label=self.actions_by_key["review_label"].isChecked(),
            )
        )

    # What arrives -----------------------------------------------------------------------------

    def _on_loaded(self, loaded: Loaded) -> None:
        self.faces.forget()
        self.pictures.close()
        self.exports.use_video(None)
        self.summary.show_summaries((), ())
        self.document.show(loaded)
        recording = loaded.recording
        if recording.notice:
            self.message_raised.emit(Message("warning", recording.notice))
        if recording.video_path is None:
            why = "No video is stored with this recording, or it is not where it was."
            self.picture.miss(why)
        else:
            self.use_video(recording.video_path, shift_s=recording.video_shift_s)

    def _on_open_failed(self, error: BaseException) -> None:
        if self.document.recording is None:
            self.picture.invite()
        self.message_raised.emit(Message("error", describe_error(error)))

    def _on_opened(self) -> None:
        self.actions_by_key["corrected"].setChecked(False)
        self.actions_by_key["corrected"].setEnabled(self.document.has_corrected)
        self.timeline_panel.show_recording()
        self.player.seek(self.document.span_s[0])
        self._show_state()
        self._on_moved(self.player.time_s)

    def _on_edited(self) -> None:
        self._show_state()
        self._on_moved(self.player.time_s)
        recording, edits = self.document.recording, self.document.edits
        if recording is not None:
            save = partial(write_edits, recording.edits_path, edits)
            self.jobs.submit(Job(f"save {recording.edits_path}", save, _ignore, self._on_failed))

    def _on_values_changed(self) -> None:
        self._show_state()
        self._on_moved(self.player.time_s)

    def _on_moved(self, time_s: float) -> None:
        readings = self.document.readings_at(time_s)
        self.timeline_panel.show_moment(time_s, readings, self.faces.chosen)
        self.faces.show_readings(readings)
        self.tool_bar.show_moment(time_s, self.document.span_s[1])
        self.pictures.ask(time_s)

    def _on_picture(self, picture: Picture) -> None:
        recording = self.document.recording
        if recording is None:
            return
        if picture.frame is None:
            self.picture.miss(picture.error or "The video has no picture here.")
            return
        readings = self.document.readings_at(picture.asked_s)
        self.picture.show_frame(picture.frame, recording.table, readings)
        if self.picture.view.result is not None:
            self.faces.show_thumbnails(self.picture.view.result)

    def _on_failed(self, error: BaseException) -> None:
        self.message_raised.emit(Message("error", describe_error(error)))

    # Showing ----------------------------------------------------------------------------------

    def _show_state(self) -> None:
        """Bring everything that depends on the edits up to date."""
        document, history = self.document, self.document.history
        for key in _NEEDS_RECORDING:
            self.actions_by_key[key].setEnabled(document.recording is not None)
        for key, caption in (("undo", history.undo_caption), ("redo", history.redo_caption)):
            self.actions_by_key[key].setEnabled(bool(caption))
            self.actions_by_key[key].setText(f"{key.capitalize()} {caption}".strip())
        if document.recording is not None:
            self.faces.rebuild()
        self.events.rebuild()
        self.limits.show_limits()
        self._show_lanes()
        self.summing.ask()
        self._show_status()

    def _show_exporting(self) -> None:
        is_writing = self.exports.jobs.current is not None
        self.actions_by_key["cancel_export"].setEnabled(is_writing)

    def _show_comparison(self) -> None:
        """Have the tab only while there is something to compare."""
        place = self.tabs.indexOf(self.comparing.panel)
        self.tabs.setTabVisible(place, self.comparing.is_on)
        if self.comparing.is_on:
            self.tabs.setCurrentIndex(place)

    def _show_lanes(self) -> None:
        self.timeline_panel.show_edits(self.faces.chosen)

    def _show_status(self) -> None:
        recording = self.document.recording
        if recording is None:
            self.status_changed.emit(StatusFacts(state="Nothing open"))
            return
        engine = recording.document.get("engine") or {}
        names = [str(engine[key]) for key in ("backend", "device") if key in engine]
        self.status_changed.emit(
            StatusFacts(
                state="Reviewing",
                source=recording.title,
                engine="recorded with " + " on ".join(names) if names else "",
                precision=str(engine.get("precision", "")),
            )
        )

    # Assembly ---------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        tabs = QTabWidget()
        tabs.setDocumentMode(True)
        tabs.setAccessibleName("Faces, events and summary")
        for widget, title in (
            (self.faces, "Faces"),
            (self.events, "Events"),
            (self.summary, "Summary"),
            (self.comparing.panel, "Compare"),
        ):
            tabs.addTab(widget, title)
        self.tabs = tabs
        side = QWidget()
        side_column = QVBoxLayout(side)
        side_column.setContentsMargins(0, 0, 0, 0)
        side_column.setSpacing(8)
        side_column.addWidget(tabs, stretch=1)
        side_column.addWidget(self.limits)
        above = QSplitter(Qt.Orientation.Horizontal)
        above.addWidget(self.picture)
        above.addWidget(side)
        above.setStretchFactor(0, 1)
        above.setSizes([720, 430])
        whole = QSplitter(Qt.Orientation.Vertical)
        whole.addWidget(above)
        whole.addWidget(self.timeline_panel)
        whole.setStretchFactor(0, 3)
        whole.setStretchFactor(1, 2)
        whole.setSizes([400, 280])
        for splitter in (above, whole):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(8)
        side.setMinimumWidth(40 * self.fontMetrics().averageCharWidth())
        self.timeline_panel.setMinimumHeight(170)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.tool_bar)
        column.addWidget(self.progress)
        column.addWidget(whole, stretch=1)

    def _connect(self) -> None:
        self.document.opened.connect(self._on_opened)
        self.document.edited.connect(self._on_edited)
        self.document.values_changed.connect(self._on_values_changed)
        self.player.moved.connect(self._on_moved)
        self.pictures.loaded.connect(self._on_picture)
        self.timeline_panel.sought.connect(self.player.seek)
        self.events.sought.connect(self.player.seek)
        self.events.refused.connect(self.editing.hint)
        self.editing.message_raised.connect(self.message_raised)
        self.faces.renamed.connect(self.editing.rename)
        self.faces.lanes_chosen.connect(self._show_lanes)
        self.limits.changed.connect(self.editing.set_limits)
        for control in (self.exports, self.comparing, self.summing):
            control.message_raised.connect(self.message_raised)
        self.comparing.begun.connect(self._show_comparison)
        self.comparing.ended.connect(self._show_comparison)
        self.exports.jobs.changed.connect(self._show_exporting)


def _ignore(_outcome: object) -> None:
    """Ignore an outcome."""
