"""What the tool infers and what it cannot, shown before the first use and from the Help menu."""

from typing import Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from lanet_live.gui.icons import icon

_SECTIONS: Final = (
    (
        "lines",
        "What it tells",
        "For every face and every frame: how probable each facial expression is in the eyes of a "
        "model trained on human judgements, how ambiguous the expression is (uncertainty), and how "
        "far the picture can be trusted (quality). Where either is beyond its limit, the estimate "
        "is marked as not reliable. The raw values are always kept.",
    ),
    (
        "warning",
        "What it cannot tell",
        "An expression is not an emotion. Nobody's feelings, thoughts, truthfulness, health or "
        "character can be read from it, and people, cultures and situations differ. The model was "
        "trained on photographs from the internet; it can be wrong, and wrong more often for some "
        "people than for others. Do not base decisions about a person on it.",
    ),
    (
        "check",
        "Everything stays on this machine",
        "Nothing is sent anywhere; the program needs no network. Only if you switch on LSL are "
        "estimates and markers, never pictures, offered on your local network. Unless you choose "
        "to store a video, a recording holds numbers only and no picture of anybody.",
    ),
    (
        "info",
        "What the law says",
        "In the European Union, the AI Act (Regulation (EU) 2024/1689, article 5(1)(f)) prohibits "
        "inferring emotions of people at work and in education, except for medical or safety "
        "reasons. Elsewhere such systems can count as high-risk, and the people concerned must be "
        "told. Ask for consent, and check the rules that apply to you; this is no legal advice.",
    ),
)


class WelcomePage(QWidget):
    """One page of plain sentences and one button."""

    accepted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        sheet = QFrame()
        sheet.setObjectName("panel")
        sheet.setMaximumWidth(820)
        column = QVBoxLayout(sheet)
        column.setContentsMargins(32, 26, 32, 24)
        column.setSpacing(16)
        column.addLayout(_heading())
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(14)
        grid.setColumnStretch(1, 1)
        for row, (icon_name, title, text) in enumerate(_SECTIONS):
            symbol = QLabel()
            symbol.setPixmap(icon(icon_name).pixmap(QSize(22, 22)))
            grid.addWidget(symbol, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addLayout(_section(title, text), row, 1)
        column.addLayout(grid)
        self.button = QPushButton("I understand, continue")
        self.button.setProperty("primary", True)
        self.button.setDefault(True)
        self.button.setAutoDefault(True)
        self.button.clicked.connect(self.accepted)
        column.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignRight)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(_centred(sheet))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)


def _heading() -> QHBoxLayout:
    symbol = QLabel()
    symbol.setPixmap(icon("app").pixmap(QSize(40, 40)))
    title = QLabel("LA-Net Live")
    font = title.font()
    font.setPointSizeF(font.pointSizeF() * 1.6)
    font.setWeight(font.Weight.DemiBold)
    title.setFont(font)
    claim = QLabel("Facial expressions as they happen, with how sure one can be of them")
    claim.setProperty("secondary", True)
    words = QVBoxLayout()
    words.setSpacing(0)
    words.addWidget(title)
    words.addWidget(claim)
    row = QHBoxLayout()
    row.setSpacing(14)
    row.addWidget(symbol)
    row.addLayout(words, stretch=1)
    return row


def _section(title: str, text: str) -> QVBoxLayout:
    heading = QLabel(title)
    heading.setProperty("heading", True)
    body = QLabel(text)
    body.setWordWrap(True)
    body.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    column = QVBoxLayout()
    column.setSpacing(2)
    column.addWidget(heading)
    column.addWidget(body)
    return column


def _centred(sheet: QWidget) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.addStretch(1)
    row.addWidget(sheet, stretch=20, alignment=Qt.AlignmentFlag.AlignVCenter)
    row.addStretch(1)
    return holder
