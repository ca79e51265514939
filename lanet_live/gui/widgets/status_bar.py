"""The line at the bottom: what runs, on what, how fast, and what was lost."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from lanet_live.gui.widgets.divider import divider
from lanet_live.gui.workspace import StatusFacts

_TOOLTIPS = {
    "state": "What the workspace is doing.",
    "source": "The source and the size of its pictures.",
    "engine": "The runtime and the device that run the expression model.",
    "precision": "Number format the model runs in.",
    "fps": "Results a second, over the last seconds.",
    "latency": "Time from a picture being in hand to its result being on screen (median).",
    "drops": "Frames of the source that could not be analysed in time, since the start.",
}


class StatusLine(QWidget):
    """Always shows state, source, engine and device, precision, fps, latency and drops."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 12, 4)
        row.setSpacing(12)
        self._labels: dict[str, QLabel] = {}
        self._dividers: dict[str, QWidget] = {}
        for name, tooltip in _TOOLTIPS.items():
            if self._labels:
                self._dividers[name] = divider()
                row.addWidget(self._dividers[name])
            label = QLabel()
            label.setToolTip(tooltip)
            label.setAccessibleDescription(tooltip)
            if name in ("source", "engine"):
                # These may be long; they give way before the window does.
                label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
                row.addWidget(label, stretch=1)
            else:
                row.addWidget(label)
            self._labels[name] = label
        self._labels["state"].setProperty("strong", True)
        self.show_facts(StatusFacts())

    def show_facts(self, facts: StatusFacts) -> None:
        """Show what a workspace reported."""
        fps = "" if facts.fps is None else f"{facts.fps:.1f} fps"
        latency = "" if facts.latency_ms is None else f"{facts.latency_ms:.0f} ms to screen"
        drops = "" if facts.n_dropped is None else f"{facts.n_dropped} dropped"
        texts = {
            "state": facts.state,
            "source": facts.source or "no source",
            "engine": facts.engine or "no engine yet",
            "precision": facts.precision,
            "fps": fps,
            "latency": latency,
            "drops": drops,
        }
        for name, text in texts.items():
            label = self._labels[name]
            if label.text() != text:
                label.setText(text)
                label.setAccessibleName(text)
            # A workspace that has no such number leaves no dash in its place.
            for widget in (label, self._dividers.get(name)):
                if widget is not None:
                    widget.setVisible(bool(text))
        for name in ("source", "engine"):
            self._labels[name].setToolTip(f"{_TOOLTIPS[name]}\n{texts[name]}")
        self._mark("state", is_alert=facts.is_alert)

    def text(self, name: str) -> str:
        """What one part says: "state", "source", "engine", "precision", "fps", ..."""
        return self._labels[name].text()

    def _mark(self, name: str, *, is_alert: bool) -> None:
        label = self._labels[name]
        if bool(label.property("alert")) != is_alert:
            label.setProperty("alert", is_alert)
            label.style().unpolish(label)
            label.style().polish(label)
