"""Plays a clip in the real window for some minutes and measures what a user would feel.

    python benchmarks/live_window.py --seconds 180 --size 640x360
    python benchmarks/live_window.py --seconds 180 --size 1280x720

Reports frames lost, latency from capture to paint, how long the GUI thread stood still (a heartbeat
every 10 ms), and how memory grew after the first 30 s. Needs psutil and a display (or Xvfb). The
clip is repeated into a temporary 30 fps video; it is played as a live source, which loses frames
when the analysis is late, as a camera would.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
from PySide6.QtCore import QCoreApplication, QObject, QTimer

# Scripts are no package: their folder has to be on the path before what follows.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from screenshots import display

from lanet_live.capture.base import FrameSource, SourceFacts, SourceReport
from lanet_live.capture.paced import PacedSource
from lanet_live.capture.video_file import VideoFileSource
from lanet_live.config import EngineConfig, LiveConfig, SourceConfig
from lanet_live.records import Frame

ROOT = Path(__file__).resolve().parents[1]

FPS = 30
SETTLED_S = 30.0
HEARTBEAT_MS = 10


class FileAsCamera:
    """A file that does not wait: frames come at their time, whether anybody is ready or not."""

    def __init__(self, path: Path) -> None:
        self._source: FrameSource = PacedSource(VideoFileSource(path))

    def open(self) -> SourceFacts:
        """Open the file and call it a camera."""
        return replace(self._source.open(), is_live=True, kind="camera")

    def read(self) -> Frame | None:
        """Return the next frame when its time has come."""
        return self._source.read()

    def report(self) -> SourceReport:
        """Report what has happened so far."""
        return self._source.report()

    def close(self) -> None:
        """Close the file."""
        self._source.close()


@dataclass
class Figures:
    """What was measured."""

    first_frame_s: float = float("nan")
    latency_ms: list[float] = field(default_factory=list)
    still_ms: list[float] = field(default_factory=list)
    rss_mb: list[tuple[float, float]] = field(default_factory=list)
    n_results: int = 0
    n_dropped: int = 0
    n_painted: int = 0
    gui_cpu_s: float = 0.0
    process_cpu_s: float = 0.0

    def report(self) -> str:
        """Return the figures as text."""
        latency = np.percentile(self.latency_ms, [50, 95, 99])
        n_total = self.n_results + self.n_dropped
        settled = [mb for at_s, mb in self.rss_mb if at_s >= SETTLED_S] or [float("nan")]
        return "\n".join(
            [
                f"start to first painted frame   {self.first_frame_s:6.2f} s",
                f"frames analysed                {self.n_results:6d}",
                f"frames painted                 {self.n_painted:6d}",
                f"frames dropped                 {self.n_dropped:6d}"
                f"  ({100 * self.n_dropped / max(1, n_total):.2f} %)",
                f"capture to paint, ms           p50 {latency[0]:.1f}  p95 {latency[1]:.1f}"
                f"  p99 {latency[2]:.1f}",
                f"CPU per analysed frame, ms     GUI thread {self._cpu_ms(self.gui_cpu_s):.1f}"
                f"  whole process {self._cpu_ms(self.process_cpu_s):.1f}",
                f"GUI thread stood still, ms     max {max(self.still_ms):.1f}"
                f"  p99.9 {np.percentile(self.still_ms, 99.9):.1f}",
                f"memory after {SETTLED_S:.0f} s, MB          {settled[0]:.1f}"
                f" -> {settled[-1]:.1f}  (growth {settled[-1] - settled[0]:+.1f})",
            ]
        )

    def _cpu_ms(self, total_s: float) -> float:
        return 1000 * total_s / max(1, self.n_results)


class Observer(QObject):
    """Watches the window from inside its thread."""

    def __init__(self, window: object, figures: Figures, began_s: float) -> None:
        super().__init__()
        self._window, self._figures, self._began_s = window, figures, began_s
        self._live = window.active
        self._first_s: float | None = None
        self._last_beat_s = time.perf_counter()
        self._n_seen = 0
        self._cpu_at_start = (0.0, 0.0)
        self._process = psutil.Process()
        self._timers = [self._every(HEARTBEAT_MS, self._beat), self._every(1000, self._look)]

    def _every(self, interval_ms: int, slot: object) -> QTimer:
        timer = QTimer(self)
        timer.setTimerType(timer.timerType().PreciseTimer)
        timer.timeout.connect(slot)
        timer.start(interval_ms)
        return timer

    def _beat(self) -> None:
        now_s = time.perf_counter()
        if self._first_s is not None and now_s - self._first_s > 1.0:
            self._figures.still_ms.append((now_s - self._last_beat_s) * 1000 - HEARTBEAT_MS)
        self._last_beat_s = now_s
        view = self._live.picture.view
        if view.n_painted > self._n_seen:
            if self._first_s is None:
                self._first_s = now_s
                self._cpu_at_start = (time.thread_time(), time.process_time())
                self._figures.first_frame_s = now_s - self._began_s
            self._figures.latency_ms += list(view.latency_ms)[-(view.n_painted - self._n_seen) :]
            self._n_seen = view.n_painted

    def _look(self) -> None:
        stats = self._live.run.stats
        self._figures.n_results, self._figures.n_dropped = stats.n_results, stats.n_dropped
        self._figures.n_painted = self._live.picture.view.n_painted
        if self._first_s is not None:
            at_s = time.perf_counter() - self._first_s
            self._figures.rss_mb.append((at_s, self._process.memory_info().rss / 2**20))
            self._figures.gui_cpu_s = time.thread_time() - self._cpu_at_start[0]
            self._figures.process_cpu_s = time.process_time() - self._cpu_at_start[1]
        if not self._live.run.state.is_active:
            self._window.close()
            QCoreApplication.quit()


def repeat_clip(clip: Path, target: Path, size_wh: tuple[int, int], seconds: float) -> None:
    """Write the clip again and again, forwards and backwards, as a 30 fps video of one size."""
    with av.open(str(clip)) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    pictures = [cv2.resize(picture, size_wh) for picture in pictures]
    loop = pictures + pictures[-2:0:-1]
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width, stream.height = size_wh
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for index in range(round(seconds * FPS)):
            frame = av.VideoFrame.from_ndarray(loop[index % len(loop)], format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def measure(config: LiveConfig, folder: Path) -> Figures:
    """Open the window on the clip, wait for its end, and return the figures."""
    began_s = time.perf_counter()
    from lanet_live.gui.app import create_application, create_window
    from lanet_live.gui.live.run import LiveRunner
    from lanet_live.gui.settings import Settings
    from lanet_live.run.assembly import build_pipeline_factory

    settings = Settings(folder / "settings.json")
    for key in ("box", "mesh", "landmarks", "axes", "label"):
        settings.set(f"live.{key}", True)
    settings.set("is_welcomed", True)
    settings.save()
    path = config.sources[0].path

    def make_runner(source: SourceConfig, bridge: object) -> LiveRunner:
        return LiveRunner(
            lambda: FileAsCamera(path),
            lambda facts: build_pipeline_factory(config)(facts),
            [bridge],
            on_event=bridge.post,
        )

    app = create_application()
    window = create_window(
        config, settings_path=folder / "settings.json", runner_factory=make_runner
    )
    figures = Figures()
    observer = Observer(window, figures, began_s)
    window.resize(1280, 800)
    window.show()
    app.exec()
    del observer
    return figures


def main() -> int:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=ROOT / "assets" / "demo.mp4")
    parser.add_argument("--model", type=Path, help="ONNX file; the shipped one by default")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--size", default="640x360", help="of the pictures, e.g. 1280x720")
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    with tempfile.TemporaryDirectory() as folder, display():
        target = Path(folder) / "looped.mp4"
        repeat_clip(arguments.clip, target, (width, height), arguments.seconds)
        config = LiveConfig(
            sources=(SourceConfig("video", path=target),),
            engine=EngineConfig(model_path=arguments.model),
        )
        print(measure(config, Path(folder)).report())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
