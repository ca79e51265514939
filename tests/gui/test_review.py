"""The Review workspace on a session recorded from a real clip, and on made-up tables."""

import csv

import numpy as np
import pytest
from PySide6.QtCore import Qt

from lanet_live.config import EngineConfig, LiveConfig, SourceConfig
from lanet_live.face.template import TEMPLATE_ID
from lanet_live.gui.review.events_panel import parse_time
from lanet_live.review.edits import Limits
from lanet_live.review.edits_file import read_edits
from lanet_live.sessions.events import SessionEvent
from lanet_live.sessions.layout import FRAMES_FILE, SESSION_FILE
from tests.conftest import PROJECT_ROOT
from tests.fakes import make_result
from tests.gui.review_window import ReviewWindow
from tests.real_session import record_session
from tests.review_tables import write_table
from tests.tiny_model import tiny_spec, write_tiny_model

pytestmark = pytest.mark.gui
CLIP = PROJECT_ROOT / "assets" / "demo.mp4"


class Fixture(ReviewWindow):
    """A window with the Review workspace alone."""

    def trigger(self, key):
        self.review.actions_by_key[key].trigger()

    def seek(self, time_s):
        """Go to a moment and wait for its picture."""
        self.review.player.seek(time_s)
        self.wait(lambda: not self.review.pictures.is_waiting)

    def export(self, path):
        self.review.exports.write_table(path)
        self.wait(lambda: any(str(path) in m.text for m in self.messages))
        return rows_of(path)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def opened(qtbot, qapp, settings_path):
    fixture = Fixture(qtbot, qapp, settings_path)
    yield fixture
    fixture.close()


@pytest.fixture(scope="module")
def session_folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("sessions")
    write_tiny_model(root / "tiny.onnx", tiny_spec(alignment=TEMPLATE_ID))
    config = LiveConfig(
        sources=(SourceConfig("video", path=CLIP),),
        engine=EngineConfig(model_path=root / "tiny.onnx"),
    )
    return record_session(root, config, end_s=1.0)


