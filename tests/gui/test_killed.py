"""A window that is killed while it records leaves a session that Review opens and plays."""

import os
import signal
import subprocess
import sys
import textwrap

import av
import pandas as pd
import pytest

from lanet_live.face.template import TEMPLATE_ID
from lanet_live.gui.main_window import MainWindow
from lanet_live.gui.review.workspace import ReviewWorkspace
from lanet_live.gui.settings import Settings
from lanet_live.gui.theme import ThemeController
from lanet_live.sessions.reader import open_session
from tests.conftest import PROJECT_ROOT
from tests.tiny_model import tiny_spec, write_tiny_model

pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9"),
]

# Records, and tells the newest moment on show once there are more than two seconds.
_PROGRAM = """
    import sys
    from pathlib import Path
    from PySide6.QtCore import QTimer
    from lanet_live.config import EngineConfig, LiveConfig, SourceConfig
    from lanet_live.gui.app import create_application, create_window
    from lanet_live.gui.live.recording_options import RecordingOptions

    root, clip = Path(sys.argv[1]), Path(sys.argv[2])
    config = LiveConfig(
        sources=(SourceConfig("video", path=clip),),
        engine=EngineConfig(model_path=root / "tiny.onnx"),
    )
    app = create_application()
    window = create_window(
        config, settings_path=root / "settings.json", profiles_folder=root / "baselines"
    )
    live = window.active
    live.recording.set_options(RecordingOptions(root / "sessions", "clear"))
    window.show()

    def look():
        if live.run.setup is not None and not live.recording.is_recording:
            live.recording.toggle()
        if live.book.now_s > 2.5:
            print(live.book.now_s, flush=True)

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(20)
    app.exec()
"""


@pytest.fixture
def killed(settings_path):
    """The session a killed window left, and the newest moment that was on show in it."""
    root = settings_path.parent
    write_tiny_model(root / "tiny.onnx", tiny_spec(alignment=TEMPLATE_ID))
    (root / "program.py").write_text(textwrap.dedent(_PROGRAM))
    process = subprocess.Popen(
        [sys.executable, root / "program.py", root, PROJECT_ROOT / "assets" / "demo.mp4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT_ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(PROJECT_ROOT)},
    )
    try:
        newest_s = float(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
    (folder,) = (root / "sessions").iterdir()
    return folder, newest_s


def test_killed_window_leaves_a_session_that_opens_and_plays(killed, qtbot, qapp, tmp_path):
    folder, newest_s = killed
    session = open_session(folder)
    assert pd.read_csv(session.frames_path)["timestamp"].max() >= newest_s - 1.0
    with av.open(str(session.video_path)) as container:
        shown_s = [picture.time for picture in container.decode(video=0)]
    assert shown_s[-1] >= newest_s - 1.0
    review = ReviewWorkspace()
    messages = []
    review.message_raised.connect(messages.append)
    theme = ThemeController(qapp, "light")
    window = MainWindow([review], Settings(tmp_path / "settings.json"), theme)
    window.show()
    try:
        review.open_path(folder)
        qtbot.waitUntil(lambda: review.picture.view.result is not None, timeout=20_000)
        assert "interrupted" in messages[0].text
        first_s, last_s = review.document.span_s
        review.player.seek(last_s - 1.0)
        review.player.set_speed(4.0)
        review.actions_by_key["play"].trigger()
        qtbot.waitUntil(lambda: not review.player.is_playing, timeout=20_000)
        assert first_s < review.player.time_s == last_s
    finally:
        window.close()
        window.deleteLater()
