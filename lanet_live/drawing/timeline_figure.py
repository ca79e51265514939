"""Draws a run as a picture: per face the probabilities, the uncertainty and the quality over time.

Matplotlib comes with MediaPipe. It is used without pyplot: no display, no global state.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lanet_live.drawing.history import FaceHistory, Stretch
from lanet_live.drawing.palette import class_colors, hex_color

MAX_FACES = 4
_MAX_POINTS = 1_600
_DPI = 150
_WIDTH_IN = 12.0
# Share of the time axis.
_LABELLED_GAP = 0.07
_FACE_HEIGHT_IN = 3.1
_MARGIN_TOP_IN, _MARGIN_BOTTOM_IN = 0.95, 0.85
_INK, _MUTED, _GRID, _VEIL = "#1f2328", "#6b7280", "#e5e7eb", "#c9cdd3"
_WARNING = "#b45309"
# Brown and ink: no class has them.
_UNCERTAINTY, _QUALITY = "#7a4b1f", "#1f2328"


@dataclass(frozen=True, slots=True)
class PlotText:
    """What the picture says besides its curves.

    Attributes:
        title: Of the whole picture, e.g. the file's name.
        footer: Where the numbers come from, e.g. model and engine.
        min_quality: Threshold in force.
        max_uncertainty: Threshold in force.
        is_smoothed: The smoothed probabilities are drawn and the picture says so.
        note: What the reader must know first, e.g. that the run broke off.
    """

    title: str = ""
    footer: str = ""
    min_quality: float = 0.0
    max_uncertainty: float = 1.0
    is_smoothed: bool = False
    note: str = ""


@dataclass(slots=True)
class FaceRun:
    """One face over a run.

    Attributes:
        face_id: As in the table.
        history: Its samples.
        n_reliable: How many of them are reliable.
        name: Given by the user; empty for none.
    """

    face_id: int
    history: FaceHistory
    n_reliable: int = 0
    name: str = ""


@dataclass(slots=True)
class RunSpan:
    """The time a run covers.

    Attributes:
        first_s: Time stamp of the first frame.
        last_s: Time stamp of the last frame.
        n_frames: Frames analysed.
        n_with_face: Frames with at least one face.
        excluded_s: Begin and end of the ranges a reviewer left out, which are crossed out.
    """

    first_s: float
    last_s: float
    n_frames: int = 0
    n_with_face: int = 0
    excluded_s: tuple[tuple[float, float], ...] = ()


def draw_timeline(
    path: Path,
    faces: Sequence[FaceRun],
    span: RunSpan,
    labels: tuple[str, ...],
    text: PlotText,
    *,
    file_format: str = "png",
) -> None:
    """Write the picture.

    Args:
        path: Where to.
        faces: Those seen longest first; the first `MAX_FACES` get a panel each.
        span: The time covered.
        labels: Class names.
        text: Title, footer and thresholds.
        file_format: "png" or "svg", whatever the name.

    Raises:
        OSError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = sorted(faces[:MAX_FACES], key=lambda face: face.face_id)
    n_panels = max(1, len(shown))
    height_in = _MARGIN_TOP_IN + n_panels * _FACE_HEIGHT_IN + _MARGIN_BOTTOM_IN
    figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        n_panels,
        1,
        left=0.065,
        right=0.865,
        top=1 - _MARGIN_TOP_IN / height_in,
        bottom=_MARGIN_BOTTOM_IN / height_in,
        hspace=0.34,
    )
    for row in range(n_panels):
        axes = _add_axes(figure, grid[row], span, is_last=row == n_panels - 1)
        if shown:
            _draw_face(axes, shown[row], labels, text, span)
        else:
            axes[0].text(
                0.5, 0.5, "No face was found", transform=axes[0].transAxes, ha="center",
                va="center", color=_MUTED, fontsize=14,
            )  # fmt: skip
    _add_words(figure, height_in, faces, labels, text)
    figure.savefig(path, format=file_format, facecolor="white")


