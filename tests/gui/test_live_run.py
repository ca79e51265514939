"""The real window on a real clip with the real pipeline; only the model's weights are random."""

import time
from dataclasses import replace

import pytest

from lanet_live.config import EngineConfig, ExportConfig, LiveConfig, SourceConfig
from lanet_live.export.exporter import Exporter
from lanet_live.export.plan import plan_jobs
from lanet_live.face.template import TEMPLATE_ID
from lanet_live.gui.app import create_window
from lanet_live.run.live_events import RunState
from lanet_live.sessions.reader import open_session
from tests.conftest import PROJECT_ROOT
from tests.tiny_model import tiny_spec, write_tiny_model

pytestmark = pytest.mark.gui
CLIP = PROJECT_ROOT / "assets" / "demo.mp4"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    model = tmp_path_factory.mktemp("model") / "tiny.onnx"
    write_tiny_model(model, tiny_spec(alignment=TEMPLATE_ID))
    return LiveConfig(
        sources=(SourceConfig("video", path=CLIP),), engine=EngineConfig(model_path=model)
    )


def test_a_session_recorded_live_holds_the_numbers_of_the_export(
    qtbot, config, settings_path, tmp_path
):
    window = create_window(config, settings_path=settings_path, profiles_folder=tmp_path)
    live = window.active
    live.recording.set_options(type(live.recording.options)(tmp_path / "sessions", "blurred"))
    window.show()
    try:
        qtbot.waitUntil(lambda: live.book.now_s > 0.3, timeout=60_000)
        live.actions_by_key["record"].trigger()
        qtbot.waitUntil(lambda: live.book.now_s > 1.0, timeout=60_000)
        live.actions_by_key["marker_1"].trigger()
        marked_s = live.book.now_s
        qtbot.waitUntil(lambda: live.book.now_s > 1.5, timeout=60_000)
        assert set(live.faces.cards) == {0}
        assert len(live.book.histories[0]) > 20
        assert live.run.stats.n_dropped == 0
        live.actions_by_key["record"].trigger()
        live.run.stop()
        qtbot.waitUntil(lambda: live.run.state is RunState.IDLE, timeout=20_000)
    finally:
        window.close()
        window.deleteLater()
    (folder,) = (tmp_path / "sessions").iterdir()
    info = open_session(folder)
    assert info.notice == ""
    assert info.events[0].timestamp_s == marked_s
    assert info.video_path is not None
    assert info.document["frames"]["n_video_dropped"] == 0
    _assert_equals_export(info.frames_path, config, tmp_path)


def _assert_equals_export(frames_path, config, folder):
    """Every line recorded stands in the export of the same file, letter by letter."""
    out = folder / "export"
    out.mkdir()
    export = ExportConfig(formats=("csv",), out_dir=out)
    (job,) = plan_jobs(config.sources, export)
    Exporter(replace(config, export=export)).run(job)
    recorded = frames_path.read_text().splitlines()
    exported = job.outputs["csv"].read_text().splitlines()
    first = exported.index(recorded[1])
    assert len(recorded) > 10
    assert recorded == [exported[0], *exported[first : first + len(recorded) - 1]]


def test_closing_in_the_middle_of_a_run_is_quick_and_leaves_no_thread(
    qtbot, config, settings_path, tmp_path
):
    window = create_window(config, settings_path=settings_path, profiles_folder=tmp_path)
    window.show()
    live = window.active
    qtbot.waitUntil(lambda: live.picture.view.n_painted > 3, timeout=60_000)
    began_s = time.perf_counter()
    window.close()
    assert time.perf_counter() - began_s < 10
    assert not live.run.state.is_active
    window.deleteLater()
