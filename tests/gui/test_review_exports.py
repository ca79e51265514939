"""Exports of the Review workspace: progress, cancelling, and the annotated video."""

import threading

import pytest
from PySide6.QtCore import Qt

from lanet_live.sinks.mp4 import Mp4Writer
from tests.fakes import make_result
from tests.gui.review_window import ReviewWindow
from tests.review_tables import write_table

pytestmark = pytest.mark.gui


class Fixture(ReviewWindow):
    """A window with the Review workspace and an export that goes on only when it is let."""

    def __init__(self, qtbot, qapp, settings_path):
        super().__init__(qtbot, qapp, settings_path)
        self.may_go_on = threading.Event()
        self.began = threading.Event()

    def write_slowly(self, watch):
        watch.step(1, 4)
        self.began.set()
        self.may_go_on.wait(10)
        watch.step(2, 4)

    def cancel_key(self):
        modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        self.qtbot.keyClick(self.window, Qt.Key.Key_X, modifiers)


@pytest.fixture
def opened(qtbot, qapp, settings_path):
    fixture = Fixture(qtbot, qapp, settings_path)
    yield fixture
    fixture.may_go_on.set()
    fixture.close()


@pytest.fixture
def clip_table(tmp_path):
    """A table of ten frames with its video beside it."""
    results = [make_result(i) for i in range(10)]
    video = Mp4Writer(tmp_path / "t.mp4", results[0].frame.image_bgr.shape, overwrite=False)
    for result in results:
        video.append(result.frame.image_bgr, result.frame.timestamp_s)
    video.close()
    return write_table(tmp_path / "t.csv", results)


def test_progress_is_shown_and_the_export_can_be_cancelled_by_key(opened, tmp_path):
    progress, jobs = opened.review.progress, opened.review.exports.jobs
    assert not progress.isVisible()
    jobs.submit(tmp_path / "long.mp4", opened.write_slowly)
    jobs.submit(tmp_path / "next.csv", lambda watch: watch.check())
    opened.wait(opened.began.is_set)
    progress.show_progress()
    assert progress.isVisible()
    assert progress.bar.text() == "25 %"
    assert progress.text == "Writing long.mp4  (1 more to write)"
    opened.cancel_key()
    progress.show_progress()
    assert progress.text.startswith("Stopping")
    opened.may_go_on.set()
    opened.wait(lambda: not progress.isVisible())
    assert [message.text.split()[-1] for message in opened.messages] == [
        "kept.",
        f"{tmp_path / 'next.csv'}.",
    ]


def test_a_long_export_delays_no_edit(opened, clip_table, tmp_path):
    opened.open(clip_table)
    opened.review.exports.jobs.submit(tmp_path / "long.mp4", opened.write_slowly)
    opened.wait(opened.began.is_set)
    opened.review.editing.rename(0, "Ada")
    edits_path = opened.review.document.recording.edits_path
    opened.wait(edits_path.is_file)


def test_closing_the_window_cancels_what_is_being_written(opened, tmp_path):
    opened.review.exports.jobs.submit(tmp_path / "long.mp4", opened.write_slowly)
    opened.wait(opened.began.is_set)
    opened.may_go_on.set()
    opened.window.close()  # threads left behind fail the test


def test_the_annotated_video_is_written_for_the_selected_range(opened, clip_table, tmp_path):
    av = pytest.importorskip("av")
    opened.open(clip_table)
    opened.review.timeline.select(0.1, 0.3)
    opened.review.exports.write_video(tmp_path / "out.mp4")
    opened.wait(lambda: any("Written to" in message.text for message in opened.messages))
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [round(frame.time, 3) for frame in container.decode(video=0)]
    assert times == [0.12, 0.16, 0.2, 0.24, 0.28]


def test_without_a_video_the_export_says_what_to_do(opened, tmp_path):
    opened.open(write_table(tmp_path / "t.csv", [make_result(0)]))
    opened.review.exports.write_video(tmp_path / "out.mp4")
    opened.wait(lambda: any("has no video" in message.text for message in opened.messages))
