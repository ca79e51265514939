"""One tour through the window, from the first picture to an export, with the parts that ship."""

import csv
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPushButton

from lanet_live.command.main import main
from lanet_live.config import LiveConfig
from lanet_live.gui.app import create_window
from lanet_live.run.live_events import RunState
from lanet_live.sessions.reader import open_session
from tests.conftest import PROJECT_ROOT

pytestmark = pytest.mark.gui
CLIP = PROJECT_ROOT / "assets" / "demo.mp4"
TIMEOUT_MS = 120_000  # a file played live slows down with the machine instead of losing frames


class Tour:
    """A window, and hands and eyes of somebody who uses it by keyboard and mouse."""

    def __init__(self, qtbot, monkeypatch, settings_path, folder):
        self.qtbot, self.monkeypatch, self.folder = qtbot, monkeypatch, folder
        self.window = create_window(
            LiveConfig(sources=()),
            settings_path=settings_path,
            profiles_folder=folder / "baselines",
        )
        self.live, _, self.review = self.window._workspaces
        options = self.live.recording.options
        self.live.recording.set_options(type(options)(folder / "sessions", "clear"))
        self.window.show()

    def wait(self, is_true):
        self.qtbot.waitUntil(is_true, timeout=TIMEOUT_MS)

    def press(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        self.qtbot.keyClick(self.window, key, modifier)

    def click(self, button):
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def play_until(self, time_s):
        self.wait(lambda: self.live.book.now_s >= time_s)

    def choose_in_dialog(self, name, path):
        """Answer the next dialog of the system for a file."""
        self.monkeypatch.setattr(QFileDialog, name, lambda *_, **__: (str(path), "CSV (*.csv)"))


@pytest.fixture
def tour(qtbot, monkeypatch, settings_path, tmp_path):
    tour = Tour(qtbot, monkeypatch, settings_path, tmp_path)
    yield tour
    tour.window.close()
    tour.window.deleteLater()


def test_tour_from_the_first_picture_to_an_export_with_the_numbers_of_the_command_line(tour):
    _start_on_a_file(tour)
    _set_a_baseline(tour)
    folder, marked_s = _record_with_two_markers(tour)
    _open_in_review(tour, folder)
    assert [event.timestamp_s for event in tour.review.document.edits.events] == marked_s
    _scrub(tour, folder)
    excluded_s = _exclude_a_range(tour)
    _rename_the_face(tour)
    exported = _export(tour)
    _check_against_the_command_line(tour.folder, folder, exported, excluded_s)


def _start_on_a_file(tour):
    live = tour.live
    tour.choose_in_dialog("getOpenFileName", CLIP)
    tour.press(Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    tour.wait(lambda: set(live.faces.cards) == {0} and live.picture.view.n_painted > 2)
    n_painted, plot = live.picture.view.n_painted, live.timeline.timeline
    pictures = {widget: widget.grab().toImage() for widget in (live.faces.cards[0], plot)}
    tour.wait(lambda: live.picture.view.n_painted > n_painted + 5)
    for widget, picture in pictures.items():
        tour.wait(lambda w=widget, p=picture: w.grab().toImage() != p)
    assert live.run.state is RunState.RUNNING


def _set_a_baseline(tour):
    tour.press(Qt.Key.Key_B)
    dialog = tour.live.baseline
    assert dialog.isVisible()
    measure = dialog.findChildren(QPushButton)[0]
    assert measure.text().startswith("Measure")
    tour.click(measure)
    face = tour.live.book.faces[0]
    tour.wait(lambda: face.baseline is not None)
    tour.wait(lambda: "baseline" in face.reading.note)
    dialog.close()
    tour.window.activateWindow()  # a window manager would
    tour.wait(tour.window.isActiveWindow)
    assert (face.reading.shown != face.reading.estimate.probabilities).any()


def _record_with_two_markers(tour):
    live = tour.live
    tour.press(Qt.Key.Key_R)
    begun_s = live.book.now_s
    marked_s = []
    for key, after_s in ((Qt.Key.Key_1, 0.4), (Qt.Key.Key_2, 0.8)):
        tour.play_until(begun_s + after_s)
        tour.press(key)
        marked_s.append(live.book.now_s)
    tour.play_until(begun_s + 1.5)
    assert [event.timestamp_s for event in live.markers.book.events] == marked_s
    assert live.run.stats.n_dropped == 0
    tour.press(Qt.Key.Key_R)
    tour.press(Qt.Key.Key_S)
    tour.wait(lambda: live.run.state is RunState.IDLE)
    (folder,) = (tour.folder / "sessions").iterdir()
    tour.wait(lambda: open_session(folder).notice == "")
    with_face = [row for row in rows_of(folder / "frames.csv") if row["success"] == "1"]
    assert len(rows_of(folder / "corrected.csv")) == len(with_face) > 10
    return folder, marked_s


def _open_in_review(tour, folder):
    assert str(folder) in tour.window.banner.text
    tour.click(tour.window.banner.findChild(QPushButton))
    assert tour.window.active is tour.review
    tour.wait(lambda: tour.review.document.recording is not None)
    tour.wait(lambda: tour.review.picture.view.result is not None)


def _scrub(tour, folder):
    """Wherever the slider is put, picture and values are those of one recorded frame."""
    review = tour.review
    recorded = {round(float(row["timestamp"]), 6): row for row in rows_of(folder / "frames.csv")}
    for place in (8000, 1500, 5000):
        review.timeline_panel.position.setValue(place)
        tour.wait(lambda: not review.pictures.is_waiting)
        result, time_s = review.picture.view.result, review.player.time_s
        assert result.frame.timestamp_s == pytest.approx(time_s, abs=1e-3)
        row = recorded[round(time_s, 6)]
        assert len(result.estimates) == int(row["success"])  # a hand hides the face for a while
        for estimate in result.estimates:
            shown = zip(estimate.labels, estimate.probabilities, strict=True)
            assert all(probability == float(row[label]) for label, probability in shown)


def _exclude_a_range(tour):
    review = tour.review
    slider = review.timeline_panel.position
    edges_s = []
    for place, key in ((3000, Qt.Key.Key_I), (6000, Qt.Key.Key_O)):
        slider.setValue(place)
        edges_s.append(review.player.time_s)
        tour.press(key)
    tour.press(Qt.Key.Key_X)
    assert review.document.edits.excluded_s == (tuple(edges_s),)
    return edges_s


def _rename_the_face(tour):
    name = tour.review.faces.cards[0].findChild(QLineEdit)
    name.selectAll()
    tour.qtbot.keyClicks(name, "Ada")
    tour.qtbot.keyClick(name, Qt.Key.Key_Return)
    assert tour.review.document.edits.name_of(0) == "Ada"


def _export(tour):
    path = tour.folder / "reviewed.csv"
    tour.choose_in_dialog("getSaveFileName", path)
    tour.press(Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    tour.wait(lambda: str(path) in tour.window.banner.text)
    return rows_of(path)


def _check_against_the_command_line(root: Path, folder: Path, exported, excluded_s):
    """The export is that of the command line over the recorded time, less the edits."""
    out = root / "headless"
    code = main(["--video", str(CLIP), "--export", "csv", "--out", str(out), "--quiet"])
    assert code == 0
    headless = rows_of(out / "demo.csv")
    recorded = [float(row["timestamp"]) for row in rows_of(folder / "frames.csv")]
    begin_s, end_s = excluded_s
    kept = [
        row
        for row in headless
        if recorded[0] <= float(row["timestamp"]) <= recorded[-1]
        and not begin_s <= float(row["timestamp"]) <= end_s
    ]
    assert 10 < len(kept) < len(recorded) <= len(headless)
    assert {row["face_name"] for row in exported if row["success"] == "1"} == {"Ada"}
    assert [{key: row[key] for key in kept[0]} for row in exported] == kept


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
