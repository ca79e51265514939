"""How far the tracker's networks, run one by one, agree with MediaPipe's graph.

    python benchmarks/tracker_parity.py [CLIP ...] [--data PREPARED] [--json FILE] [--markdown FILE]

Clips (default: the demo clip) are tracked twice, by the tracker "openvino" and by "mediapipe", and
every frame is also given to MediaPipe as a picture on its own: that answer is the reference for
the landmarks and blendshapes of both. Distances are means over the 478 points in per cent of the
distance between the pupils. With --data, pictures of the Valid split are searched by both trackers
as pictures on their own. The expression model is asked about the faces of both.

Faces are matched by their boxes; what only one of them finds is counted, and listed by frame.
"""

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_engines.base import Engine
from lanet_engines.registry import open_engine
from lanet_live import __version__
from lanet_live.config import PipelineConfig, TrackerConfig
from lanet_live.face.matching import box_iou
from lanet_live.face.tracker import FaceTracker
from lanet_live.records import FaceTrack, Frame
from lanet_live.run.pipeline import Pipeline

F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]

ASSETS = Path(__file__).resolve().parents[1] / "assets"
PICTURES = frozenset({".jpg", ".jpeg", ".png"})
PUPILS = (468, 473)
LEAST_OVERLAP = 0.3
N_LISTED = 40
# A still picture is shown as a clip in which the camera pans over it.
PAN_FRAMES, PAN_SHARE, FPS = 120, 0.12, 30.0

LIMITS = {
    "distance_percent": 2.5,
    "blendshape_difference": 0.05,
    "total_variation": 0.03,
    "same_class_share": 0.97,
}


@dataclass(slots=True)
class Comparison:
    """What was compared in one clip or set of pictures; every list has one entry a face."""

    n_frames: int = 0
    n_faces: dict[str, int] = field(default_factory=lambda: {"openvino": 0, "mediapipe": 0})
    only_openvino: list[str] = field(default_factory=list)
    only_mediapipe: list[str] = field(default_factory=list)
    distance: dict[str, list[float]] = field(
        default_factory=lambda: {"openvino": [], "mediapipe": []}
    )
    shapes: dict[str, list[float]] = field(
        default_factory=lambda: {"openvino": [], "mediapipe": []}
    )
    variation: list[float] = field(default_factory=list)
    same_class: list[bool] = field(default_factory=list)

    def extend(self, other: "Comparison") -> None:
        """Add what another one found."""
        self.n_frames += other.n_frames
        for name in self.n_faces:
            self.n_faces[name] += other.n_faces[name]
            self.distance[name] += other.distance[name]
            self.shapes[name] += other.shapes[name]
        self.only_openvino += other.only_openvino
        self.only_mediapipe += other.only_mediapipe
        self.variation += other.variation
        self.same_class += other.same_class

    def summary(self) -> dict:
        """Means, and the lists cut to their beginning."""
        return {
            "n_frames": self.n_frames,
            "n_faces": self.n_faces,
            "n_found_by_openvino_only": len(self.only_openvino),
            "n_found_by_mediapipe_only": len(self.only_mediapipe),
            "found_by_openvino_only": self.only_openvino[:N_LISTED],
            "found_by_mediapipe_only": self.only_mediapipe[:N_LISTED],
            "distance_percent": {n: _mean(v) for n, v in self.distance.items()},
            "distance_percent_p95": {n: _percentile(v) for n, v in self.distance.items()},
            "blendshape_difference": {n: _mean(v) for n, v in self.shapes.items()},
            "total_variation": _mean(self.variation),
            "same_class_share": _mean(self.same_class),
        }


