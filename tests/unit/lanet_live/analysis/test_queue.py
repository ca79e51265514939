"""The queue over fake runs: order, failures, pause, cancel, retry, restart."""

import json
import threading

import pytest

from lanet_engines.errors import EngineError
from lanet_live.analysis.item import AnalysisItem, ItemState
from lanet_live.analysis.options import AnalysisOptions
from lanet_live.analysis.queue import AnalysisQueue
from lanet_live.analysis.queue_file import QueueFile
from lanet_live.errors import SourceUnavailable
from lanet_live.run_summary import RunEnd, RunProgress, RunSummary
from tests.fakes import make_facts, make_result

TIMEOUT_S = 20


def make_summary(end=RunEnd.COMPLETED, **changes):
    values = {
        "facts": make_facts(),
        "warnings": (),
        "n_decoded": 3,
        "n_analysed": 3,
        "n_with_face": 2,
        "n_dropped": 0,
        "end": end,
        "partial_reason": None if end is RunEnd.COMPLETED else f"The analysis was {end.value}.",
        "is_interrupted": False,
        "elapsed_s": 1.5,
    }
    return RunSummary(**(values | changes))


class FakeRuns:
    """Plays runs: each waits frame by frame for the brake, a name decides how it ends."""

    def __init__(self):
        self.begun = []
        self.folders = []
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self, item, folder, control, on_progress):
        self.begun.append(item.name)
        self.folders.append(folder)
        (folder / "part.csv").write_text("kept")
        if item.name.startswith("bad"):
            raise SourceUnavailable(f"{item.path} is not a video.")
        if item.name.startswith("engine"):
            raise EngineError("The model cannot be opened.")
        if item.name.startswith("bug"):
            raise ZeroDivisionError("by zero")
        n_written = 0
        while not control.should_stop():
            control.write(make_result(n_written))
            n_written += 1
            on_progress(RunProgress(n_written, n_written, 3, 0.1 * n_written))
            if n_written >= 3 and self.may_end.wait(0.01):
                return make_summary()
        return make_summary(RunEnd.STOPPED)


class Changes:
    """Counts changes and lets a test wait until something is true."""

    def __init__(self):
        self._changed = threading.Condition()

    def __call__(self):
        with self._changed:
            self._changed.notify_all()

    def wait(self, is_true):
        with self._changed:
            # Polls too, so that a change between the check and the wait costs little.
            for _ in range(TIMEOUT_S * 50):
                if is_true():
                    return
                self._changed.wait(0.02)
        pytest.fail("the queue did not get there in time")


class Fixture:
    def __init__(self, tmp_path):
        self.folder = tmp_path
        self.path = tmp_path / "data" / "queue.json"
        self.runs = FakeRuns()
        self.queues = []
        self.open()

    def open(self):
        self.changes = Changes()
        self.queue = AnalysisQueue(QueueFile(self.path), self.runs, on_change=self.changes)
        self.queues.append(self.queue)
        return self.queue

    def add(self, *names):
        options = AnalysisOptions(out_dir=self.folder / "out")
        items = [AnalysisItem("video", self.folder / name, options) for name in names]
        self.queue.add(items)
        return [item.item_id for item in items]

    @property
    def states(self):
        return [item.state.value for item in self.queue.snapshot().items]

    def item(self, item_id):
        return next(i for i in self.queue.snapshot().items if i.item_id == item_id)

    def wait_for(self, *states):
        self.changes.wait(lambda: self.states == list(states))


@pytest.fixture
def opened(tmp_path):
    fixture = Fixture(tmp_path)
    yield fixture
    fixture.runs.may_end.set()
    for queue in fixture.queues:
        queue.close()


def test_items_wait_for_start_and_run_in_order(opened):
    opened.add("a.mp4", "b.mp4")
    assert opened.states == ["queued", "queued"]
    opened.queue.start()
    opened.wait_for("done", "done")
    assert opened.runs.begun == ["a.mp4", "b.mp4"]
    assert not opened.queue.snapshot().is_going


@pytest.mark.parametrize(
    ("name", "words"),
    [("bad.mp4", "is not a video"), ("engine.mp4", "cannot be opened"), ("bug.mp4", "by zero")],
)
def test_a_failed_item_says_why_and_the_next_one_runs(opened, name, words):
    failed, _ = opened.add(name, "good.mp4")
    opened.queue.start()
    opened.wait_for("failed", "done")
    assert words in opened.item(failed).reason


