"""The Analyze workspace: the queue, its options, and what can be done with both."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QSplitter, QVBoxLayout

from lanet_live.analysis.item import (
    VIDEO_SUFFIXES,
    AnalysisItem,
    ItemState,
    find_sources,
)
from lanet_live.analysis.item_run import RunItem
from lanet_live.analysis.options import AnalysisOptions, options_from_document
from lanet_live.analysis.presets import PresetBook
from lanet_live.analysis.queue import AnalysisQueue, QueueSnapshot, is_editable
from lanet_live.analysis.queue_file import QueueFile
from lanet_live.capture.image_folder import SUFFIXES as PICTURE_SUFFIXES
from lanet_live.errors import ConfigError
from lanet_live.gui.analyze.actions import ANALYZE_ACTIONS
from lanet_live.gui.analyze.engine_facts import EngineFacts
from lanet_live.gui.analyze.options_form import OptionsChange
from lanet_live.gui.analyze.options_panel import OptionsPanel
from lanet_live.gui.analyze.queue_panel import QueuePanel
from lanet_live.gui.analyze.tool_bar import AnalyzeToolBar
from lanet_live.gui.analyze.wake_up import WakeUp
from lanet_live.gui.analyze.wording import ended_message, status_of, summary_text
from lanet_live.gui.messages import Message
from lanet_live.gui.settings import Settings
from lanet_live.gui.workspace import Workspace

# Numbers that change more often cannot be read.
_SHOW_MS: Final = 120
_FILTER: Final = "Videos and pictures ({});;All files (*)".format(
    " ".join(f"*{suffix}" for suffix in (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES))
)


class AnalyzeWorkspace(Workspace):
    """A queue of videos, picture folders and sessions."""

    key = "analyze"
    title = "Analyze"
    icon_name = "analyze"
    tooltip = "Analyse files one after the other, every frame, into tables"
    action_infos = ANALYZE_ACTIONS

    def __init__(self, run_item: RunItem, folder: Path) -> None:
        """Build the workspace and read the stored queue; `restore` lets it go on.

        Args:
            run_item: Analyses one item.
            folder: Where queue and presets are kept.
        """
        super().__init__()
        self._wake_up = WakeUp(self)
        self._engines = EngineFacts()
        self._presets = PresetBook(folder / "presets.json")
        self.queue = AnalysisQueue(
            QueueFile(folder / "queue.json"), run_item, on_change=self._wake_up.wake
        )
        self._shown = self.queue.snapshot()
        self._notices = [text for text in (self._shown.notice, self._presets.notice) if text]
        self._for_new = AnalysisOptions()
        self.tool_bar = AnalyzeToolBar(self.actions_by_key)
        self.list = QueuePanel(self.actions_by_key)
        self.panel = OptionsPanel(self._presets, self.actions_by_key)
        self._show_timer = QTimer(self)
        self._show_timer.setSingleShot(True)
        self._show_timer.setInterval(_SHOW_MS)
        self._lay_out()
        self.connect_actions()
        self._connect()
        self.refresh()
        self._on_selection()

    # The workspace's side of the shell --------------------------------------------------------

    def activate(self) -> None:
        """Report what could not be read, the first time."""
        for notice in self._notices:
            self.message_raised.emit(Message("warning", notice))
        self._notices = []
        self.status_changed.emit(status_of(self._shown, self._engines))

    def accepts(self, path: Path) -> bool:
        """Whatever is there can be tried; what cannot be analysed says so."""
        return path.exists()

    def open_path(self, path: Path) -> None:
        """Add a file or folder to the queue."""
        self.add_paths((path,))

    def restore(self, settings: Settings) -> None:
        """Take up the options for new items, and go on with a queue that was going."""
        try:
            document = json.loads(settings.text("analyze.options", "null"))
            self._for_new = options_from_document(document) if document else AnalysisOptions()
        except (ValueError, ConfigError):
            self._for_new = AnalysisOptions()
        self._on_selection()
        if self.queue.resume_last():
            text = "The queue goes on where it was; what was under way starts again."
            self.message_raised.emit(Message("info", text, timeout_s=8))

    def remember(self, settings: Settings) -> None:
        """Keep the options for new items."""
        settings.set("analyze.options", json.dumps(self._for_new.to_document()))

    def shut_down(self) -> None:
        """End the item under way and wait; the queue goes on next time."""
        self._wake_up.shut()
        self._show_timer.stop()
        self.queue.close()

    # Actions, named in analyze.actions --------------------------------------------------------

    def choose_files(self) -> None:
        """Ask for files and add them."""
        paths, _ = QFileDialog.getOpenFileNames(self, "Add files", "", _FILTER)
        self.add_paths(Path(path) for path in paths)

    def choose_folder(self) -> None:
        """Ask for a folder and add it."""
        folder = QFileDialog.getExistingDirectory(self, "Add a folder of pictures or a session")
        if folder:
            self.add_paths((Path(folder),))

    def add_paths(self, paths: Iterable[Path]) -> None:
        """Add files and folders with the options for new items, and select them."""
        items: list[AnalysisItem] = []
        for path in paths:
            try:
                found = find_sources(path)
            except ConfigError as error:
                self.message_raised.emit(Message("warning", str(error)))
                continue
            items += [AnalysisItem(kind, source, self._for_new) for kind, source in found]
        if items:
            self.queue.add(items)
            self.refresh()
            self.list.select({item.item_id for item in items})

    def toggle_queue(self) -> None:
        """Start what is queued, or hold it."""
        if self._shown.is_going:
            self.queue.pause()
        else:
            self.queue.start()
        self.refresh()

    def cancel_selected(self) -> None:
        """Do not analyse the selected items."""
        self.queue.cancel(self._selected_ids())
        self.refresh()

    def retry_selected(self) -> None:
        """Queue the selected items again."""
        self.queue.retry(self._selected_ids())
        self.refresh()

    def remove_selected(self) -> None:
        """Take the selected items off the list."""
        self.queue.remove(self._selected_ids())
        self.refresh()

    def remove_done(self) -> None:
        """Take all finished items off the list."""
        done = [item.item_id for item in self._shown.items if item.state is ItemState.DONE]
        self.queue.remove(done)
        self.refresh()

    def open_results(self) -> None:
        """Show the result folder of the first selected item that has one."""
        folder = next((i.result_folder for i in self.list.selected if i.result_folder), None)
        if folder is None or not folder.is_dir():
            text = (
                "The selected item has no results yet."
                if folder is None
                else (f"The result folder {folder} is no longer there.")
            )
            self.message_raised.emit(Message("info", text, timeout_s=6))
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def review_selected(self) -> None:
        """Hand the table of the first selected item over to Review."""
        for item in self.list.selected:
            table = _table_of(item)
            if table is not None:
                self.handed_over.emit("review", table)
                return
        text = "The selected item has no table (CSV) to review."
        self.message_raised.emit(Message("info", text, timeout_s=6))

    # Showing ----------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the queue as it is now."""
        self._wake_up.rearm()
        before, self._shown = self._shown, self.queue.snapshot()
        self.list.show_items(self._shown.items)
        self.tool_bar.show_going(is_going=self._shown.is_going)
        self.tool_bar.summary.setText(summary_text(self._shown))
        self._enable_actions()
        if _states(before) != _states(self._shown):
            self._on_selection()
        if self._shown.notice and self._shown.notice != before.notice:
            self.message_raised.emit(Message("error", self._shown.notice))
        if before.is_going and not self._shown.is_going:
            message = ended_message(self._shown)
            if message is not None:
                self.message_raised.emit(message)
        self.status_changed.emit(status_of(self._shown, self._engines))

    def _on_woken(self) -> None:
        if not self._show_timer.isActive():
            self._show_timer.start()

    def _on_selection(self) -> None:
        self.panel.show_items(self.list.selected, self._for_new)
        self._enable_actions()

    def _on_edited(self, change: OptionsChange) -> None:
        """Change the selected items, or without any what new ones get."""
        selected = self.list.selected
        if selected:
            editable = [item for item in selected if is_editable(item)]
            self.queue.set_options({item.item_id: change(item.options) for item in editable})
            self.refresh()
        else:
            self._for_new = change(self._for_new)
        self._on_selection()

    def _enable_actions(self) -> None:
        selected, actions = self.list.selected, self.actions_by_key
        states = {item.state for item in selected}
        can_start = any(not item.state.is_over for item in self._shown.items)
        actions["start_pause"].setEnabled(can_start or self._shown.is_going)
        actions["cancel"].setEnabled(any(not state.is_over for state in states))
        actions["retry"].setEnabled(any(state.is_over for state in states))
        actions["remove"].setEnabled(bool(selected))
        actions["remove_done"].setEnabled(
            any(item.state is ItemState.DONE for item in self._shown.items)
        )
        actions["open_results"].setEnabled(any(item.result_folder for item in selected))
        actions["review"].setEnabled(ItemState.DONE in states)

    def _selected_ids(self) -> list[str]:
        return [item.item_id for item in self.list.selected]

    # Assembly ---------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self.list)
        splitter.addWidget(self.panel)
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 0)
        splitter.setSizes([900, 300])
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(8)
        self.panel.setMinimumWidth(42 * self.fontMetrics().averageCharWidth())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.tool_bar)
        column.addWidget(splitter, stretch=1)

    def _connect(self) -> None:
        self._wake_up.woken.connect(self._on_woken, Qt.ConnectionType.QueuedConnection)
        self._show_timer.timeout.connect(self.refresh)
        self.list.selection_changed.connect(self._on_selection)
        self.list.table.doubleClicked.connect(self.review_selected)
        self.panel.edited.connect(self._on_edited)
        self.panel.message_raised.connect(self.message_raised)


def _states(snapshot: QueueSnapshot) -> tuple[tuple[str, ItemState], ...]:
    return tuple((item.item_id, item.state) for item in snapshot.items)


def _table_of(item: AnalysisItem) -> Path | None:
    """Return the CSV table of an item that is done."""
    if item.state is not ItemState.DONE or item.result_folder is None:
        return None
    return next(iter(sorted(item.result_folder.glob("*.csv"))), None)
