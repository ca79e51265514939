"""Drives the real window through its workspaces and grabs a picture of each. See screenshots.py."""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np
from PIL import Image
from PySide6.QtCore import QEventLoop, QPoint, QTimer
from PySide6.QtGui import QColor, QImage, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QApplication, QDialog

from lanet_live.analysis.item import ItemState
from lanet_live.analysis.options import AnalysisOptions
from lanet_live.config import EngineConfig, LiveConfig, SourceConfig
from lanet_live.drawing.palette import CLASS_COLORS
from lanet_live.gui.analyze.workspace import AnalyzeWorkspace
from lanet_live.gui.app import create_application, create_window
from lanet_live.gui.live.workspace import LiveWorkspace
from lanet_live.gui.main_window import MainWindow
from lanet_live.gui.review.workspace import ReviewWorkspace
from lanet_live.gui.settings import Settings
from lanet_live.gui.shortcuts import ShortcutsDialog
from lanet_live.gui.theme import DARK, LIGHT
from lanet_live.run.live_events import RunState
from lanet_live.sessions.events import SessionEvent

_TIMEOUT_S = 300.0
# More of the same room; once is enough in the repository.
_ONLY_SMALL = ("live-lines", "review-events")
_N_PICTURES_IN_FOLDER = 12
_N_OFTEN = 64
_THEME_COLORS = [QColor(name).getRgb()[:3] for theme in (LIGHT, DARK) for name in astuple(theme)]
_OWN_COLORS = np.array([*CLASS_COLORS.values(), *_THEME_COLORS], dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class _Tour:
    """A window and where its files are."""

    window: MainWindow
    clip: Path
    root: Path
    seconds: float

    @property
    def workspaces(self) -> tuple[LiveWorkspace, AnalyzeWorkspace, ReviewWorkspace]:
        """The three rooms in order."""
        live, analyze, review = self.window._workspaces
        return live, analyze, review


def take_pictures(
    arguments: argparse.Namespace, sizes: dict[str, tuple[int, int]]
) -> Iterator[Path]:
    """Take the pictures of every look and size, and yield their paths."""
    app = create_application()
    for look in arguments.looks:
        for name, size in sizes.items():
            with tempfile.TemporaryDirectory() as folder:
                tour = _open(arguments, Path(folder), look)
                tour.window.resize(*size)
                tour.window.show()
                for title in _walk(tour):
                    if title in _ONLY_SMALL and size != min(sizes.values()):
                        continue
                    _settle(app)
                    path = arguments.out / f"{title}-{name}-{look}.png"
                    _save(_grab(tour.window), path)
                    yield path
                tour.window.close()
                tour.window.deleteLater()
                _settle(app)


def _open(arguments: argparse.Namespace, root: Path, look: str) -> _Tour:
    settings = Settings(root / "settings.json")
    settings.set("appearance", look)
    settings.set("live.window_s", 10.0)
    settings.set("live.markers", ("stimulus on", "light off"))
    settings.set("live.sessions", str(root / "sessions"))
    settings.set("live.video", "clear")
    settings.save()
    config = LiveConfig(
        sources=(SourceConfig("video", path=arguments.clip),),
        engine=EngineConfig(model_path=arguments.model),
    )
    window = create_window(
        config, settings_path=root / "settings.json", profiles_folder=root / "baselines"
    )
    return _Tour(window, arguments.clip, root, arguments.seconds)


def _walk(tour: _Tour) -> Iterator[str]:
    """Go through the window and yield the name of each picture when it is set up."""
    _wait(0.5)
    yield "welcome"
    tour.window._welcome.button.click()
    yield from _walk_live(tour)
    yield from _walk_review(tour)
    yield from _walk_analyze(tour)


def _walk_live(tour: _Tour) -> Iterator[str]:
    """Play the clip, record it to its end, and set two markers."""
    live, actions = tour.workspaces[0], tour.workspaces[0].actions_by_key
    _wait_until(lambda: live.run.setup is not None)
    actions["record"].trigger()
    _wait_until(lambda: live.book.now_s >= 0.4 * tour.seconds)
    actions["marker_1"].trigger()
    _wait_until(lambda: live.book.now_s >= 0.7 * tour.seconds)
    actions["marker_2"].trigger()
    _wait_until(lambda: live.book.now_s >= 0.92 * tour.seconds)
    yield "live"
    for key in ("lines", "mesh", "axes"):
        actions[key].setChecked(True)
    yield "live-lines"
    for key in ("lines", "mesh", "axes"):
        actions[key].setChecked(False)
    _wait_until(lambda: live.run.state is RunState.FINISHED)


def _walk_review(tour: _Tour) -> Iterator[str]:
    """Open the recording, edit it, and show faces, events and summary."""
    review = tour.workspaces[2]
    tour.window.show_workspace(2)
    (folder,) = (tour.root / "sessions").iterdir()
    review.open_path(folder)
    _wait_until(lambda: review.document.recording is not None)
    tour.window.dismiss_message()
    smile = SessionEvent(0.4, kind="range", name="film 1", end_timestamp_s=2.2)
    review.document.change("add an event", lambda edits: edits.with_event(smile))
    review.document.change("exclude a range", lambda edits: edits.with_excluded(7.0, 7.8))
    review.editing.rename(0, "Eileen")
    review.timeline.select(5.6, 6.6)
    review.player.seek(6.0)
    _wait_until(lambda: not review.pictures.is_waiting and review.summary.table.rowCount() > 0)
    yield "review"
    review.tabs.setCurrentWidget(review.events)
    yield "review-events"
    review.timeline.select_none()
    review.tabs.setCurrentWidget(review.summary)
    yield "review-summary"
    tour.window.show_shortcuts()
    yield "shortcuts"
    _dialog_of(tour.window).close()


def _walk_analyze(tour: _Tour) -> Iterator[str]:
    """Fill the queue and show it at work: done, failed, under way and waiting."""
    analyze = tour.workspaces[1]
    tour.window.show_workspace(1)
    study = _make_study(tour.clip, tour.root / "study")
    for path in study:
        analyze.add_paths((path,))
    (session,) = (tour.root / "sessions").iterdir()
    analyze.add_paths((session,))
    items = analyze.queue.snapshot().items
    with_plot = AnalysisOptions(formats=("csv", "plot"))
    analyze.queue.set_options({i.item_id: with_plot for i in items if i.kind != "images"})
    analyze.list.select({items[4].item_id})
    analyze.toggle_queue()
    _wait_until(lambda: _is_half_way(analyze, place=3))
    tour.window.dismiss_message()
    yield "analyze"
    analyze.queue.cancel([item.item_id for item in items])


def _make_study(clip: Path, folder: Path) -> tuple[Path, ...]:
    """Make a folder as a study leaves it: videos, one of them broken, and pictures."""
    folder.mkdir()
    videos = [folder / f"participant-{number:02d}.mp4" for number in (1, 2, 3, 4)]
    for video in videos:
        shutil.copy(clip, video)
    broken = folder / "participant-02.mp4"
    broken.write_bytes(broken.read_bytes()[:2000])
    pictures = folder / "portraits"
    pictures.mkdir()
    with av.open(str(clip)) as container:
        for number, frame in enumerate(islice(container.decode(video=0), _N_PICTURES_IN_FOLDER)):
            frame.to_image().save(pictures / f"portrait-{number:02d}.jpg")
    return (videos[0], videos[1], pictures, videos[2], videos[3])


def _is_half_way(analyze: AnalyzeWorkspace, *, place: int) -> bool:
    item = analyze.queue.snapshot().items[place]
    n_done = item.progress.n_analysed if item.progress else 0
    return item.state is ItemState.RUNNING and n_done > 100


def _dialog_of(window: MainWindow) -> QDialog:
    return next(dialog for dialog in window.findChildren(ShortcutsDialog) if dialog.isVisible())


def _grab(window: MainWindow) -> QPixmap:
    """Grab the window, with the list of keys before it as it stands on the screen."""
    picture = window.grab()
    dialogs = [dialog for dialog in window.findChildren(ShortcutsDialog) if dialog.isVisible()]
    for dialog in dialogs:
        painter = QPainter(picture)
        painter.fillRect(picture.rect(), QColor(0, 0, 0, 70))
        place = QPoint(
            (window.width() - dialog.width()) // 2, (window.height() - dialog.height()) // 2
        )
        painter.drawPixmap(place, dialog.grab())
        painter.setPen(dialog.palette().color(QPalette.ColorRole.Mid))
        painter.drawRect(place.x(), place.y(), dialog.width() - 1, dialog.height() - 1)
        painter.end()
    return picture


def _save(picture: QPixmap, path: Path) -> None:
    """Save with 256 colours: a third of the bytes, and hardly to be seen.

    The colours of the window and of the classes stay as they are; the photograph shares the rest.
    """
    image = picture.toImage().convertToFormat(QImage.Format.Format_RGB888)
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    pixels = lines[:, : 3 * image.width()].reshape(-1, 3)
    codes = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    found, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    colors = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.uint8)
    often = colors[np.argsort(counts)[::-1][:_N_OFTEN]]
    kept = np.unique(np.concatenate([often, _OWN_COLORS]), axis=0)
    size = (image.width(), image.height())
    whole = Image.frombytes("RGB", size, pixels.tobytes())
    shared = np.array(whole.quantize(256 - len(kept)).getpalette(), np.uint8).reshape(-1, 3)
    palette = np.concatenate([kept, shared])[:256]
    small = Image.frombytes("P", size, _nearest(colors, palette)[places.ravel()].tobytes())
    small.putpalette(palette.tobytes())
    small.save(path, optimize=True)


def _nearest(colors: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Return the place of the nearest palette colour to each colour, (N,) uint8."""
    wanted, offered = colors.astype(np.float32), palette.astype(np.float32)
    distances = (offered**2).sum(axis=1) - 2 * wanted @ offered.T
    return distances.argmin(axis=1).astype(np.uint8)


def _wait(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def _wait_until(is_true: Callable[[], bool]) -> None:
    waited_s = 0.0
    while not is_true():
        _wait(0.02)
        waited_s += 0.02
        if waited_s > _TIMEOUT_S:
            raise TimeoutError("the window did not get that far")


def _settle(app: QApplication) -> None:
    """Let what was asked for be drawn."""
    _wait(0.3)
    app.sendPostedEvents()