def test_a_source_that_breaks_off_fails_and_names_what_is_kept(opened):
    (item_id,) = opened.add("a.mp4")
    lost = make_summary(RunEnd.SOURCE_LOST, partial_reason="a.mp4 breaks off.")
    opened.queue._run_item = lambda *_: lost
    opened.queue.start()
    opened.wait_for("failed")
    assert opened.item(item_id).reason == "a.mp4 breaks off. The files hold what was analysed."


def test_pause_holds_the_item_under_way_and_start_goes_on(opened):
    opened.runs.may_end.clear()
    (item_id, _) = opened.add("a.mp4", "b.mp4")
    opened.queue.start()
    opened.changes.wait(lambda: opened.item(item_id).progress or False)
    opened.queue.pause()
    control = opened.queue._current[1]
    opened.changes.wait(lambda: control.waited_s > 0)
    n_analysed = opened.item(item_id).progress.n_analysed
    opened.runs.may_end.set()
    assert opened.states == ["paused", "queued"]
    assert opened.item(item_id).progress.n_analysed == n_analysed
    opened.queue.start()
    opened.wait_for("done", "done")


def test_cancel_ends_a_held_item_and_keeps_its_files(opened):
    opened.runs.may_end.clear()
    first, second = opened.add("a.mp4", "b.mp4")
    opened.queue.start()
    opened.changes.wait(lambda: opened.item(first).progress is not None)
    opened.queue.pause()
    opened.queue.cancel([first, second])
    opened.wait_for("cancelled", "cancelled")
    assert opened.item(first).reason == "Cancelled. The files hold what was analysed."
    assert (opened.item(first).result_folder / "part.csv").exists()
    assert opened.runs.begun == ["a.mp4"]


def test_retry_replaces_a_broken_result_and_keeps_a_good_one(opened):
    opened.add("bad.mp4", "good.mp4")
    opened.queue.start()
    opened.wait_for("failed", "done")
    opened.queue.retry([item.item_id for item in opened.queue.snapshot().items])
    opened.queue.start()
    opened.wait_for("failed", "done")
    assert [folder.name for folder in opened.runs.folders] == ["bad", "good", "bad", "good_2"]


def test_an_item_removed_under_way_ends_and_the_next_one_runs(opened):
    opened.runs.may_end.clear()
    first, second = opened.add("a.mp4", "b.mp4")
    opened.queue.start()
    opened.changes.wait(lambda: opened.item(first).progress is not None)
    opened.queue.remove([first])
    opened.runs.may_end.set()
    opened.wait_for("done")
    assert opened.item(second).state is ItemState.DONE


def test_options_change_only_while_nothing_was_made_of_them(opened):
    done, failed = opened.add("good.mp4", "bad.mp4")
    opened.queue.start()
    opened.wait_for("done", "failed")
    changed = AnalysisOptions(every_n=7)
    opened.queue.set_options({done: changed, failed: changed})
    assert opened.item(done).options.every_n == 1
    assert opened.item(failed).options.every_n == 7


def test_what_was_under_way_starts_again_after_a_restart(opened):
    opened.runs.may_end.clear()
    first, _ = opened.add("a.mp4", "b.mp4")
    opened.queue.start()
    opened.changes.wait(lambda: opened.item(first).progress is not None)
    opened.queue.close()
    assert json.loads(opened.path.read_text())["is_going"] is True
    opened.runs.may_end.set()
    opened.open()
    assert opened.states == ["queued", "queued"]
    assert opened.queue.resume_last()
    opened.wait_for("done", "done")
    assert [folder.name for folder in opened.runs.folders] == ["a", "a", "b"]


def test_a_killed_program_leaves_a_queue_that_starts_again(opened):
    opened.runs.may_end.clear()
    (item_id,) = opened.add("a.mp4")
    opened.queue.start()
    opened.changes.wait(lambda: opened.item(item_id).progress is not None)
    assert json.loads(opened.path.read_text())["items"][0]["state"] == "running"
    stored = QueueFile(opened.path).load()
    assert stored.is_going
    assert [item.state for item in stored.items] == [ItemState.QUEUED]


def test_a_paused_queue_stays_paused_after_a_restart(opened):
    opened.runs.may_end.clear()
    opened.add("a.mp4")
    opened.queue.start()
    opened.queue.pause()
    opened.queue.close()
    opened.open()
    assert not opened.queue.resume_last()
    assert opened.states == ["queued"]


def test_a_queue_that_cannot_be_stored_says_so_and_works(opened):
    opened.path.parent.mkdir()
    opened.path.mkdir()
    opened.add("a.mp4")
    assert "will not survive a restart" in opened.queue.snapshot().notice
    opened.queue.start()
    opened.wait_for("done")


def test_close_without_start_and_twice(opened):
    opened.queue.close()
    opened.queue.close()
    opened.queue.start()
    assert opened.states == []
