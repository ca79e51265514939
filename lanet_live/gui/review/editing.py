"""What the user changes in a review; every change goes through the document and can be undone."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from lanet_live.errors import LanetLiveError
from lanet_live.gui.messages import Message
from lanet_live.gui.review.dialogs import EventDialog, MergeDialog
from lanet_live.gui.review.document import ReviewDocument
from lanet_live.gui.review.player import Player
from lanet_live.gui.review.timeline import ReviewTimeline
from lanet_live.review.edits import Limits
from lanet_live.review.reviewed import check_can_merge


class EditControl(QObject):
    """Asks where it must, and edits. Lives in the GUI thread."""

    message_raised = Signal(object)

    def __init__(
        self, document: ReviewDocument, player: Player, timeline: ReviewTimeline, window: QWidget
    ) -> None:
        super().__init__(window)
        self._document = document
        self._player = player
        self._timeline = timeline
        self._window = window
        self._event_dialog: EventDialog | None = None
        self._merge_dialog: MergeDialog | None = None

    def exclude_selection(self) -> None:
        """Leave the selected range out."""
        selected_s = self._timeline.selected_s
        if selected_s is None:
            self.hint("Select a range first: I at its beginning, O at its end.")
            return
        self._document.change("exclude a range", lambda edits: edits.with_excluded(*selected_s))
        self._timeline.select_none()

    def add_event(self) -> None:
        """Name the selection, or the moment of the playhead."""
        begin_s, end_s = self._timeline.selected_s or (self._player.time_s, None)
        self._event_dialog = EventDialog(begin_s, end_s, self._window)
        self._event_dialog.accepted.connect(self._on_event_named)
        self._event_dialog.open()

    def merge_faces(self) -> None:
        """Ask which face is really which."""
        names = {i: self._document.edits.name_of(i) for i in self._document.faces_by_length}
        if len(names) < 2:
            self.hint("There is only one face in this recording.")
            return
        self._merge_dialog = MergeDialog(names, self._window)
        self._merge_dialog.accepted.connect(self._on_merge_chosen)
        self._merge_dialog.open()

    def merge(self, face_id: int, into: int) -> None:
        """Say that a face is really another one; refused if both are seen together."""
        recording = self._document.recording
        if recording is None or face_id == into:
            return
        try:
            check_can_merge(recording.table, self._document.edits, face_id, into)
        except LanetLiveError as error:
            self.message_raised.emit(Message("warning", str(error)))
            return
        self._document.change("merge faces", lambda e: e.with_faces_merged(face_id, into))

    def rename(self, face_id: int, name: str) -> None:
        """Name a face."""
        if name != self._document.edits.name_of(face_id):
            name = "" if name == f"Face {face_id}" else name
            self._document.change("rename a face", lambda edits: edits.with_name(face_id, name))

    def set_limits(self, limits: Limits) -> None:
        """Rely on other estimates."""
        self._document.change("move a limit", lambda e: e.with_limits(limits), joins_last=True)

    def hint(self, text: str) -> None:
        """Say what to do first."""
        self.message_raised.emit(Message("info", text, timeout_s=8))

    def _on_event_named(self) -> None:
        if self._event_dialog is not None:
            event = self._event_dialog.new_event
            self._document.change("add an event", lambda edits: edits.with_event(event))

    def _on_merge_chosen(self) -> None:
        if self._merge_dialog is not None:
            self.merge(*self._merge_dialog.chosen)
