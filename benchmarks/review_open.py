"""Measures a recording of an hour in the Review workspace, and timelines of an hour and a minute.

    python benchmarks/review_open.py                  # 60 minutes, 30 fps, 3 faces, 640x360
    python benchmarks/review_open.py --minutes 10

Reports what a repaint costs at both lengths, how long opening takes until picture and values are
painted, and how long it takes to show a moment chosen at random. Needs a display (or Xvfb). The
session is made anew in a temporary folder, which takes some minutes and about 0.5 GB.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QWidget

# Scripts are no package: their folder has to be on the path before what follows.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from long_session import record_minute, repeat_session
from screenshots import display

from lanet_live.drawing.history import FaceHistory
from lanet_live.gui.review.document import load
from lanet_live.gui.review.workspace import ReviewWorkspace
from lanet_live.gui.widgets.timeline import LaneFacts, Timeline

ROOT = Path(__file__).resolve().parents[1]

MAX_RATIO = 1.5
MAX_OPEN_S = 3.0
MAX_SCRUB_MS = 150.0
_TIMEOUT_S = 300.0
_N_REPAINTS = 40
_N_SCRUBS = 60


def main() -> int:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=ROOT / "assets" / "demo.mp4")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--faces", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of the moments to go to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, display():
        from lanet_live.gui.app import create_application

        app = create_application()
        root = Path(name)
        short = record_minute(arguments.clip, root / "minute", n_faces=arguments.faces)
        long = repeat_session(short, root / "long", n_minutes=arguments.minutes)
        print(f"{arguments.minutes} minutes at 30 fps, {arguments.faces} faces, against 1 minute")
        measure_live_timeline(short, long)
        costs_ms = [measure_review(app, folder, arguments.seed) for folder in (short, long)]
        (short_ms, _), (long_ms, whole_ms) = costs_ms
        _tell("repaint in Review, a minute", long_ms / short_ms, "x", MAX_RATIO)
        print(f"  all of it on show takes      {whole_ms / short_ms:8.2f} x")
    return 0


def measure_live_timeline(short: Path, long: Path) -> None:
    """Compare what the timeline of the Live workspace costs with a long and a short past."""
    faces = {folder: histories_of(folder) for folder in (short, long)}
    for window_s in (30.0, 60.0):
        for is_stacked in (True, False):
            costs_ms = [live_repaint_ms(*faces[f], window_s, is_stacked) for f in (short, long)]
            what = f"repaint in Live, {window_s:.0f} s as {'areas' if is_stacked else 'lines'}"
            _tell(what, costs_ms[1] / costs_ms[0], "x", MAX_RATIO)


def histories_of(folder: Path) -> tuple[dict[int, FaceHistory], tuple[str, ...]]:
    """Return the past of every face as the Live workspace would hold it, and the classes."""
    loaded = load(folder)
    table = loaded.recording.table
    histories = {}
    for face_id, rows in loaded.rows.items():
        judged = [table.uncertainty[rows], table.quality[rows], table.is_reliable[rows]]
        raw = table.probabilities[rows]
        histories[face_id] = FaceHistory.from_arrays(
            table.time_s[rows], raw, raw, np.stack(judged, axis=1)
        )
    return histories, table.labels


def live_repaint_ms(
    histories: dict[int, FaceHistory], labels: tuple[str, ...], window_s: float, is_stacked: bool
) -> float:
    """Return what a repaint costs while the newest moment is followed, in CPU milliseconds."""
    timeline = Timeline()
    timeline.resize(1200, 400)
    timeline.set_window(window_s)
    timeline.set_histories(histories, labels)
    timeline.set_lanes(tuple(LaneFacts(i, f"Face {i}") for i in histories))
    timeline.set_limits(0.6, 0.4)
    timeline.set_stacked(is_stacked)
    timeline.show()
    now_s = max(history.last_s or 0.0 for history in histories.values())
    costs_ms = []
    for number in range(_N_REPAINTS):
        timeline.advance_to(now_s + number * 0.075)
        costs_ms.append(_cost_ms(timeline, timeline.repaint_now))
    timeline.close()
    timeline.deleteLater()
    return float(np.median(costs_ms))


def measure_review(app: QApplication, folder: Path, seed: int) -> tuple[float, float]:
    """Open a session and go here and there.

    Returns:
        What its timeline costs to repaint: about a minute of it, and all of it.
    """
    review = ReviewWorkspace()
    review.resize(1200, 760)
    review.show()
    view, loop = review.picture.view, _Loop(app)
    began_s, cpu_began_s = time.perf_counter(), time.process_time()
    review.open_path(folder)
    loop.wait_until(lambda: view.result is not None and view.n_painted > 0)
    opened_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_began_s
    loop.wait_until(lambda: review.summary.table.rowCount() > 0)
    summed_up_s = time.perf_counter() - began_s
    scrubs_ms = _scrub(review, loop, seed)
    timeline = review.timeline
    whole_ms, minute_ms = [], []
    for _ in range(_N_REPAINTS):
        timeline.show_all()
        whole_ms.append(_cost_ms(timeline, timeline.repaint_now))
    while timeline.visible_s[1] - timeline.visible_s[0] > 60:
        timeline.zoom_in()
    for _ in range(_N_REPAINTS):
        timeline.look_at(timeline.visible_s[0] - 0.5)
        minute_ms.append(_cost_ms(timeline, timeline.repaint_now))
    minutes = review.document.span_s[1] / 60
    _tell(f"open {minutes:.0f} min in Review", opened_s, "s", MAX_OPEN_S)
    print(
        f"  its summary was there after  {summed_up_s:8.2f} s ; opening took {cpu_s:.2f} s of CPU"
    )
    for share in (50, 95, 100):
        what = f"show a random moment, p{share}"
        _tell(what, float(np.percentile(scrubs_ms, share)), "ms", MAX_SCRUB_MS)
    review.close()
    review.shut_down()
    review.deleteLater()
    return float(np.median(minute_ms)), float(np.median(whole_ms))


def _scrub(review: ReviewWorkspace, loop: "_Loop", seed: int) -> list[float]:
    """Go to moments at random; return how long each took until its picture was painted."""
    view = review.picture.view
    taken_ms = []
    for time_s in np.random.default_rng(seed).uniform(*review.document.span_s, _N_SCRUBS):
        before, n_painted = view.result, view.n_painted
        began_s = time.perf_counter()
        review.player.seek(float(time_s))
        loop.wait_until(lambda b=before, n=n_painted: view.result is not b and view.n_painted > n)
        taken_ms.append(1000 * (time.perf_counter() - began_s))
        shown_s = view.result.frame.timestamp_s if view.result else float("nan")
        if abs(shown_s - review.player.time_s) > 0.5 / 30:
            raise RuntimeError(f"asked for {review.player.time_s:.3f} s, shown {shown_s:.3f} s")
    return taken_ms


class _Loop:
    """Runs the application's events until something is true."""

    def __init__(self, app: QApplication) -> None:
        self._app = app
        self._heartbeat = QTimer()
        self._heartbeat.start(1)

    def wait_until(self, is_true: Callable[[], bool]) -> None:
        end_s = time.perf_counter() + _TIMEOUT_S
        while not is_true():
            self._app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            if time.perf_counter() > end_s:
                raise TimeoutError("the window did not get that far")


def _cost_ms(widget: QWidget, repaint: Callable[[], None]) -> float:
    began_s = time.thread_time()
    repaint()
    widget.findChild(QAbstractScrollArea).viewport().repaint()
    return 1000 * (time.thread_time() - began_s)


def _tell(what: str, value: float, unit: str, limit: float) -> None:
    verdict = "within" if value <= limit else "OVER"
    print(f"{what:30s} {value:8.2f} {unit:2s}  {verdict} {limit:g} {unit}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