class Judge:
    """Two trackers, the reference, and one expression model for all. Close it."""

    def __init__(self, engine: Engine, *, are_pictures: bool) -> None:
        self._trackers = {
            name: FaceTracker(
                TrackerConfig(name),
                has_independent_frames=are_pictures,
                with_blendshapes=True,
                max_faces=8,
            )
            for name in ("openvino", "mediapipe")
        }
        self._pipelines = {
            name: Pipeline(tracker, _Kept(engine), PipelineConfig())
            for name, tracker in self._trackers.items()
        }
        self._reference = FaceTracker(
            TrackerConfig("mediapipe"), has_independent_frames=True, with_blendshapes=True
        )
        self._are_pictures = are_pictures
        self.comparison = Comparison()

    def look(self, frame: Frame, title: str) -> None:
        """Compare the answers to one frame."""
        results = {name: pipeline.process(frame) for name, pipeline in self._pipelines.items()}
        new, old = results["openvino"], results["mediapipe"]
        reference = old.tracks if self._are_pictures else self._reference.update(frame)
        comparison = self.comparison
        comparison.n_frames += 1
        for name, result in results.items():
            comparison.n_faces[name] += len(result.tracks)
            for track in result.tracks:
                true = _partner(track, reference)
                if true is not None:
                    comparison.distance[name].append(_distance_percent(track, true))
                    comparison.shapes[name].append(_shape_difference(track, true))
        for track, estimate in zip(new.tracks, new.estimates, strict=True):
            partner = _partner(track, old.tracks)
            if partner is None:
                comparison.only_openvino.append(f"{title}: {_place(track)}")
                continue
            other = old.estimates[[t is partner for t in old.tracks].index(True)]
            difference = np.abs(estimate.probabilities - other.probabilities).sum() / 2
            comparison.variation.append(float(difference))
            comparison.same_class.append(estimate.expression == other.expression)
        comparison.only_mediapipe += [
            f"{title}: {_place(track)}"
            for track in old.tracks
            if _partner(track, new.tracks) is None
        ]

    def close(self) -> None:
        """Free the models."""
        for tracker in (*self._trackers.values(), self._reference):
            tracker.close()


class _Kept:
    """An engine that pipelines may not close."""

    def __init__(self, engine: Engine) -> None:
        self.spec, self.info, self.infer = engine.spec, engine.info, engine.infer

    def close(self) -> None:
        """Nothing; the owner does it."""


