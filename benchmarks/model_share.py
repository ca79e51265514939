"""What the expression model costs beside the face tracker, on one clip and in one run.

    python benchmarks/model_share.py [MODEL.onnx] [--clip clip.mp4] [--threads 2] [--json FILE]

For each frame, scaled to 640x360: the tracker, then the model on one crop, then the model on the
crops of all views it is used with. Prints medians and their ratios to the tracker's; since all
three take turns, a busy machine disturbs them alike.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from lanet_engines.base import Engine
from lanet_engines.errors import EngineError
from lanet_engines.registry import open_engine
from lanet_live.capture.video_file import VideoFileSource
from lanet_live.face.alignment import align_face
from lanet_live.face.tracker import FaceTracker
from lanet_live.records import Frame

ASSETS = Path(__file__).resolve().parents[1] / "assets"
SIZE_WH = (640, 360)
N_WARM_UP = 10


def main() -> int:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=ASSETS / "models/lanet-live.onnx")
    parser.add_argument("--clip", type=Path, default=ASSETS / "demo.mp4")
    parser.add_argument("--backend", default="openvino")
    parser.add_argument("--threads", type=int, help="of the model; default: the engine's choice")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    try:
        engine = open_engine(args.model, backend=args.backend, threads=args.threads)
    except EngineError as error:
        print(f"model_share: {error}", file=sys.stderr)
        return 2
    try:
        times_ms = time_clip(engine, args.clip)
    finally:
        engine.close()
    medians_ms = {name: statistics.median(values) for name, values in times_ms.items()}
    report = {
        "model": engine.spec.name,
        "sha256": engine.info.model_sha256,
        "backend": f"{engine.info.backend} {engine.info.precision}",
        "device": engine.info.device,
        "clip": args.clip.name,
        "frame_size_wh": SIZE_WH,
        "n_frames": len(times_ms["tracker"]),
        "median_ms": medians_ms,
        "share_of_tracker": {
            name: medians_ms[name] / medians_ms["tracker"] for name in ("one crop", "all views")
        },
    }
    for name, value in medians_ms.items():
        print(f"{name:<10} {value:7.3f} ms  {value / medians_ms['tracker']:6.3f} of the tracker")
    if args.json is not None:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def time_clip(engine: Engine, clip: Path) -> dict[str, list[float]]:
    """Milliseconds of tracker and model on every frame with a face, the first ones left out."""
    n_views = 2 if engine.spec.ensemble == "mirror" else 1
    times_ms: dict[str, list[float]] = {"tracker": [], "one crop": [], "all views": []}
    tracker = FaceTracker()
    source = VideoFileSource(clip)
    source.open()
    try:
        while (frame := source.read()) is not None:
            picture = np.ascontiguousarray(cv2.resize(frame.image_bgr, SIZE_WH))
            scaled = Frame(picture, frame.index, frame.timestamp_s, 0.0, frame.source_id)
            started_s = time.perf_counter()
            tracks = tracker.update(scaled)
            tracked_s = time.perf_counter()
            if not tracks or frame.index < N_WARM_UP:
                continue
            size_px = engine.spec.input_size_px
            crop, _ = align_face(picture, tracks[0].landmarks_px, size_px=size_px)
            times_ms["tracker"].append(1000 * (tracked_s - started_s))
            for name, n_crops in (("one crop", 1), ("all views", n_views)):
                crops = np.stack([crop] * n_crops)
                started_s = time.perf_counter()
                engine.infer(crops)
                times_ms[name].append(1000 * (time.perf_counter() - started_s))
    finally:
        source.close()
        tracker.close()
    return times_ms


if __name__ == "__main__":
    sys.exit(main())
