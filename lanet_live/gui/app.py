"""Starts the window: application, look, workspaces; and ends it without leaving anything behind."""

import os
import signal
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from lanet_live import __version__
from lanet_live.analysis.item_run import item_runner
from lanet_live.analysis.queue_file import default_queue_folder
from lanet_live.config import LiveConfig
from lanet_live.expression.profile_store import ProfileStore, default_store_folder
from lanet_live.gui.analyze.workspace import AnalyzeWorkspace
from lanet_live.gui.live.run import RunnerFactory, live_runner_factory
from lanet_live.gui.live.workspace import LiveWorkspace
from lanet_live.gui.main_window import MainWindow
from lanet_live.gui.messages import UncaughtErrors
from lanet_live.gui.review.workspace import ReviewWorkspace
from lanet_live.gui.settings import Settings, default_settings_path
from lanet_live.gui.theme import ThemeController

# OpenCV's wheel sets both to its own Qt 5 plugins and fonts, which this Qt cannot use.
_OPENCV_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
# Python sees a Ctrl-C only when it runs; Qt's event loop alone would never let it.
_SIGNAL_CHECK_MS = 250


def run_gui(config: LiveConfig) -> int:
    """Open the window and stay until it is closed; returns the exit code."""
    app = create_application()
    errors = UncaughtErrors()
    errors.install()
    window = create_window(config)
    errors.connect_to(window.show_uncaught)
    window.show()
    heartbeat = _let_python_see_signals(app)
    signal.signal(signal.SIGINT, lambda *_: window.close())
    code = app.exec()
    heartbeat.stop()
    return code


def create_application() -> QApplication:
    """Return Qt's application, made if there is none yet."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    for name in _OPENCV_VARIABLES:
        os.environ.pop(name, None)
    app = QApplication([])
    app.setApplicationName("lanet-live")
    app.setApplicationDisplayName("LA-Net Live")
    app.setApplicationVersion(__version__)
    return app


def create_window(
    config: LiveConfig,
    *,
    settings_path: Path | None = None,
    profiles_folder: Path | None = None,
    runner_factory: RunnerFactory | None = None,
    exec_app: bool = False,
) -> MainWindow:
    """Assemble the window.

    Args:
        config: Of the application.
        settings_path: Where the window's state is kept, and the queue beside it; the user's own
            places by default.
        profiles_folder: Where neutral baselines are kept; the user's own place by default.
        runner_factory: Makes the runners; the real ones by default.
        exec_app: Show the window and return only when it is closed.
    """
    app = create_application()
    settings = Settings(settings_path or default_settings_path())
    theme = ThemeController(app, settings.text("appearance", "system"))
    live = LiveWorkspace(
        config,
        runner_factory or live_runner_factory(config),
        ProfileStore(profiles_folder or default_store_folder()),
    )
    queue_folder = settings_path.parent / "analyze" if settings_path else default_queue_folder()
    analyze = AnalyzeWorkspace(item_runner(config), queue_folder)
    window = MainWindow([live, analyze, ReviewWorkspace()], settings, theme)
    if exec_app:
        window.show()
        app.exec()
    return window


def _let_python_see_signals(parent: QObject) -> QTimer:
    timer = QTimer(parent)
    timer.timeout.connect(_do_nothing)
    timer.start(_SIGNAL_CHECK_MS)
    return timer


def _do_nothing() -> None:
    """Let the interpreter run for a moment."""
