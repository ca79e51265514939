"""Two recordings on one time axis in the Review workspace."""

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from lanet_live.review.edits import Edits
from lanet_live.review.edits_file import write_edits
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.table import TableLayout
from tests.fakes import LABELS, make_result
from tests.gui.review_window import ReviewWindow
from tests.review_tables import distribution, write_table

pytestmark = pytest.mark.gui


class Fixture(ReviewWindow):
    """A window with the Review workspace alone."""

    @property
    def comparing(self):
        return self.review.comparing

    @property
    def panel(self):
        return self.comparing.panel

    def compare(self, path):
        self.comparing.open_path(path)
        self.wait(lambda: self.comparing.is_on and self.panel.table.rowCount() == len(LABELS))

    def drop(self, *paths):
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        button, modifier = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        place = QPointF(10, 10)
        self.window.dropEvent(QDropEvent(place, Qt.DropAction.CopyAction, mime, button, modifier))

    def cells(self, row):
        return [self.panel.table.item(row, column).text() for column in range(4)]


@pytest.fixture
def opened(qtbot, qapp, settings_path):
    fixture = Fixture(qtbot, qapp, settings_path)
    yield fixture
    fixture.close()


@pytest.fixture
def happy(tmp_path):
    results = [make_result(i, probabilities=distribution(1)) for i in range(50)]
    return write_table(tmp_path / "happy.csv", results)


@pytest.fixture
def sad(tmp_path):
    """Begins at 30 s; its second face is seen less often."""
    results = [
        make_result(
            i,
            face_ids=(0, 4) if i < 10 else (0,),
            timestamp_s=30 + i / 25,
            probabilities=distribution(3),
        )
        for i in range(100)
    ]
    return write_table(tmp_path / "sad.csv", results)


def test_both_begin_together_and_are_summed_up_side_by_side(opened, happy, sad):
    opened.open(happy)
    assert not opened.review.tabs.isTabVisible(3)
    opened.compare(sad)
    assert opened.review.tabs.currentWidget() is opened.panel
    assert opened.comparing.shift_s == -30.0
    assert opened.cells(LABELS.index("happiness")) == ["happiness", "0.650", "0.050", "−0.600"]
    assert opened.cells(LABELS.index("anger"))[3] == "0.000"
    assert "A: 50 frames" in opened.panel.text
    assert "B: 100 frames" in opened.panel.text
    timeline = opened.review.timeline
    assert timeline.visible_s == pytest.approx((-0.0396, 3.9996))
    assert [lane.name.toPlainText() for lane in timeline._lanes] == ["A · Face 0", "B · Face 0"]


def test_the_shift_moves_the_lane_and_the_selection_follows_the_common_axis(opened, happy, sad):
    opened.open(happy)
    opened.compare(sad)
    opened.review.timeline.select(1.0, 2.0)
    opened.wait(lambda: "B: 26 frames" in opened.panel.text)
    opened.panel.shift.setValue(-28.5)
    opened.wait(lambda: "B: 13 frames" in opened.panel.text)
    assert opened.review.timeline._compared.span_s == pytest.approx((1.5, 5.46))
    opened.review.timeline.repaint_now()
    bounds = opened.review.timeline._lanes[-1].item.boundingRect()
    assert (bounds.left(), bounds.right()) == pytest.approx((1.5, 5.46))
    opened.review.player.seek(0.4)
    opened.panel.align_asked.emit(True)
    assert opened.comparing.shift_s == pytest.approx(-29.6)


def test_the_second_recording_keeps_its_own_edits_and_another_face_can_be_chosen(
    opened, happy, sad
):
    edits = Edits(names={4: "Bo"}).with_excluded(30.0, 31.0)
    write_edits(sad.with_name("sad.review.json"), edits)
    opened.open(happy)
    opened.compare(sad)
    assert opened.review.timeline._compared.excluded_s == [(0.0, 1.0)]
    box = opened.panel.faces["B"]
    assert [box.itemText(k) for k in range(box.count())] == ["Face 0", "Bo"]
    box.setCurrentIndex(1)
    assert opened.review.timeline._compared.name == "Bo"
    opened.wait(lambda: "B: the face is not seen" in opened.panel.text)


def test_lines_of_the_second_are_dashed(opened, happy, sad):
    opened.open(happy)
    opened.compare(sad)
    opened.review.actions_by_key["review_lines"].setChecked(True)
    opened.review.timeline.repaint_now()
    styles = [lane.item._curves[0].opts["pen"].style() for lane in opened.review.timeline._lanes]
    assert styles == [Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine]


def test_ending_it_or_opening_another_recording_shows_the_first_alone(opened, happy, sad):
    opened.open(happy)
    opened.compare(sad)
    opened.review.actions_by_key["compare_end"].trigger()
    assert not opened.review.tabs.isTabVisible(3)
    assert len(opened.review.timeline._lanes) == 1
    opened.compare(sad)
    opened.open(sad)
    assert not opened.comparing.is_on


def test_two_dropped_recordings_are_compared_and_one_asks(opened, happy, sad):
    opened.drop(happy, sad)
    opened.wait(lambda: opened.comparing.is_on)
    assert opened.title == "happy.csv"
    opened.comparing.end()
    opened.drop(sad)
    open_it, compare = opened.review.drops.menu.actions()
    assert compare.text() == "Compare happy.csv with it"
    compare.trigger()
    opened.wait(lambda: opened.comparing.is_on)
    open_it.trigger()
    opened.wait(lambda: opened.title == "sad.csv")


def test_what_cannot_be_compared_says_why(opened, happy, tmp_path):
    opened.open(happy)
    empty = write_table(tmp_path / "empty.csv", [make_result(0, face_ids=())])
    opened.comparing.open_path(empty)
    opened.wait(lambda: any("No face was seen in empty.csv" in m.text for m in opened.messages))
    labels = ("calm", "not calm")
    sink = CsvSink(tmp_path / "other.csv", TableLayout(labels))
    sink.write(make_result(0, labels=labels))
    sink.close()
    opened.comparing.open_path(tmp_path / "other.csv")
    opened.wait(lambda: any("has other classes" in m.text for m in opened.messages))
    assert not opened.comparing.is_on
