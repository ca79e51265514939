"""The LSL switch of the Live workspace, over a fake runner and real streams on loopback."""

import sys
import uuid
from dataclasses import replace

import pytest

from lanet_live.gui.app import create_window
from lanet_live.run.live_events import RunState
from tests.fakes import make_facts, make_result
from tests.gui.conftest import CONFIG, FakeRunner
from tests.lsl_receiver import connect, find

pytestmark = pytest.mark.gui


class Fixture:
    """A window over fake runners whose source has a name nobody else uses."""

    def __init__(self, qtbot, settings_path, config=CONFIG):
        self.qtbot = qtbot
        self.runners = []
        self.facts = make_facts(source_id=uuid.uuid4().hex)
        self.window = create_window(
            config, settings_path=settings_path, runner_factory=self._make_runner
        )
        self.window.show()
        self.live = self.window.active
        self.switch = self.live.actions_by_key["lsl"]

    def _make_runner(self, source, bridge):
        self.runners.append(FakeRunner(source, bridge))
        return self.runners[-1]

    def open_run(self):
        self.runners[-1].open(self.facts)
        self.wait(lambda: self.live.run.setup is not None)

    def deliver(self, index):
        self.runners[-1].deliver(make_result(index))
        self.wait(lambda: self.live.book.now_s == index / 25)

    def wait(self, is_true):
        self.qtbot.waitUntil(is_true, timeout=5000)

    def is_offered(self, pylsl, *, timeout_s=5.0):
        return bool(find(pylsl, self.facts.source_id, "Expression", timeout_s=timeout_s))


@pytest.fixture
def opened(qtbot, settings_path):
    fixture = Fixture(qtbot, settings_path)
    yield fixture
    fixture.window.close()
    fixture.window.deleteLater()


def test_nothing_is_offered_until_the_switch_is_on_and_nothing_after(opened, loopback_lsl):
    opened.open_run()
    assert not opened.switch.isChecked()
    assert not opened.is_offered(loopback_lsl, timeout_s=1.2)
    opened.switch.trigger()
    assert opened.is_offered(loopback_lsl)
    assert "No picture is sent" in opened.window.banner.text
    opened.switch.trigger()
    assert not opened.is_offered(loopback_lsl, timeout_s=1.2)


def test_estimates_and_markers_reach_a_receiver(opened, loopback_lsl):
    opened.open_run()
    opened.live.markers.book.set_names(("", "film"))
    opened.switch.trigger()
    source = opened.facts.source_id
    estimates, markers = (connect(loopback_lsl, source, t) for t in ("Expression", "Markers"))
    opened.deliver(0)
    opened.live.actions_by_key["marker_2"].trigger()
    values, stamp = estimates.pull_sample(timeout=5)
    marker, marker_stamp = markers.pull_sample(timeout=5)
    assert values[:3] == [0.0, 0.0, 0.0]
    assert marker == ["2 film"]
    assert marker_stamp == stamp


def test_the_switch_holds_for_the_next_run_but_not_for_the_next_start(
    opened, loopback_lsl, qtbot, settings_path
):
    opened.open_run()
    opened.switch.trigger()
    opened.runners[-1].end(RunState.FINISHED)
    opened.wait(lambda: not opened.live.streaming.is_sending)
    opened.live.actions_by_key["start_stop"].trigger()
    opened.open_run()
    opened.wait(lambda: opened.live.streaming.is_sending)
    opened.window.close()
    again = Fixture(qtbot, settings_path)
    assert not again.switch.isChecked()
    again.window.close()
    again.window.deleteLater()


def test_the_command_line_switches_it_on(qtbot, settings_path, loopback_lsl):
    fixture = Fixture(qtbot, settings_path, replace(CONFIG, with_lsl=True))
    assert fixture.switch.isChecked()
    fixture.open_run()
    fixture.wait(lambda: fixture.live.streaming.is_sending)
    fixture.window.close()
    fixture.window.deleteLater()


def test_without_pylsl_the_switch_goes_back_and_says_why(opened, monkeypatch):
    monkeypatch.setitem(sys.modules, "pylsl", None)
    opened.switch.trigger()
    assert not opened.switch.isChecked()
    assert "lanet-live[lsl]" in opened.window.banner.text
