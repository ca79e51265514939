"""How much the estimates of a still face flicker under camera noise, and what smoothing costs.

    python benchmarks/flicker.py [MODEL.onnx] [--data PREPARED] [--tracker openvino|mediapipe]

A face that does not move is filmed: one picture, again and again, with the sensor noise, JPEG
compression and slight trembling of a webcam. Faces: the first frame of the demo clip and, with
--data, some of the Valid split. The app's own tracker and pipeline run on the clip. Flicker is the
mean total variation between the distributions of one frame and the next (0: none, 1: total), of the
raw estimates and of those smoothed with the default time constant.

The same clip is also shown in parts, to find where flicker comes from: noise, compression or
trembling alone, and everything with the alignment held fast. The lag is the time the default
smoothing takes to cover 63 % of a sudden change.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_engines.base import Engine
from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.registry import open_engine
from lanet_live.config import DEFAULT_TRACKER, TRACKERS, PipelineConfig, TrackerConfig
from lanet_live.expression.smoothing import DEFAULT_TIME_CONSTANT_S, ProbabilitySmoother
from lanet_live.face.models import TrackerInfo
from lanet_live.face.tracker import FaceTracker
from lanet_live.records import FaceTrack, Frame
from lanet_live.run.pipeline import Pipeline

U8Array = NDArray[np.uint8]
F64Array = NDArray[np.float64]

ASSETS = Path(__file__).resolve().parents[1] / "assets"
FPS = 30.0
SIZE_WH = (640, 360)
# The smoothed estimates begin at the first raw one; only then they are settled.
N_SETTLING = 10


@dataclass(frozen=True, slots=True)
class Camera:
    """What changes from frame to frame.

    Attributes:
        noise_std: Of the sensor, grey levels.
        jpeg_quality: None: not compressed.
        tremble_px: Standard deviation of the picture's shift.
        tremble_scale: Standard deviation of its size.
        is_held: The alignment of the first frame is kept.
    """

    noise_std: float = 0.0
    jpeg_quality: int | None = None
    tremble_px: float = 0.0
    tremble_scale: float = 0.0
    is_held: bool = False


WEBCAM = Camera(noise_std=5.0, jpeg_quality=80, tremble_px=0.4, tremble_scale=0.001)
CAMERAS = {
    "webcam": WEBCAM,
    "noise alone": Camera(noise_std=WEBCAM.noise_std),
    "compression alone": Camera(jpeg_quality=WEBCAM.jpeg_quality, tremble_px=0.01),
    "trembling alone": Camera(tremble_px=WEBCAM.tremble_px, tremble_scale=WEBCAM.tremble_scale),
    "noise and compression, alignment held fast": replace(
        WEBCAM, tremble_px=0.0, tremble_scale=0.0, is_held=True
    ),
}


class HeldTracker:
    """Finds the faces of the first frame and says the same of every other."""

    def __init__(self, config: TrackerConfig) -> None:
        self._tracker = FaceTracker(config)
        self._tracks: tuple[FaceTrack, ...] = ()

    @property
    def info(self) -> TrackerInfo:
        """What runs the face models."""
        return self._tracker.info

    def update(self, frame: Frame) -> tuple[FaceTrack, ...]:
        """Return the faces of the first frame that had any."""
        self._tracks = self._tracks or self._tracker.update(frame)
        return self._tracks

    def close(self) -> None:
        """Free the models."""
        self._tracker.close()


class SharedEngine:
    """One engine for many pipelines: they may not close it."""

    def __init__(self, engine: Engine) -> None:
        self.spec, self.info, self.infer = engine.spec, engine.info, engine.infer

    def close(self) -> None:
        """Nothing; the owner does it."""


def main() -> int:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=ASSETS / "models/lanet-live.onnx")
    parser.add_argument("--data", metavar="DIR", help="prepared data set; faces of its Valid split")
    parser.add_argument("--faces", type=int, default=8, help="of the data set")
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tracker", choices=TRACKERS, default=DEFAULT_TRACKER)
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    stills = [read_demo_still()]
    if args.data is not None:
        stills += read_valid_stills(args.data, n_faces=args.faces, seed=args.seed)
    engine = open_engine(args.model)
    try:
        rows = {
            name: measure(
                engine,
                stills,
                camera,
                n_frames=args.frames,
                seed=args.seed,
                tracking=TrackerConfig(args.tracker),
            )
            for name, camera in CAMERAS.items()
        }
    finally:
        engine.close()
    report = {
        "model": engine.spec.name,
        "sha256": read_model_file(args.model).sha256,
        "command": "python benchmarks/flicker.py "
        + " ".join(Path(word).name if "/" in word else word for word in sys.argv[1:]),
        "tracker": args.tracker,
        "n_faces": len(stills),
        "n_frames": args.frames,
        "time_constant_s": DEFAULT_TIME_CONSTANT_S,
        "lag_63_s": lag_of_a_step(),
        "cameras": rows,
    }
    print_report(report)
    if args.json is not None:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def read_demo_still() -> U8Array:
    """The first frame of the demo clip, 360 lines high."""
    with av.open(str(ASSETS / "demo.mp4")) as container:
        return on_canvas(next(container.decode(video=0)).to_ndarray(format="bgr24"))


def read_valid_stills(data: str, *, n_faces: int, seed: int) -> list[U8Array]:
    """Some faces of the Valid split, enlarged as for the end-to-end evaluation."""
    from lanet_trainer.datasets.chips import to_bgr
    from lanet_trainer.datasets.prepared import open_prepared
    from lanet_trainer.surroundings import surround

    split = open_prepared(data).split("valid")
    known = np.flatnonzero(split.has_face & (split.label >= 0))
    chosen = np.random.default_rng(seed).choice(known, n_faces, replace=False)
    return [on_canvas(surround(to_bgr(split.image(int(i))))[0]) for i in chosen]


def on_canvas(picture: U8Array) -> U8Array:
    """Put a picture into the middle of a frame, its border repeated around it."""
    width, height = SIZE_WH
    scale = min(width / picture.shape[1], height / picture.shape[0])
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    missing_x, missing_y = width - picture.shape[1], height - picture.shape[0]
    left, top = missing_x // 2, missing_y // 2
    return cv2.copyMakeBorder(
        picture, top, missing_y - top, left, missing_x - left, cv2.BORDER_REPLICATE
    )


def film(still: U8Array, camera: Camera, *, n_frames: int, seed: int) -> Iterator[Frame]:
    """Yield the same picture as a camera would see it again and again."""
    generator = np.random.default_rng(seed)
    middle = (SIZE_WH[0] / 2, SIZE_WH[1] / 2)
    for number in range(n_frames):
        picture = still
        if camera.tremble_px:
            matrix = cv2.getRotationMatrix2D(
                middle, 0.0, 1 + camera.tremble_scale * generator.standard_normal()
            )
            matrix[:, 2] += camera.tremble_px * generator.standard_normal(2)
            picture = cv2.warpAffine(still, matrix, SIZE_WH, borderMode=cv2.BORDER_REPLICATE)
        if camera.noise_std:
            noise = generator.standard_normal(picture.shape, dtype=np.float32)
            noisy = picture + noise * np.float32(camera.noise_std)
            picture = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
        if camera.jpeg_quality is not None:
            quality = [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality]
            picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
        yield Frame(picture, number, number / FPS, number / FPS, "still")


def measure(
    engine: Engine,
    stills: list[U8Array],
    camera: Camera,
    *,
    n_frames: int,
    seed: int,
    tracking: TrackerConfig,
) -> dict[str, float | int]:
    """Film every still and return the mean flicker, raw and smoothed."""
    raw, smoothed, n_lost = [], [], 0
    for still in stills:
        tracker = HeldTracker(tracking) if camera.is_held else FaceTracker(tracking)
        config = PipelineConfig(smoothing_s=DEFAULT_TIME_CONSTANT_S)
        pipeline = Pipeline(tracker, SharedEngine(engine), config)
        estimates = []
        try:
            for frame in film(still, camera, n_frames=n_frames, seed=seed):
                result = pipeline.process(frame)
                n_lost += not result.estimates
                estimates += result.estimates[:1]
        finally:
            pipeline.close()
        settled = estimates[N_SETTLING:]
        if len(settled) >= 2:
            raw.append(flicker(np.stack([e.probabilities for e in settled])))
            smoothed.append(flicker(np.stack([e.smoothed for e in settled])))
    return {
        "raw": float(np.mean(raw)),
        "raw_worst_face": float(np.max(raw)),
        "smoothed": float(np.mean(smoothed)),
        "n_frames_without_face": n_lost,
    }


def flicker(distributions: F64Array) -> float:
    """Mean total variation between neighbours of a sequence of distributions, (T, C)."""
    return float(np.abs(np.diff(distributions, axis=0)).sum(axis=1).mean() / 2)


def lag_of_a_step() -> float:
    """Seconds until the default smoothing has covered 63 % of a sudden change, at `FPS`."""
    smoother = ProbabilitySmoother(DEFAULT_TIME_CONSTANT_S)
    before, after = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    for number in range(30):
        smoother.update(0, number / FPS, before)
    share, number = 0.0, 30
    while share < 1 - np.exp(-1) - 1e-9:
        share = float(smoother.update(0, number / FPS, after)[1])
        number += 1
    return (number - 30) / FPS


def print_report(report: dict) -> None:
    """Print the table."""
    print(
        f"{report['model']}, {report['tracker']}: {report['n_faces']} faces, "
        f"{report['n_frames']} frames each"
    )
    print(f"{'camera':<44} {'raw':>8} {'worst':>8} {'smoothed':>9} {'no face':>8}")
    for name, row in report["cameras"].items():
        print(
            f"{name:<44} {row['raw']:>8.4f} {row['raw_worst_face']:>8.4f} "
            f"{row['smoothed']:>9.4f} {row['n_frames_without_face']:>8}"
        )
    print(
        f"smoothing: {report['time_constant_s']} s, 63 % of a step after {report['lag_63_s']:.3f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