def main() -> int:
    """Compare, print, write; fail where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIP")
    parser.add_argument("--data", metavar="DIR", help="prepared data set; its Valid split")
    parser.add_argument("--pictures", type=int, default=1000, help="of the data set")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    args = parser.parse_args()
    engine = open_engine(ASSETS / "models/lanet-live.onnx")
    rows: dict[str, Comparison] = {}
    try:
        for path in args.clips or [ASSETS / "demo.mp4"]:
            frames = pan_over(path) if path.suffix.lower() in PICTURES else read_clip(path)
            rows[path.name] = compare(engine, frames, are_pictures=False)
            print(format_row(path.name, rows[path.name].summary()), flush=True)
        clips = Comparison()
        for row in rows.values():
            clips.extend(row)
        rows["all clips"] = clips
        if args.data is not None:
            pictures = read_pictures(args.data, n_pictures=args.pictures)
            rows[f"{args.pictures} pictures"] = compare(engine, pictures, are_pictures=True)
    finally:
        engine.close()
    summaries = {name: row.summary() for name, row in rows.items()}
    text = format_table(summaries)
    print(text)
    report = {
        "version": __version__,
        "machine": platform.processor() or platform.machine(),
        "limits": LIMITS,
        "rows": summaries,
    }
    if args.json is not None:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if args.markdown is not None:
        args.markdown.write_text(format_markdown(text, summaries), encoding="utf-8")
    failures = find_failures(summaries)
    print("\n".join(failures) or "All limits are kept.")
    return 1 if failures else 0


def compare(engine: Engine, frames: Iterator[tuple[Frame, str]], *, are_pictures: bool):
    """Show every frame to both trackers."""
    judge = Judge(engine, are_pictures=are_pictures)
    try:
        for frame, title in frames:
            judge.look(frame, title)
    finally:
        judge.close()
    return judge.comparison


def read_clip(path: Path) -> Iterator[tuple[Frame, str]]:
    """Yield the frames of a clip."""
    with av.open(str(path)) as container:
        for index, picture in enumerate(container.decode(video=0)):
            seconds = float(picture.pts * picture.time_base)
            image = picture.to_ndarray(format="bgr24")
            yield Frame(image, index, seconds, seconds, path.name), f"{path.name} {index}"


def pan_over(path: Path) -> Iterator[tuple[Frame, str]]:
    """Yield a clip in which a camera pans over a picture, there and back."""
    image = cv2.imread(str(path))
    width = image.shape[1]
    reach = round(PAN_SHARE * width)
    for index in range(PAN_FRAMES):
        x = round(reach * (0.5 - 0.5 * np.cos(2 * np.pi * index / PAN_FRAMES)))
        part = np.ascontiguousarray(image[:, x : width - reach + x])
        yield Frame(part, index, index / FPS, 0.0, path.name), f"{path.name} {index}"


def read_pictures(data: str, *, n_pictures: int) -> Iterator[tuple[Frame, str]]:
    """Yield pictures of the Valid split, evenly spread over it, as the evaluation shows them."""
    from lanet_trainer.datasets.chips import to_bgr
    from lanet_trainer.datasets.prepared import open_prepared
    from lanet_trainer.surroundings import surround

    split = open_prepared(data).split("valid")
    chosen = np.linspace(0, len(split) - 1, min(n_pictures, len(split))).round().astype(int)
    for index, position in enumerate(chosen.tolist()):
        picture, _ = surround(to_bgr(split.image(position)))
        name = split.sample_ids[position]
        yield Frame(picture, index, float(index), 0.0, name), name


def find_failures(summaries: dict[str, dict]) -> list[str]:
    """Return one sentence for each limit that is passed, over all clips or the pictures."""
    failures = []
    for name, row in summaries.items():
        if name != "all clips" and not name.endswith(" pictures"):
            continue
        distance, shapes = row["distance_percent"], row["blendshape_difference"]
        is_video = name == "all clips"
        checks = {
            f"landmarks {distance['openvino']:.2f} %": distance["openvino"]
            <= LIMITS["distance_percent"],
            "landmarks further off than MediaPipe's video mode": not is_video
            or distance["openvino"] <= distance["mediapipe"],
            f"blendshapes {shapes['openvino']:.3f}": shapes["openvino"]
            <= LIMITS["blendshape_difference"],
            f"expressions differ by {row['total_variation']:.3f}": row["total_variation"]
            <= LIMITS["total_variation"],
            f"same class {row['same_class_share']:.3f}": row["same_class_share"]
            >= LIMITS["same_class_share"],
            "fewer faces": row["n_faces"]["openvino"] >= row["n_faces"]["mediapipe"],
        }
        failures += [f"{name}: {what}" for what, is_kept in checks.items() if not is_kept]
    return failures


def format_table(summaries: dict[str, dict]) -> str:
    """Write all rows as a Markdown table."""
    header = (
        "| clip | frames | faces, openvino / mediapipe | only openvino / only mediapipe | "
        "landmarks from single-image MediaPipe, openvino / mediapipe video (% of pupil distance) | "
        "blendshapes, openvino / mediapipe video | expression: total variation | same class |"
    )
    lines = [header, "|---|---|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(format_row(name, row) for name, row in summaries.items())])


def format_row(name: str, row: dict) -> str:
    """Write one row of the table."""
    faces, distance = row["n_faces"], row["distance_percent"]
    shapes = row["blendshape_difference"]
    return (
        f"| {name} | {row['n_frames']} | {faces['openvino']} / {faces['mediapipe']} | "
        f"{row['n_found_by_openvino_only']} / {row['n_found_by_mediapipe_only']} | "
        f"{distance['openvino']:.2f} / {distance['mediapipe']:.2f} | "
        f"{shapes['openvino']:.4f} / {shapes['mediapipe']:.4f} | "
        f"{row['total_variation']:.4f} | {100 * row['same_class_share']:.1f} % |"
    )


def format_markdown(table: str, summaries: dict[str, dict]) -> str:
    """Write the page for the results."""
    text = f"# The tracker against MediaPipe\n\n{table}\n"
    for title, key in (
        ("Found by openvino only", "found_by_openvino_only"),
        ("Found by mediapipe only", "found_by_mediapipe_only"),
    ):
        text += f"\n## {title}\n\n"
        for name, row in summaries.items():
            if name != "all clips" and row[key]:
                n_all = row[f"n_{key}"]
                more = f" and {n_all - N_LISTED} more" if n_all > N_LISTED else ""
                text += f"- {name}: {'; '.join(row[key])}{more}\n"
    return text


def _partner(track: FaceTrack, others: tuple[FaceTrack, ...]) -> FaceTrack | None:
    """Return the face of another answer that lies where this one lies."""
    overlaps = [(box_iou(track.box_xyxy_px, other.box_xyxy_px), other) for other in others]
    overlap, best = max(overlaps, key=lambda pair: pair[0], default=(0.0, None))
    return best if overlap >= LEAST_OVERLAP else None


def _distance_percent(track: FaceTrack, true: FaceTrack) -> float:
    right, left = true.landmarks_px[list(PUPILS)]
    distances = np.linalg.norm(track.landmarks_px - true.landmarks_px, axis=1)
    return float(100 * distances.mean() / max(np.linalg.norm(left - right), 1.0))


def _shape_difference(track: FaceTrack, true: FaceTrack) -> float:
    assert track.blendshapes is not None
    assert true.blendshapes is not None
    return float(np.abs(track.blendshapes - true.blendshapes).mean())


def _place(track: FaceTrack) -> str:
    left, top, right, bottom = track.box_xyxy_px.round().astype(int).tolist()
    return f"{right - left} x {bottom - top} px at ({left}, {top}), confidence {track.score:.2f}"


def _mean(values: list) -> float:
    return float(np.mean(values)) if values else 0.0


def _percentile(values: list[float]) -> float:
    return float(np.percentile(values, 95)) if values else 0.0


if __name__ == "__main__":
    sys.exit(main())
