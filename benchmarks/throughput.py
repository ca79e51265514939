"""How fast the whole headless job is, beside MediaPipe's bare landmarker and beside `fer`.

    python benchmarks/throughput.py [--frames 2000] [--clip one_face.mp4] [--fer-python PYTHON]
    python benchmarks/throughput.py --grid --group group.jpg [--frames 400]

Runs in one process, on the same frames, in turn: MediaPipe's landmarker alone, the job
`lanet-live --export csv` with the tracker "openvino", the same with "mediapipe", and again from the
start, so that a machine that slows down is not held against anybody. The job is the whole of it:
opening, decoding, face finding, alignment, model, table. Prints frames a second, CPU time a frame,
and ratios. Also checks that the job, whose stages overlap, writes the rows of the plain loop that
does one thing after the other.

--grid does it for one, two and five faces at 360, 720 and 1080 lines: one face is the clip, two are
the clip beside its mirror image, five are a camera's pan over --group (a picture of five).

`fer` needs an environment of its own: --fer-python names its Python, --install-fer makes one.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import mediapipe as mp
import numpy as np
from looped_clip import loop_clip
from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions, RunningMode

from lanet_live.capture.selected import FrameSelection
from lanet_live.capture.video_file import VideoFileSource
from lanet_live.config import EngineConfig, ExportConfig, LiveConfig, SourceConfig, TrackerConfig
from lanet_live.export.exporter import Exporter
from lanet_live.export.plan import plan_jobs
from lanet_live.face.model_file import read_face_model
from lanet_live.face.offline import offline_options, route_uploads_nowhere
from lanet_live.processors import usable_processors
from lanet_live.run.assembly import build_pipeline_factory, build_source_factory, load_model
from lanet_live.run.offline import run_synchronous
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.table import TableLayout

DEMO_CLIP = Path(__file__).resolve().parents[1] / "assets" / "demo.mp4"
FER_SCRIPT = Path(__file__).with_name("fer_speed.py")
N_COMPARED = 300
N_FER_FRAMES = 200
HEIGHTS = (360, 720, 1080)
FACES = (1, 2, 5)
FPS = 25
# Of the clips that are drawn here: there and back once.
N_DRAWN = 100
PAN_SHARE = 0.12
LIMITS = {
    "job / bare landmarker": (1.6, None),
    "CPU of the job / of the job with mediapipe": (None, 0.6),
    "job / fer": (3.0, None),
}
GRID_LIMIT = 0.45  # five faces against one, at 720 lines


@dataclass(slots=True)
class Timing:
    """Frames, seconds and CPU seconds of one contestant; more of them when it ran again."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    n_frames: int = 0
    rates_hz: list[float] = field(default_factory=list)
    n_ids: int = 0

    def add(self, seconds: float, cpu_seconds: float, n_frames: int) -> None:
        """Count one run."""
        self.seconds += seconds
        self.cpu_seconds += cpu_seconds
        self.n_frames += n_frames
        self.rates_hz.append(n_frames / seconds)

    @property
    def rate_hz(self) -> float:
        """Frames a second over all runs."""
        return self.n_frames / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of CPU a frame."""
        return 1000 * self.cpu_seconds / self.n_frames


def main() -> int:
    """Measure, print, and fail beyond a limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=DEMO_CLIP, help="a clip with one face")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=2, help="rounds (2)")
    parser.add_argument("--model", type=Path, help="default: the shipped one")
    parser.add_argument("--grid", action="store_true", help="faces and sizes")
    parser.add_argument("--group", type=Path, help="a picture of five faces, for --grid")
    parser.add_argument("--fer-python", type=Path, help="of an environment with the package fer")
    parser.add_argument("--install-fer", action="store_true", help="make such an environment")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure = measure_grid if arguments.grid else measure_one
        report, failures = measure(arguments, folder)
    report = {"machine": platform.machine(), "n_processors": usable_processors(), **report}
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print("\n".join(failures) or "All limits are kept.")
    return 1 if failures else 0


