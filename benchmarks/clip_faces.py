"""What the app says of the faces in clips and pictures, for judging by eye.

    python benchmarks/clip_faces.py clip.mp4 photo.jpg ... [--model MODEL.onnx] [--json FILE]

For each face: frames, the mean distribution, the most frequent expression and how often it was
named, mean uncertainty and quality, and the share of frames called reliable.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lanet_engines.onnx_model.file import read_model_file
from lanet_live.config import EngineConfig, LiveConfig, SourceConfig
from lanet_live.records import ExpressionEstimate
from lanet_live.run.assembly import build_pipeline_factory, build_source_factory, load_model

MODEL = Path(__file__).resolve().parents[1] / "assets/models/lanet-live.onnx"
PICTURES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(slots=True)
class Face:
    """Everything said of one face."""

    left_px: float
    estimates: list[ExpressionEstimate] = field(default_factory=list)

    def summary(self) -> dict:
        """Means over its frames."""
        named = Counter(estimate.expression for estimate in self.estimates)
        expression, count = named.most_common(1)[0]
        labels = self.estimates[0].labels
        mean = np.mean([estimate.probabilities for estimate in self.estimates], axis=0)
        return {
            "first_seen_at_x_px": round(self.left_px),
            "n_frames": len(self.estimates),
            "expression": expression,
            "share_of_frames": count / len(self.estimates),
            "mean": {label: float(p) for label, p in zip(labels, mean, strict=True)},
            "uncertainty": float(np.mean([e.uncertainty for e in self.estimates])),
            "quality": float(np.mean([e.quality.value for e in self.estimates])),
            "reliable_share": float(np.mean([e.is_reliable for e in self.estimates])),
        }


def main() -> int:
    """Analyse, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    report = {
        "sha256": read_model_file(args.model).sha256,
        "files": {path.name: analyse(path, args.model) for path in args.files},
    }
    for name, entry in report["files"].items():
        print(f"{name}: {entry['n_frames']} frames, {entry['n_with_face']} with a face")
        for face in entry["faces"]:
            likeliest = sorted(face["mean"].items(), key=lambda item: -item[1])[:3]
            words = ", ".join(f"{label} {p:.2f}" for label, p in likeliest)
            print(f"  x {face['first_seen_at_x_px']:>4}, {face['n_frames']:>4} frames: {words}")
    if args.json is not None:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def analyse(path: Path, model: Path) -> dict:
    """Run the app's pipeline on one file."""
    kind = "images" if path.suffix.lower() in PICTURES else "video"
    config = LiveConfig(
        sources=(SourceConfig(kind, path=path),), engine=EngineConfig(model_path=model)
    )
    source = build_source_factory(config.sources[0])()
    pipeline = build_pipeline_factory(config, load_model(config.engine))(source.open())
    faces: defaultdict[int, Face] = defaultdict(lambda: Face(0.0))
    n_frames = n_with_face = 0
    try:
        while (frame := source.read()) is not None:
            result = pipeline.process(frame)
            n_frames += 1
            n_with_face += bool(result.estimates)
            for track, estimate in zip(result.tracks, result.estimates, strict=True):
                face = faces[track.face_id]
                if not face.estimates:
                    face.left_px = float(track.box_xyxy_px[0])
                face.estimates.append(estimate)
    finally:
        pipeline.close()
        source.close()
    summaries = [face.summary() for _, face in sorted(faces.items())]
    return {"n_frames": n_frames, "n_with_face": n_with_face, "faces": summaries}


if __name__ == "__main__":
    sys.exit(main())
