"""`<stem>.metadata.json`: how the tables beside it came about, and whether they are whole.

Written when the run begins, with the status "running", and again when it ends, with "complete" or
"partial". A file that says "running" with no process behind it belongs to a run that was killed.
"""

import contextlib
import json
import platform
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from lanet_engines.base import EngineInfo
from lanet_engines.spec import ModelSpec
from lanet_live import __version__
from lanet_live.capture.base import SourceFacts
from lanet_live.config import FITTED
from lanet_live.face.model_file import FACE_MODEL_NAME, FACE_MODEL_SHA256
from lanet_live.face.models import TrackerInfo
from lanet_live.records import FrameResult, SharesEstimate
from lanet_live.run_summary import RunSummary
from lanet_live.sinks.output_file import sink_error

SCHEMA_VERSION: Final = 1
_PACKAGES: Final = ("numpy", "mediapipe", "openvino", "opencv-contrib-python", "av", "scipy")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What is known of a run before its source is open.

    Attributes:
        source: The source as the user named it.
        command: The command line as typed.
        files: Names of the files this run writes, by format.
        part: Which part of the source is analysed: start_s, end_s, every_n.
        columns: "basic" or "full".
        model_file: Name of the model file.
        max_faces: Faces looked for in a frame.
        with_disagreement: The test-time ensemble was computed.
        smoothing_s: Time constant; None when there is no smoothing.
        run_key: Digest of what decides the files, `lanet_live.export.resume.run_key`; empty for a
            session.
    """

    source: str
    command: str
    files: dict[str, str]
    part: dict[str, float | None]
    columns: str
    model_file: str
    max_faces: int
    with_disagreement: bool
    smoothing_s: float | None
    run_key: str = ""


@dataclass(frozen=True, slots=True)
class RunSetup:
    """What is known once source and pipeline are open.

    Attributes:
        facts: Of the source.
        spec: Of the model.
        engine: What runs it.
        tracker: What finds and measures the faces.
        min_quality: Threshold in force.
        max_uncertainty: Threshold in force.
        prior: What the class shares in force are called.
        prior_shares: Of each class, (C,); None: as the model was fitted.
    """

    facts: SourceFacts
    spec: ModelSpec
    engine: EngineInfo
    tracker: TrackerInfo
    min_quality: float
    max_uncertainty: float
    prior: str = FITTED
    prior_shares: tuple[float, ...] | None = None


class MetadataFile:
    """Keeps the metadata of one run up to date. As the last sink it counts what was written.

    Args:
        path: The JSON file; a file that is there is replaced.
        settings: What is known from the start.
    """

    def __init__(self, path: Path, settings: RunSettings) -> None:
        self.path = path
        self._settings = settings
        self._document: dict[str, Any] = {}
        self._n_analysed = 0
        self._n_with_face = 0

    @property
    def has_begun(self) -> bool:
        """Whether there is a file that wants to be finished."""
        return bool(self._document)

    def begin(self, setup: RunSetup) -> None:
        """Write the file with the status "running".

        Raises:
            SinkError: It cannot be written.
        """
        self._document = {
            "schema_version": SCHEMA_VERSION,
            "status": "running",
            "partial_reason": None,
            "began_at": _now(),
            "ended_at": None,
            "elapsed_s": None,
            "command": self._settings.command,
            "run_key": self._settings.run_key,
            "files": self._settings.files,
            "part": self._settings.part,
            "columns": self._settings.columns,
            "frames": None,
            "warnings": [],
            **describe_source(self._settings, setup.facts),
            **describe_analysis(self._settings, setup),
            "software": describe_software(),
        }
        self._write()

    def write(self, result: FrameResult) -> None:
        """Count one result that all other sinks have taken."""
        self._n_analysed += 1
        self._n_with_face += bool(result.tracks)

    def close(self) -> None:
        """Do nothing: `finish` writes how the run ended."""

    def finish(self, summary: RunSummary) -> None:
        """Write how the run ended.

        Raises:
            SinkError: It cannot be written.
        """
        self._document |= {
            "status": "partial" if summary.is_partial else "complete",
            "partial_reason": summary.partial_reason,
            "elapsed_s": round(summary.elapsed_s, 3),
            "frames": {
                "decoded": summary.n_decoded,
                "analysed": summary.n_analysed,
                "with_face": summary.n_with_face,
                "dropped": summary.n_dropped,
            },
            "warnings": list(summary.warnings),
            "prior": {**self._document["prior"], "estimate": describe_estimate(summary.shares)},
            **describe_source(self._settings, summary.facts),
        }
        self._end()

    def fail(self, reason: str) -> None:
        """Write that the run ended early, for a reason the summary does not know.

        Raises:
            SinkError: It cannot be written.
        """
        self._document |= {
            "status": "partial",
            "partial_reason": reason,
            "frames": {"analysed": self._n_analysed, "with_face": self._n_with_face},
        }
        self._end()

    def _end(self) -> None:
        self._document["ended_at"] = _now()
        self._write()

    def _write(self) -> None:
        content = (json.dumps(self._document, indent=2, ensure_ascii=False) + "\n").encode()
        part = self.path.with_name(f"{self.path.name}.part")
        try:
            part.write_bytes(content)
            part.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            if not _overwrite_in_place(self.path, content):
                raise sink_error(self.path, error) from error


def _overwrite_in_place(path: Path, content: bytes) -> bool:
    """Use the room the old content has: on a full disk there is none for a new file."""
    try:
        with path.open("r+b", buffering=0) as file:
            file.write(content)
            file.truncate(len(content))
    except OSError:
        return False
    return True


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def describe_source(settings: RunSettings, facts: SourceFacts) -> dict[str, Any]:
    """Return what is known of the source, for a metadata file."""
    return {"source": {"given_as": settings.source, **asdict(facts)}}


def describe_analysis(settings: RunSettings, setup: RunSetup) -> dict[str, Any]:
    """Return model, engine, thresholds and smoothing, for a metadata file."""
    spec = setup.spec
    return {
        "model": {
            "name": spec.name,
            "file": settings.model_file,
            "sha256": setup.engine.model_sha256,
            "labels": list(spec.labels),
            "input_size_px": spec.input_size_px,
            "temperature": spec.temperature,
            "ensemble": spec.ensemble,
            "alignment": spec.alignment,
            "class_shares": _by_label(spec.labels, spec.class_shares),
            "prediction_sets": None
            if spec.prediction_sets is None
            else asdict(spec.prediction_sets),
        },
        "engine": {
            "backend": setup.engine.backend,
            "device": setup.engine.device,
            "precision": setup.engine.precision,
            "runtime_version": setup.engine.runtime_version,
        },
        "face_landmarker": {"file": Path(FACE_MODEL_NAME).name, "sha256": FACE_MODEL_SHA256},
        "tracker": asdict(setup.tracker),
        "max_faces": settings.max_faces,
        "thresholds": {
            "min_quality": setup.min_quality,
            "max_uncertainty": setup.max_uncertainty,
        },
        "smoothing": {
            "is_on": settings.smoothing_s is not None,
            "time_constant_s": settings.smoothing_s,
        },
        "disagreement": {"is_on": settings.with_disagreement},
        "prior": {
            "name": setup.prior,
            "shares": _by_label(spec.labels, setup.prior_shares or spec.class_shares),
            "estimate": None,
        },
    }


def describe_estimate(estimate: SharesEstimate | None) -> dict[str, Any] | None:
    """Return an estimate of the class shares, for a metadata file."""
    if estimate is None:
        return None
    return {
        "method": "EM (Saerens, Latinne & Decaestecker 2002)",
        "shares": _by_label(estimate.labels, estimate.shares),
        "n_frames": estimate.n_frames,
        "n_effective": round(estimate.n_effective, 1),
    }


def _by_label(labels: tuple[str, ...], shares: tuple[float, ...] | None) -> dict[str, float] | None:
    if shares is None:
        return None
    return {label: round(share, 6) for label, share in zip(labels, shares, strict=True)}


def describe_software() -> dict[str, str]:
    """Return the versions of what took part, for a metadata file."""
    versions = {"lanet-live": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return {**versions, "platform": platform.platform()}
