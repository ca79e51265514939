"""How much of the bare landmarker's speed the whole headless job keeps.

    python benchmarks/throughput.py [--clip one_face.mp4] [--frames 2000]

Runs, in one process and on the same frames: MediaPipe's landmarker alone (half of the frames
before, half after, so that a machine that slows down is not held against either side), then the job
`lanet-live --export csv` as the command line runs it: decoding, face finding, alignment, model,
table. Prints both rates and their ratio. Also checks that the job, whose stages overlap, writes the
rows of the plain loop that does one thing after the other.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import mediapipe as mp
from looped_clip import loop_clip
from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions, RunningMode

from lanet_live.capture.selected import FrameSelection
from lanet_live.capture.video_file import VideoFileSource
from lanet_live.config import EngineConfig, ExportConfig, LiveConfig, SourceConfig
from lanet_live.export.exporter import Exporter
from lanet_live.export.plan import plan_jobs
from lanet_live.face.offline import offline_options, route_uploads_nowhere
from lanet_live.resources import asset_path
from lanet_live.run.assembly import build_pipeline_factory, build_source_factory, load_model
from lanet_live.run.offline import run_synchronous
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.table import TableLayout

DEMO_CLIP = Path(__file__).resolve().parents[1] / "assets" / "demo.mp4"
N_COMPARED = 300
LEAST_RATIO = 0.80


def main() -> int:
    """Measure, print, and fail below the least ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=DEMO_CLIP, help="a clip with one face")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--model", type=Path, help="default: the shipped one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = loop_clip(arguments.clip, Path(folder) / "looped.mp4", n_frames=arguments.frames)
        config = LiveConfig(
            sources=(SourceConfig("video", path=clip),),
            engine=EngineConfig(model_path=arguments.model),
            export=ExportConfig(("csv",), Path(folder) / "out"),
        )
        half = arguments.frames // 2
        before_s = time_bare_landmarker(clip, n_frames=half)
        job_s, n_frames = time_job(config)
        after_s = time_bare_landmarker(clip, n_frames=half)
        bare_hz, job_hz = 2 * half / (before_s + after_s), n_frames / job_s
        are_equal = compare_with_plain_loop(config, Path(folder))
    ratio = job_hz / bare_hz
    print(f"bare landmarker  {bare_hz:7.1f} frames/s ({half / before_s:.1f}, {half / after_s:.1f})")
    print(f"headless job     {job_hz:7.1f} frames/s over {n_frames} frames, opening included")
    print(f"ratio            {ratio:7.2f}   (at least {LEAST_RATIO:.2f} is wanted)")
    print(f"overlapped rows equal synchronous rows over {N_COMPARED} frames: {are_equal}")
    return 0 if ratio >= LEAST_RATIO and are_equal else 1


def time_bare_landmarker(clip: Path, *, n_frames: int) -> float:
    """Return the seconds spent inside MediaPipe; decoding is not counted."""
    route_uploads_nowhere()
    options = FaceLandmarkerOptions(
        base_options=offline_options(asset_path("models/face_landmarker.task").read_bytes()),
        running_mode=RunningMode.VIDEO,
        num_faces=1,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    spent_s = 0.0
    source = VideoFileSource(clip)
    source.open()
    with FaceLandmarker.create_from_options(options) as landmarker:
        for index in range(n_frames):
            frame = source.read()
            if frame is None:
                raise ValueError(f"{clip} has fewer than {n_frames} frames")
            started_s = time.perf_counter()
            image_rgb = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2RGB)
            picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=image_rgb)
            landmarker.detect_for_video(picture, index * 33)
            spent_s += time.perf_counter() - started_s
    source.close()
    return spent_s


def time_job(config: LiveConfig) -> tuple[float, int]:
    """Run the export; return its seconds, from opening to closing, and its frames."""
    assert config.export is not None
    (job,) = plan_jobs(config.sources, config.export)
    summary = Exporter(config).run(job)
    return summary.elapsed_s, summary.n_analysed


def compare_with_plain_loop(config: LiveConfig, folder: Path) -> bool:
    """Whether the first rows of the job are those of the synchronous loop, byte for byte."""
    assert config.export is not None
    labels = load_model(config.engine).spec.labels
    overlapped = config.export.out_dir / "looped.csv"
    source = VideoFileSource(config.sources[0].path or "")
    facts = source.open()
    source.close()
    end_s = (facts.duration_s or 0.0) * N_COMPARED / (facts.n_frames_expected or N_COMPARED)
    run_synchronous(
        build_source_factory(config.sources[0], selection=FrameSelection(end_s=end_s)),
        build_pipeline_factory(config),
        [CsvSink(folder / "plain.csv", TableLayout(labels))],
    )
    plain = (folder / "plain.csv").read_bytes()
    return overlapped.read_bytes().startswith(plain)


if __name__ == "__main__":
    sys.exit(main())
