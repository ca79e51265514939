"""A window over the real runner, with a simulated camera and a pipeline without a model."""

import threading
import time

from lanet_live.capture.base import SourceReport
from lanet_live.capture.reconnecting import ReconnectPolicy
from lanet_live.config import PipelineConfig
from lanet_live.errors import SourceLost
from lanet_live.gui.app import create_window
from lanet_live.run.live import LiveRunner
from lanet_live.run.pipeline import Pipeline
from tests.fakes import FakeEngine, FakeTracker, make_facts, make_frame, make_track
from tests.gui.conftest import CONFIG

FPS = 50.0


class SimulatedCamera:
    """Delivers frames until it is pulled out; the next one made works again."""

    def __init__(self, pulled: threading.Event) -> None:
        self._pulled = pulled
        self._index = 0
        self._began_s = 0.0

    def open(self):
        self._began_s = time.perf_counter()
        return make_facts(kind="camera", is_live=True, source_id="Simulated camera")

    def read(self):
        if self._pulled.wait(1 / FPS):
            self._pulled.clear()
            raise SourceLost("The camera does not answer any more.")
        self._index += 1
        return make_frame(self._index - 1, timestamp_s=time.perf_counter() - self._began_s)

    def report(self):
        return SourceReport(n_decoded=self._index)

    def close(self):
        pass


class LiveWindow:
    """The window, running, with one face in the picture."""

    def __init__(self, qtbot, settings_path, tmp_path):
        self.qtbot = qtbot
        self.pulled = threading.Event()
        self.window = create_window(
            CONFIG,
            settings_path=settings_path,
            profiles_folder=tmp_path / "baselines",
            runner_factory=self._make_runner,
        )
        self.live = self.window.active
        options = self.live.recording.options
        self.live.recording.set_options(type(options)(tmp_path / "sessions", "none"))
        self.window.show()
        self.wait(lambda: len(self.live.book.histories.get(0, ())) > 5)

    def wait(self, is_true):
        self.qtbot.waitUntil(is_true, timeout=20_000)

    def close(self):
        self.window.close()
        self.window.deleteLater()

    def _make_runner(self, source, bridge):
        return LiveRunner(
            lambda: SimulatedCamera(self.pulled),
            lambda facts: Pipeline(FakeTracker((make_track(0),)), FakeEngine(), PipelineConfig()),
            [bridge],
            on_event=bridge.post,
            reconnect=ReconnectPolicy(first_delay_s=0.3),
        )
