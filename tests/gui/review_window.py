"""A window with the Review workspace alone, for tests to drive."""

from lanet_live.gui.main_window import MainWindow
from lanet_live.gui.review.workspace import ReviewWorkspace
from lanet_live.gui.settings import Settings
from lanet_live.gui.theme import ThemeController


class ReviewWindow:
    """The window, its messages and the actions that most tests take."""

    def __init__(self, qtbot, qapp, settings_path):
        self.qtbot = qtbot
        self.review = ReviewWorkspace()
        self.messages = []
        self.review.message_raised.connect(self.messages.append)
        theme = ThemeController(qapp, "light")
        self.window = MainWindow([self.review], Settings(settings_path), theme)
        self.window.show()

    @property
    def document(self):
        return self.review.document

    def open(self, path):
        """Open a recording and wait for it."""
        self.review.open_path(path)
        self.wait(lambda: self.document.recording is not None and self.title == path.name)

    @property
    def title(self):
        recording = self.document.recording
        return recording.title if recording else ""

    def wait(self, is_true):
        self.qtbot.waitUntil(is_true, timeout=20_000)

    def close(self):
        self.window.close()
        self.window.deleteLater()