def measure_one(arguments: argparse.Namespace, folder: Path) -> tuple[dict, list[str]]:
    """One face, the whole comparison."""
    clip = loop_clip(arguments.clip, folder / "looped.mp4", n_frames=arguments.frames)
    timings = time_all(clip, arguments, folder)
    bare, new, old = timings["bare landmarker"], timings["openvino"], timings["mediapipe"]
    ratios = {
        "job / bare landmarker": new.rate_hz / bare.rate_hz,
        "job / job with mediapipe": new.rate_hz / old.rate_hz,
        "CPU of the job / of the job with mediapipe": new.cpu_ms / old.cpu_ms,
    }
    fer, reason = time_fer(clip, arguments, folder)
    if fer is not None:
        timings["fer"] = fer
        ratios["job / fer"] = new.rate_hz / fer.rate_hz
    for title, timing in timings.items():
        print(format_timing(title, timing))
    if reason:
        print(f"fer: skipped, {reason}")
    for title, ratio in ratios.items():
        print(f"{title:<44} {ratio:5.2f}")
    are_equal = compare_with_plain_loop(job_config(clip, "openvino", arguments, folder), folder)
    print(f"overlapped rows equal synchronous rows over {N_COMPARED} frames: {are_equal}")
    failures = [] if are_equal else ["overlapped rows differ from synchronous rows"]
    for title, (least, most) in LIMITS.items():
        ratio = ratios.get(title)
        if ratio is not None and not (least or 0) <= ratio <= (most or np.inf):
            wanted = f"at least {least}" if least else f"at most {most}"
            failures.append(f"{title} is {ratio:.2f}, {wanted} is wanted")
    report = {
        "clip": clip_facts(clip),
        "timings": {title: asdict(timing) for title, timing in timings.items()},
        "fer_skipped": reason,
        "ratios": ratios,
    }
    return report, failures


def measure_grid(arguments: argparse.Namespace, folder: Path) -> tuple[dict, list[str]]:
    """One, two and five faces at three sizes."""
    cells: dict[str, dict] = {}
    rates: dict[tuple[int, int], float] = {}
    failures = []
    for height in HEIGHTS:
        for n_faces in FACES:
            if n_faces == max(FACES) and arguments.group is None:
                print("five faces: skipped, no --group picture is given")
                continue
            drawn = draw_clip(arguments, n_faces, height, folder / f"{n_faces}-{height}.mp4")
            clip = loop_clip(drawn, folder / "looped.mp4", n_frames=arguments.frames)
            timings = time_all(clip, arguments, folder)
            rates[n_faces, height] = timings["openvino"].rate_hz
            cells[f"{n_faces} faces, {height} lines"] = {
                title: asdict(timing) for title, timing in timings.items()
            }
            print(f"{n_faces} faces, {height} lines")
            for title, timing in timings.items():
                print("  " + format_timing(title, timing), flush=True)
            if timings["openvino"].n_ids != n_faces:
                failures.append(
                    f"{n_faces} faces, {height} lines: {timings['openvino'].n_ids} numbers given"
                )
    if (5, 720) in rates:
        share = rates[5, 720] / rates[1, 720]
        print(f"five faces / one face at 720 lines: {share:.2f}")
        if share < GRID_LIMIT:
            failures.append(f"five faces run at {share:.2f} of one; {GRID_LIMIT} is wanted")
    return {"cells": cells}, failures