def test_a_real_session_is_scrubbed_edited_and_exported(opened, session_folder, tmp_path):
    recorded_bytes = (session_folder / FRAMES_FILE).read_bytes()
    recorded = rows_of(session_folder / FRAMES_FILE)
    opened.open(session_folder)
    # Scrubbing: the picture belongs to the very frame of the values.
    times = sorted({float(row["timestamp"]) for row in recorded})
    for time_s in (times[-1], times[3], times[len(times) // 2]):
        opened.seek(time_s)
        result = opened.review.picture.view.result
        assert opened.review.player.time_s == time_s
        assert result.frame.timestamp_s == pytest.approx(time_s, abs=1e-4)
        row = next(r for r in recorded if float(r["timestamp"]) == time_s)
        happiness = result.estimates[0].labels.index("happiness")
        assert result.estimates[0].probabilities[happiness] == float(row["happiness"])
        assert opened.review.faces.cards[0].thumbnail._image is not None
    # Editing: exclude a range, rename a face, and take one more change back.
    begin_s, end_s = times[5], times[10]
    opened.seek(begin_s)
    opened.trigger("mark_in")
    opened.seek(end_s)
    opened.trigger("mark_out")
    opened.trigger("exclude")
    opened.review.editing.rename(0, "Ada")
    opened.document.change("add", lambda e: e.with_event(SessionEvent(times[1], name="x")))
    opened.trigger("undo")
    assert opened.document.edits.excluded_s == ((begin_s, end_s),)
    assert opened.document.edits.name_of(0) == "Ada"
    assert opened.review.events.table.rowCount() == 1
    # Exporting: outside the edits every field is the recorded one.
    exported = opened.export(tmp_path / "out.csv")
    kept = [row for row in recorded if not begin_s <= float(row["timestamp"]) <= end_s]
    assert 0 < len(kept) < len(recorded)
    assert {row.pop("face_name") for row in exported if row["face_id"] == "0"} == {"Ada"}
    for row in exported:
        row.pop("face_name", None)
    assert exported == kept
    assert (session_folder / FRAMES_FILE).read_bytes() == recorded_bytes


def test_edits_are_there_when_the_session_is_opened_again(opened, session_folder):
    (session_folder / "review.json").unlink(missing_ok=True)
    opened.open(session_folder)
    opened.review.editing.rename(0, "Bob")
    opened.wait(lambda: read_edits(session_folder / "review.json") is not None)
    first = opened.document.recording
    opened.review.open_path(session_folder)
    opened.wait(lambda: opened.document.recording is not first)
    assert opened.document.edits.name_of(0) == "Bob"
    assert not opened.review.actions_by_key["undo"].isEnabled()
    (session_folder / "review.json").unlink()


def test_an_interrupted_session_opens_with_a_notice(opened, session_folder):
    path = session_folder / SESSION_FILE
    whole = path.read_text()
    path.write_text(whole.replace('"complete"', '"recording"'))
    try:
        opened.open(session_folder)
        opened.wait(lambda: bool(opened.messages))
        assert "interrupted" in opened.messages[0].text
    finally:
        path.write_text(whole)


def test_playing_goes_through_the_frames_and_holds_at_the_end(opened, session_folder):
    opened.open(session_folder)
    moments = []
    opened.review.player.moved.connect(moments.append)
    opened.review.player.set_speed(4.0)
    opened.trigger("play")
    assert opened.review.player.is_playing
    opened.wait(lambda: not opened.review.player.is_playing)
    assert moments == sorted(moments)
    assert moments[-1] == opened.document.span_s[1]
    opened.trigger("frame_back")
    assert opened.review.player.time_s < opened.document.span_s[1]
    opened.trigger("to_begin")
    assert opened.review.player.time_s == opened.document.span_s[0]


@pytest.fixture
def table_path(tmp_path):
    """Faces 0 and 1 together, then face 2 alone; ever more uncertain."""
    results = [
        make_result(i, face_ids=(0, 1) if i < 50 else (2,), uncertainty=i / 100, is_reliable=i < 60)
        for i in range(100)
    ]
    return write_table(tmp_path / "t.csv", results)


def test_a_table_without_video_shows_values_and_says_so(opened, table_path):
    opened.open(table_path)
    assert set(opened.review.faces.cards) == {0, 1, 2}
    assert opened.review.picture.view.result is None
    opened.review.player.seek(2.0)
    assert "Face 2 at 0:02.00" in opened.review.timeline_panel._readout.text()
    assert opened.window.status.text("source") == "t.csv"


def test_limits_change_the_reliable_share_at_once_and_as_one_step(opened, table_path):
    opened.open(table_path)
    assert opened.review.limits.share.text() == "73.3 % reliable"
    opened.review.limits.max_uncertainty.setValue(40)
    opened.review.limits.max_uncertainty.setValue(30)
    assert opened.document.edits.limits == Limits(0.3, 0.0)
    assert opened.review.limits.share.text() == "41.3 % reliable"
    stretch = opened.document.series[0].stretch(0, 9, max_points=1000)
    np.testing.assert_array_equal(stretch.reliable_share, np.arange(50) <= 30)
    opened.trigger("undo")
    assert opened.document.edits.limits == Limits()


def test_faces_seen_together_are_not_merged_others_are(opened, table_path):
    opened.open(table_path)
    opened.review.editing.merge(1, 0)
    assert "cannot be one person" in opened.messages[-1].text
    opened.review.editing.merge(2, 0)
    assert set(opened.review.faces.cards) == {0, 1}
    assert opened.document.n_rows(0) == 100
    opened.trigger("undo")
    assert set(opened.review.faces.cards) == {0, 1, 2}


def test_events_are_changed_in_their_table(opened, table_path):
    opened.open(table_path)
    opened.document.change("add", lambda e: e.with_event(SessionEvent(1.0, name="film")))
    table = opened.review.events.table
    table.item(0, 3).setText("film 2")
    table.item(0, 1).setText("0:02.5")
    assert opened.document.edits.events[0].name == "film 2"
    assert opened.document.edits.events[0].end_timestamp_s == 2.5
    table.item(0, 0).setText("nonsense")
    assert "is no time" in opened.messages[-1].text
    assert table.item(0, 0).text() == "0:01.00"
    table.setCurrentCell(0, 3)
    assert opened.review.player.time_s == 1.0
    opened.qtbot.keyClick(table, Qt.Key.Key_Delete)
    assert opened.document.edits.events == ()


def test_the_summary_follows_the_edits(opened, table_path):
    opened.open(table_path)
    opened.wait(lambda: opened.review.summary.table.rowCount() == 8)
    assert opened.review.summary.text.startswith("50 frames, 2.0 s")
    opened.document.change("exclude", lambda e: e.with_excluded(1.0, 9.0))
    opened.wait(lambda: opened.review.summary.text.startswith("25 frames, 1.0 s"))


def test_what_cannot_be_opened_says_why_and_the_window_lives(opened, tmp_path, table_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    opened.review.open_path(path)
    opened.wait(lambda: bool(opened.messages))
    assert "no table of LA-Net Live" in opened.messages[0].text
    opened.open(table_path)


def test_every_action_has_a_key_of_its_own_and_every_control_a_name(opened):
    keys = [info.shortcut for info in opened.review.action_infos]
    assert len(set(keys)) == len(keys)
    for widget in (
        opened.review.timeline,
        opened.review.timeline_panel.position,
        opened.review.tool_bar.speed,
        opened.review.limits.max_uncertainty,
        opened.review.limits.min_quality,
        opened.review.events.table,
        opened.review.summary.table,
    ):
        assert widget.accessibleName()


@pytest.mark.parametrize(
    ("text", "time_s"), [("83.5", 83.5), ("1:23.45", 83.45), ("1:00:00", 3600), ("−0:01", -1)]
)
def test_times_are_read_as_people_write_them(text, time_s):
    assert parse_time(text) == pytest.approx(time_s)


@pytest.mark.parametrize("text", ["", "x", "1:x", "1:2:3:4", "nan", "1:-2"])
def test_other_texts_are_no_times(text):
    with pytest.raises(ValueError, match="no time"):
        parse_time(text)