def _add_axes(figure: Any, cell: Any, span: RunSpan, *, is_last: bool) -> tuple[Any, Any, Any]:
    """Lay out one face: probabilities, the ribbon of the top class, uncertainty and quality."""
    inner = cell.subgridspec(3, 1, height_ratios=(6.0, 0.45, 2.1), hspace=0.09)
    top = figure.add_subplot(inner[0])
    ribbon = figure.add_subplot(inner[1], sharex=top)
    bottom = figure.add_subplot(inner[2], sharex=top)
    # A run of one frame still gets a readable axis.
    top.set_xlim(span.first_s, max(span.last_s, span.first_s + 0.04))
    for axes in (top, bottom):
        axes.set_ylim(-0.01, 1.01)
        axes.grid(True, color=_GRID, linewidth=0.7)
        axes.set_axisbelow(True)
    top.set_yticks((0, 0.25, 0.5, 0.75, 1), ("0", "", "0.5", "", "1"))
    bottom.set_yticks((0, 0.5, 1), ("0", "0.5", "1"))
    ribbon.set_yticks((0.5,), ("top",))
    for axes in (top, ribbon, bottom):
        axes.tick_params(colors=_MUTED, labelsize=8.5, length=0, labelbottom=axes is bottom)
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
    top.set_ylabel("probability", color=_MUTED, fontsize=9)
    if is_last:
        bottom.set_xlabel("time in the source, s", color=_MUTED, fontsize=9)
    return top, ribbon, bottom


def _draw_face(
    axes: tuple[Any, Any, Any],
    face: FaceRun,
    labels: tuple[str, ...],
    text: PlotText,
    span: RunSpan,
) -> None:
    top, ribbon, bottom = axes
    stretch = face.history.stretch(-np.inf, np.inf, max_points=_MAX_POINTS)
    colors = [hex_color(color) for color in class_colors(labels)]
    for piece in _pieces(stretch):
        _draw_piece(axes, stretch, piece, colors)
    for start_s, end_s in _unreliable_spans(stretch):
        top.axvspan(start_s, end_s, color=_VEIL, alpha=0.55, linewidth=0, zorder=4)
        # Behind the curves, which explain the shading.
        bottom.axvspan(start_s, end_s, color=_VEIL, alpha=0.45, linewidth=0, zorder=0.6)
        ribbon.axvspan(start_s, end_s, color="white", alpha=0.6, linewidth=0, zorder=4)
    _label_gaps(top, stretch, span)
    _cross_out(axes, span)
    bottom.axhline(text.max_uncertainty, color=_UNCERTAINTY, linewidth=0.9, linestyle=(0, (4, 3)))
    n_samples = len(face.history)
    top.set_title(
        face.name or f"Face {face.face_id}",
        loc="left", color=_INK, fontsize=11, fontweight="bold", pad=6,
    )  # fmt: skip
    top.set_title(
        f"in {n_samples} of {span.n_frames} frames, {face.n_reliable / n_samples:.0%} reliable",
        loc="right", color=_MUTED, fontsize=9, pad=6,
    )  # fmt: skip


def _draw_piece(
    axes: tuple[Any, Any, Any], stretch: Stretch, piece: slice, colors: list[str]
) -> None:
    """Draw a stretch of time without a gap."""
    top, ribbon, bottom = axes
    time_s, shown = stretch.time_s[piece], stretch.shown[piece]
    is_dot = len(time_s) == 1
    style = {"marker": "o", "markersize": 3} if is_dot else {}
    for index in np.argsort(shown.max(axis=0)):  # the strongest on top
        top.plot(
            time_s,
            shown[:, index],
            color=colors[index],
            linewidth=1.9,
            solid_joinstyle="round",
            zorder=3,
            **style,
        )
    _draw_ribbon(ribbon, stretch, piece, colors)
    uncertainty, quality = stretch.uncertainty[piece], stretch.quality[piece]
    bottom.fill_between(time_s, uncertainty, color=_UNCERTAINTY, alpha=0.2, linewidth=0)
    bottom.plot(time_s, uncertainty, color=_UNCERTAINTY, linewidth=1.5, **style)
    bottom.plot(time_s, quality, color=_QUALITY, linewidth=1.3, linestyle=(0, (1, 1.2)), **style)


def _draw_ribbon(ribbon: Any, stretch: Stretch, piece: slice, colors: list[str]) -> None:
    """Draw which class was the most probable one, as coloured stretches."""
    edges_s = _edges(stretch.time_s[piece])
    winners = stretch.shown[piece].argmax(axis=1)
    for first, after in _runs(winners):
        ribbon.axvspan(
            edges_s[first], edges_s[after], color=colors[winners[first]], linewidth=0, zorder=3
        )