def time_all(clip: Path, arguments: argparse.Namespace, folder: Path) -> dict[str, Timing]:
    """Let all contestants run, in turn."""
    timings = {title: Timing() for title in ("bare landmarker", "openvino", "mediapipe")}
    for _ in range(arguments.repeat):
        timings["bare landmarker"].add(*time_bare_landmarker(clip, n_frames=arguments.frames // 2))
        for tracker in ("openvino", "mediapipe"):
            config = job_config(clip, tracker, arguments, folder)
            timings[tracker].add(*time_job(config))
            timings[tracker].n_ids = count_ids(config)
    return timings


def time_bare_landmarker(clip: Path, *, n_frames: int) -> tuple[float, float, int]:
    """Return seconds and CPU seconds spent inside MediaPipe, decoding not counted, and frames."""
    route_uploads_nowhere()
    seconds = cpu_seconds = 0.0
    source = VideoFileSource(clip)
    source.open()
    options = FaceLandmarkerOptions(
        base_options=offline_options(read_face_model()),
        running_mode=RunningMode.VIDEO,
        num_faces=1,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with FaceLandmarker.create_from_options(options) as landmarker:
        for index, frame in enumerate(islice(iter(source.read, None), n_frames)):
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            image_rgb = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2RGB)
            picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=image_rgb)
            landmarker.detect_for_video(picture, index * 33)
            seconds += time.perf_counter() - began_s
            cpu_seconds += time.process_time() - began_cpu_s
    source.close()
    return seconds, cpu_seconds, n_frames


def time_job(config: LiveConfig) -> tuple[float, float, int]:
    """Run the export; return its seconds from opening to closing, CPU seconds, and frames."""
    assert config.export is not None
    (job,) = plan_jobs(config.sources, config.export)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    summary = Exporter(config).run(job)
    return time.perf_counter() - began_s, time.process_time() - began_cpu_s, summary.n_analysed


def job_config(clip: Path, tracker: str, arguments: argparse.Namespace, folder: Path) -> LiveConfig:
    """Return the configuration of one job."""
    return LiveConfig(
        sources=(SourceConfig("video", path=clip),),
        engine=EngineConfig(model_path=arguments.model),
        tracker=TrackerConfig(tracker),
        export=ExportConfig(("csv",), folder / f"out-{tracker}", overwrite=True),
    )


def count_ids(config: LiveConfig) -> int:
    """Return how many face numbers the table of a job holds."""
    assert config.export is not None
    (table,) = config.export.out_dir.glob("*.csv")
    with table.open(encoding="utf-8") as lines:
        next(lines)
        return len({line.split(",")[1] for line in lines} - {""})


def time_fer(clip: Path, arguments: argparse.Namespace, folder: Path) -> tuple[Timing | None, str]:
    """Return the timing of `fer` on the beginning of the clip, or why there is none."""
    python = arguments.fer_python
    if python is None and arguments.install_fer:
        python, reason = install_fer(folder / "fer")
        if python is None:
            return None, reason
    if python is None:
        return None, "neither --fer-python nor --install-fer is given"
    command = [str(python), str(FER_SCRIPT), str(clip), str(N_FER_FRAMES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, f"it does not run: {last_line(done.stderr)}"
    answer = json.loads(last_line(done.stdout))
    timing = Timing()
    timing.add(answer["seconds"], answer["cpu_seconds"], answer["n_frames"])
    return timing, ""


def install_fer(folder: Path) -> tuple[Path | None, str]:
    """Make an environment with `fer`; return its Python, or why it cannot be made."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "fer", "tensorflow-cpu"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return None, f"it cannot be installed: {last_line(done.stderr)}"
    return python, ""


def last_line(text: str) -> str:
    """Return the last line that says something."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no reason given")


def draw_clip(arguments: argparse.Namespace, n_faces: int, height: int, target: Path) -> Path:
    """Write a clip with so many faces, 16 to 9."""
    size_wh = (round(height * 16 / 9 / 2) * 2, height)
    draw: Callable[[Path, tuple[int, int]], Iterator[np.ndarray]] = {
        1: draw_one,
        2: draw_two,
        5: draw_pan,
    }[n_faces]
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *size_wh, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        given = arguments.group if n_faces == max(FACES) else arguments.clip
        for picture in islice(draw(given, size_wh), N_DRAWN):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return target


def draw_one(clip: Path, size_wh: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield the clip's pictures in another size."""
    with av.open(str(clip)) as container:
        for picture in container.decode(video=0):
            yield cv2.resize(picture.to_ndarray(format="bgr24"), size_wh)


def draw_two(clip: Path, size_wh: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield the middle of the clip's pictures beside its mirror image."""
    for picture in draw_one(clip, size_wh):
        quarter = size_wh[0] // 4
        middle = picture[:, quarter : quarter + size_wh[0] // 2]
        yield np.hstack([middle, middle[:, ::-1]])


def draw_pan(group: Path, size_wh: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield a camera's pan over a picture, there and back."""
    image = cv2.imread(str(group))
    width = round(image.shape[1] * (1 - PAN_SHARE))
    height = min(round(width * size_wh[1] / size_wh[0]), image.shape[0])
    top = (image.shape[0] - height) // 3
    reach = image.shape[1] - width
    for index in range(N_DRAWN):
        left = reach * (0.5 - 0.5 * np.cos(2 * np.pi * index / N_DRAWN))
        scale = size_wh[0] / width
        matrix = np.array([[scale, 0, -scale * left], [0, scale, -scale * top]])
        yield cv2.warpAffine(image, matrix, size_wh, borderMode=cv2.BORDER_REPLICATE)


def clip_facts(clip: Path) -> dict:
    """Return the size and length of a clip."""
    source = VideoFileSource(clip)
    facts = source.open()
    source.close()
    return {"size_wh": [facts.width_px, facts.height_px], "n_frames": facts.n_frames_expected}


def compare_with_plain_loop(config: LiveConfig, folder: Path) -> bool:
    """Whether the first rows of the job are those of the synchronous loop, byte for byte."""
    assert config.export is not None
    labels = load_model(config.engine).spec.labels
    (overlapped,) = config.export.out_dir.glob("*.csv")
    facts = VideoFileSource(config.sources[0].path or "")
    opened = facts.open()
    facts.close()
    end_s = (opened.duration_s or 0.0) * N_COMPARED / (opened.n_frames_expected or N_COMPARED)
    run_synchronous(
        build_source_factory(config.sources[0], selection=FrameSelection(end_s=end_s)),
        build_pipeline_factory(config),
        [CsvSink(folder / "plain.csv", TableLayout(labels))],
    )
    return overlapped.read_bytes().startswith((folder / "plain.csv").read_bytes())


def format_timing(title: str, timing: Timing) -> str:
    """Write one line."""
    rounds = ", ".join(f"{rate:.1f}" for rate in timing.rates_hz)
    return (
        f"{title:<16} {timing.rate_hz:7.1f} frames/s ({rounds}), {timing.cpu_ms:6.2f} ms CPU a "
        f"frame, median {statistics.median(timing.rates_hz):.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
