"""What the user asked for, as records. Imports nothing heavy, so that `--help` answers at once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

DEFAULT_MODEL: Final = "models/lanet-live.onnx"
"""The shipped expression model, for `lanet_live.resources.asset_path`."""

EXPORT_FORMATS: Final = ("csv", "jsonl", "parquet", "video", "plot")
COLUMN_SETS: Final = ("basic", "full")
SOURCE_KINDS: Final = ("camera", "video", "images", "synthetic")
TRACKERS: Final = ("openvino", "mediapipe")

DEFAULT_TRACKER: Final = "openvino"

# How frequent the classes are taken to be: as the model was fitted, all alike, or as a file says.
FITTED: Final = "fitted"
BALANCED: Final = "balanced"

# Enough for a group; more faces cost time on every frame, found or not.
DEFAULT_MAX_FACES: Final = 8


@dataclass(frozen=True, slots=True)
class EstimatorConfig:
    """How estimates are made and judged.

    Attributes:
        min_quality: Below it an estimate is not reliable; None takes the model's own threshold.
        max_uncertainty: Above it an estimate is not reliable; None takes the model's own.
        with_disagreement: Also look at slightly changed crops and report how far they disagree.
    """

    min_quality: float | None = None
    max_uncertainty: float | None = None
    with_disagreement: bool = False


@dataclass(frozen=True, slots=True)
class PriorConfig:
    """How frequent each class is taken to be; see `lanet_live.expression.prior`.

    Attributes:
        kind: `FITTED` leaves the probabilities as they are, `BALANCED` takes all classes for
            equally frequent, "file" takes `shares`.
        name: What to call it: the kind, or the file's name.
        shares: Class and share, summing to 1; empty unless the kind is "file".
    """

    kind: str = FITTED
    name: str = FITTED
    shares: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """How results are made.

    Attributes:
        estimator: Thresholds and views.
        smoothing_s: Time constant of the smoothed probabilities; None leaves them out.
        prior: Class shares the probabilities are corrected to, beside the raw ones.
    """

    estimator: EstimatorConfig = field(default_factory=EstimatorConfig)
    smoothing_s: float | None = None
    prior: PriorConfig = field(default_factory=PriorConfig)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Which model runs on what.

    Attributes:
        model_path: ONNX file; None takes the shipped one.
        backend: Name in the engine registry, or "auto".
        precision: "fp32", "fp16", "bf16" or "int8"; None takes the backend's own choice.
        device: As the backend names it; None takes its own choice.
        threads: CPU threads of the engine; None takes the backend's own choice.
    """

    model_path: Path | None = None
    backend: str = "auto"
    precision: str | None = None
    device: str | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """Which way the face models are run.

    Attributes:
        name: One of `TRACKERS`: network by network with OpenVINO, or MediaPipe's own graph.
        device: As OpenVINO names it; None for the CPU. MediaPipe takes the CPU.
        threads: CPU threads of OpenVINO; None shares the machine with the expression model.
    """

    name: str = DEFAULT_TRACKER
    device: str | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where frames come from.

    Attributes:
        kind: One of `SOURCE_KINDS`.
        path: Of a video or an image folder.
        camera: Index or name of a camera.
        size_wh: Picture size asked of a camera; None takes its own choice.
    """

    kind: str
    path: Path | None = None
    camera: int | str | None = None
    size_wh: tuple[int, int] | None = None

    @property
    def title(self) -> str:
        """What to call the source in a message."""
        if self.path is not None:
            return str(self.path)
        return f"camera {self.camera}" if self.kind == "camera" else self.kind


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """What is written where.

    Attributes:
        formats: Out of `EXPORT_FORMATS`.
        out_dir: Folder of the files.
        overwrite: Replace files that are there.
        columns: One of `COLUMN_SETS`.
        start_s: From this time of the source on; None begins at its beginning.
        end_s: Up to this time of the source; None goes to its end.
        every_n: 1 analyses every frame, 5 the first and every fifth after it.
        n_jobs: Sources analysed at the same time, each in a process of its own.
        resume: Leave out what an earlier run has finished, and do again what it began.
    """

    formats: tuple[str, ...]
    out_dir: Path = Path()
    overwrite: bool = False
    columns: str = "basic"
    start_s: float | None = None
    end_s: float | None = None
    every_n: int = 1
    n_jobs: int = 1
    resume: bool = False


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """One run of the application.

    Attributes:
        sources: What to analyse; the window takes one.
        engine: Model and runtime.
        pipeline: Thresholds, views and smoothing.
        tracker: How faces are found and measured.
        max_faces: Faces looked for in a frame.
        export: What to write; None opens the window.
        with_lsl: Offer the estimates over LSL.
        command: The command line as typed, for the metadata.
    """

    sources: tuple[SourceConfig, ...]
    engine: EngineConfig = field(default_factory=EngineConfig)
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    max_faces: int = DEFAULT_MAX_FACES
    export: ExportConfig | None = None
    with_lsl: bool = False
    command: str = ""