def _cross_out(axes: tuple[Any, Any, Any], span: RunSpan) -> None:
    """Cover what was left out, together with the lines that lead over it."""
    for begin_s, end_s in span.excluded_s:
        for panel in axes:
            panel.axvspan(
                max(begin_s, span.first_s), min(end_s, span.last_s),
                facecolor="white", edgecolor=_VEIL, hatch="xx", linewidth=0, zorder=6,
            )  # fmt: skip


def _label_gaps(top: Any, stretch: Stretch, span: RunSpan) -> None:
    """Say "not seen" where the face is away for long enough to write it."""
    ends_s = [span.first_s, *stretch.end_s[:-1][~stretch.is_joined], stretch.end_s[-1]]
    starts_s = [stretch.start_s[0], *stretch.start_s[1:][~stretch.is_joined], span.last_s]
    for end_s, start_s in zip(ends_s, starts_s, strict=True):
        if start_s - end_s > _LABELLED_GAP * (span.last_s - span.first_s):
            top.text(
                (end_s + start_s) / 2, 0.5, "not seen",
                ha="center", va="center", color=_MUTED, fontsize=9, style="italic",
            )  # fmt: skip


def _pieces(stretch: Stretch) -> list[slice]:
    """Cut a stretch where the face was away, so that no line is drawn over a gap."""
    cuts = [0, *(np.flatnonzero(~stretch.is_joined) + 1).tolist(), len(stretch)]
    return [slice(a, b) for a, b in itertools.pairwise(cuts) if b > a]


def _unreliable_spans(stretch: Stretch) -> list[tuple[float, float]]:
    """Return begin and end of every span in which most estimates are not reliable."""
    spans = []
    for piece in _pieces(stretch):
        is_unreliable = stretch.reliable_share[piece] < 0.5
        edges_s = _edges(stretch.time_s[piece])
        spans += [
            (float(edges_s[first]), float(edges_s[after]))
            for first, after in _runs(is_unreliable)
            if is_unreliable[first]
        ]
    return spans


def _edges(time_s: np.ndarray) -> np.ndarray:
    """Return where each sample's share of the time axis begins and ends, (N + 1,)."""
    middles = (time_s[1:] + time_s[:-1]) / 2
    return np.concatenate([time_s[:1], middles, time_s[-1:]])


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """Return first index and index after the last of every run of equal values."""
    cuts = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist(), len(values)]
    return list(itertools.pairwise(cuts))


def _add_words(
    figure: Any,
    height_in: float,
    faces: Sequence[FaceRun],
    labels: tuple[str, ...],
    text: PlotText,
) -> None:
    """Write title, legend and footer."""

    def y_of(inches_from_top: float) -> float:
        return 1 - inches_from_top / height_in

    title = text.title + ("  (smoothed)" if text.is_smoothed else "")
    figure.text(0.065, y_of(0.36), title, fontsize=14, fontweight="bold", color=_INK)
    notes = [text.note] if text.note else []
    if len(faces) > MAX_FACES:
        n_more = len(faces) - MAX_FACES
        notes.append(f"The {MAX_FACES} faces seen longest; {n_more} more are in the table.")
    figure.text(0.065, y_of(0.58), "  ".join(notes), fontsize=9, color=_WARNING)
    _add_legend(figure, y_of(_MARGIN_TOP_IN - 0.03), labels)
    rule = (
        f"Grey: not reliable (quality below {text.min_quality:g} or uncertainty above "
        f"{text.max_uncertainty:g}). Uncertainty: entropy of the distribution, 0 certain, "
        "1 all classes alike."
    )
    figure.text(0.065, 0.27 / height_in, rule, fontsize=8, color=_MUTED)
    figure.text(0.065, 0.11 / height_in, text.footer, fontsize=8, color=_MUTED)


def _add_legend(figure: Any, y_top: float, labels: tuple[str, ...]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], color=hex_color(color), linewidth=3.5, label=label)
        for label, color in zip(labels, class_colors(labels), strict=True)
    ]
    handles += [
        Line2D([], [], color="none", label=" "),
        Line2D([], [], color=_UNCERTAINTY, linewidth=1.5, label="uncertainty"),
        Line2D([], [], color=_UNCERTAINTY, linewidth=0.9, linestyle=(0, (4, 3)), label="its limit"),
        Line2D([], [], color=_QUALITY, linewidth=1.3, linestyle=(0, (1, 1.2)), label="quality"),
        Patch(facecolor=_VEIL, alpha=0.55, label="not reliable"),
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.872, y_top),
        frameon=False,
        fontsize=9,
        labelcolor=_INK,
        handlelength=1.5,
        borderaxespad=0,
    )
