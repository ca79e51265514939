"""A report of a reviewed recording as one HTML file that needs nothing else: no script, no network.

Every text that comes from a recording is escaped; the plot is inside the file.
"""

import base64
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Final

from lanet_live import __version__
from lanet_live.drawing.palette import class_colors, hex_color
from lanet_live.review.edits import Edits
from lanet_live.review.interval import N_RESAMPLES
from lanet_live.review.plot import draw_review
from lanet_live.review.recording import Recording
from lanet_live.review.reviewed import review
from lanet_live.review.summary import DEFAULT_WINDOW_S, Summary, summarise, windows_of
from lanet_live.sessions.events import EXCLUDED, SessionEvent
from lanet_live.sinks.output_file import published

_STYLE: Final = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; max-width: 1080px;
  margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .22rem .9rem .22rem 0; border-bottom: 1px solid #e5e7eb; }
th { font-weight: 600; color: #57606a; }
img { max-width: 100%; } .quiet { color: #57606a; } .notice { color: #b45309; }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: 2px;
  margin-right: .5em; }
.bar { display: inline-block; height: .6em; border-radius: 2px; vertical-align: middle; }
@media print { body { margin: 0; max-width: none; } h2, h3 { break-after: avoid; } }
"""
_MEANING: Final = (
    "Probabilities are calibrated estimates of how people would label the visible expression; "
    "they say nothing about what a person feels. Uncertainty is the entropy of the distribution, "
    "0 for one clear class, 1 for all alike. Quality says how far the picture of the face can be "
    "trusted. An estimate is reliable when both are within the limits stated here."
)
_METHOD: Final = (
    "Means and shares of time are weighted by how long each frame was shown, from the time stamps "
    f"of the source. Intervals are 95 % block-bootstrap intervals of the mean ({N_RESAMPLES} "
    "resamples of blocks of neighbouring frames, Carlstein 1986; a block is four times as long as "
    "the series remembers itself, and at least a second), because neighbouring frames resemble "
    "each other. They describe this recording, not other recordings or other people. “On top” is "
    "the share of time in which a class was the most probable one."
)


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the report sums up.

    Attributes:
        only_reliable: Means and shares rest on the reliable frames only.
        after_marker_s: Length of the window that begins at a marker.
    """

    only_reliable: bool = False
    after_marker_s: float = DEFAULT_WINDOW_S


def write_report(path: Path, recording: Recording, edits: Edits, options: ReportOptions) -> None:
    """Write the report; a file that is there is replaced.

    Raises:
        SinkError: It cannot be written.
    """
    reviewed = review(recording, edits)
    windows = windows_of(recording.table, edits, after_marker_s=options.after_marker_s)
    summaries = summarise(
        recording.table, reviewed, edits, windows, only_reliable=options.only_reliable
    )
    parts = [
        _head(recording),
        _facts(recording, edits, reviewed.reliable_share(), options),
        _plot(recording, edits),
        _events(edits.events),
        *_summaries(summaries, recording.table.labels),
        f"<h2>How to read this</h2><p>{_MEANING}</p><p>{_METHOD}</p>",
        f"<p class=quiet>LA-Net Live {__version__}, {datetime.now():%Y-%m-%d %H:%M}</p>",
    ]
    title = escape(recording.title)
    document = (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
    with published(path, overwrite=True) as part_path:
        part_path.write_text(document, encoding="utf-8")


def _head(recording: Recording) -> str:
    notice = f"<p class=notice>{escape(recording.notice)}</p>" if recording.notice else ""
    return f"<h1>{escape(recording.title)}</h1>{notice}"


def _facts(
    recording: Recording, edits: Edits, reliable_share: float, options: ReportOptions
) -> str:
    document, table = recording.document, recording.table
    model, engine = document.get("model") or {}, document.get("engine") or {}
    source = document.get("source") or {}
    first_s, last_s = table.span_s
    excluded_s = sum(end_s - begin_s for begin_s, end_s in edits.excluded_s)
    rows = {
        "Source": source.get("source_id", "unknown"),
        "Recorded": document.get("began_at") or "unknown",
        "Length": f"{last_s - first_s:.1f} s, {len(set(table.frame.tolist()))} frames",
        "Excluded": f"{excluded_s:.1f} s" if excluded_s else "nothing",
        "Limits": f"uncertainty up to {edits.limits.max_uncertainty:g}, "
        f"quality from {edits.limits.min_quality:g}",
        "Reliable": f"{reliable_share:.1%} of the estimates that count",
        "Values": "corrected by neutral baselines" if recording.is_corrected else "as measured",
        "Summed up": "reliable estimates only" if options.only_reliable else "all estimates",
        "Model": f"{model.get('name', 'unknown')} (sha256 {str(model.get('sha256', ''))[:12]})",
        "Engine": f"{engine.get('backend', 'unknown')} {engine.get('precision', '')} "
        f"on {engine.get('device', '?')}",
    }
    return _table((), ((escape(name), escape(str(text))) for name, text in rows.items()))


def _plot(recording: Recording, edits: Edits) -> str:
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "plot.png"
        draw_review(picture, recording, edits)
        data = base64.b64encode(picture.read_bytes()).decode()
    return (
        f'<h2>Over time</h2><img alt="Probabilities over time" src="data:image/png;base64,{data}">'
    )


def _events(events: Iterable[SessionEvent]) -> str:
    rows = [
        (
            f"{event.timestamp_s:.2f}",
            "" if event.end_timestamp_s is None else f"{event.end_timestamp_s:.2f}",
            escape("excluded" if event.kind == EXCLUDED else event.kind),
            escape(event.caption),
            escape(event.note),
        )
        for event in events
    ]
    if not rows:
        return ""
    heads = ("Begin, s", "End, s", "Kind", "Name", "Note")
    return "<h2>Events and excluded ranges</h2>" + _table(heads, rows)


def _summaries(summaries: Iterable[Summary], labels: tuple[str, ...]) -> list[str]:
    parts: list[str] = []
    window = None
    for summary in summaries:
        if summary.window != window:
            window = summary.window
            span = f"{window.start_s:.2f} s to {window.end_s:.2f} s"
            parts.append(f"<h2>{escape(window.name)} <span class=quiet>{span}</span></h2>")
        parts.append(_summary(summary, labels))
    return parts


def _summary(summary: Summary, labels: tuple[str, ...]) -> str:
    words = (
        f"{summary.n_rows} frames, {summary.seen_s:.1f} s seen, "
        f"{summary.reliable_share:.1%} reliable, {summary.n_used} summed up"
    )
    heading = f"<h3>{escape(summary.name)} <span class=quiet>{words}</span></h3>"
    if not summary.n_used:
        return heading + "<p class=quiet>Nothing here is reliable.</p>"
    rows = [
        _class_row(summary, k, label, hex_color(color))
        for k, (label, color) in enumerate(zip(labels, class_colors(labels), strict=True))
    ]
    return heading + _table(("Class", "Mean", "95 % interval", "On top", "", "Peak"), rows)


def _class_row(summary: Summary, k: int, label: str, color: str) -> tuple[str, ...]:
    interval = summary.interval
    between = (
        "too short" if interval is None else f"{interval.low[k]:.3f} to {interval.high[k]:.3f}"
    )
    width = f"{9 * summary.time_share[k]:.2f}em"
    return (
        f'<span class=swatch style="background:{color}"></span>{escape(label)}',
        f"{summary.mean[k]:.3f}",
        between,
        f"{summary.time_share[k]:.1%}",
        f'<span class=bar style="width:{width};background:{color}"></span>',
        f"{summary.peak[k]:.2f} at {summary.peak_s[k]:.2f} s",
    )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Lay cells out that are HTML already."""
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{f'<tr>{head}</tr>' if heads else ''}{body}</table>"
