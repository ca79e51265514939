"""`lanet-live --doctor`: what is installed, what works, and what to do about the rest."""

import importlib.metadata
import importlib.util
import json
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from lanet_engines.base import Engine
from lanet_engines.errors import EngineError
from lanet_engines.registry import BACKENDS, open_engine, probe_backends
from lanet_engines.usage_reports import KEPT_BACK
from lanet_live import __version__
from lanet_live.config import DEFAULT_TRACKER, TRACKERS, EngineConfig, TrackerConfig
from lanet_live.errors import LanetLiveError
from lanet_live.face.model_file import FACE_MODEL_NAME, FACE_MODEL_SHA256, read_face_model
from lanet_live.face.models import open_face_models
from lanet_live.face.offline import KEPT_BACK as MEDIAPIPE_KEPT_BACK
from lanet_live.resources import asset_path
from lanet_live.run.assembly import LoadedModel, load_model

_PACKAGES: Final = (
    "numpy",
    "scipy",
    "mediapipe",
    "av",
    "openvino",
    "onnxruntime",
    "tensorrt-rtx",
    "PySide6-Essentials",
    "pyqtgraph",
    "pyarrow",
    "matplotlib",
)
_OPENCV_WHEELS: Final = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
# In a process of its own: a missing system library makes Qt abort.
_OPEN_QT: Final = """
import os
for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
    os.environ.pop(name, None)
from PySide6.QtWidgets import QApplication
print(QApplication([]).platformName())
"""
_QT_TIMEOUT_S: Final = 30
_TIMED_CALLS: Final = 15
_TRIAL_PICTURE: Final = (128, 128, 3)


@dataclass(frozen=True, slots=True)
class BackendFinding:
    """One runtime.

    Attributes:
        name: In the registry.
        works: The model was opened on it and answered.
        runtime_version: Empty when not installed.
        device: What ran the model; empty when nothing did.
        precision: Likewise.
        batch_1_ms: Median time of one face.
        batch_8_ms: Median time of eight faces.
        reason: Why it does not work.
    """

    name: str
    works: bool
    runtime_version: str = ""
    device: str = ""
    precision: str = ""
    batch_1_ms: float | None = None
    batch_8_ms: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TrackerFinding:
    """One way to run the face models.

    Attributes:
        name: As `--tracker` takes it.
        works: The models were opened and looked at a picture.
        runtime_version: Empty when it does not work.
        device: Likewise.
        precision: Likewise.
        reason: Why it does not work.
    """

    name: str
    works: bool
    runtime_version: str = ""
    device: str = ""
    precision: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the doctor looked at.

    Attributes:
        software: Versions by name.
        backends: In the order "auto" tries them, then those other packages add.
        chosen_backend: What "auto" takes; empty when none works.
        trackers: What can find and measure faces.
        models: File, checksum and state of each model.
        opencv_wheels: Installed OpenCV distributions; there must be exactly one.
        cameras: Names, by index.
        window: How Qt would show the window, e.g. "xcb"; empty when it cannot.
        reports_kept_back: What installed libraries would send, and what keeps them from it.
        problems: What keeps something from working, one sentence each.
        notes: What is worth knowing but in order.
    """

    software: dict[str, str]
    backends: tuple[BackendFinding, ...]
    chosen_backend: str
    trackers: tuple[TrackerFinding, ...]
    models: dict[str, str]
    opencv_wheels: tuple[str, ...]
    cameras: tuple[str, ...]
    window: str
    reports_kept_back: dict[str, str]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_healthy(self) -> bool:
        """Nothing needs fixing."""
        return not self.problems


def examine(engine_config: EngineConfig | None = None) -> Findings:
    """Look at everything; takes a few seconds."""
    problems: list[str] = []
    notes: list[str] = []
    models, model = _examine_models(engine_config or EngineConfig(), problems)
    backends = _examine_backends(model, notes)
    chosen = next((b.name for b in backends if b.works and b.name in BACKENDS), "")
    if model is not None and not chosen:
        problems.append("No engine can run the model; the reasons are in the list of engines.")
    wheels = _find_opencv_wheels()
    if len(wheels) != 1:
        problems.append(
            f"There must be exactly one OpenCV package, found: {', '.join(wheels) or 'none'}. "
            "Uninstall all of them, then install LA-Net Live again."
        )
    window = _try_window(notes)
    return Findings(
        software=_find_versions(),
        backends=backends,
        chosen_backend=chosen,
        trackers=_examine_trackers(problems),
        models=models,
        opencv_wheels=wheels,
        cameras=_find_cameras(notes),
        window=window,
        reports_kept_back=_find_reports_kept_back(),
        problems=tuple(problems),
        notes=tuple(notes),
    )


def format_json(findings: Findings) -> str:
    """Write the findings for a program."""
    return json.dumps({"is_healthy": findings.is_healthy, **asdict(findings)}, indent=2)


def format_text(findings: Findings) -> str:
    """Write the findings for a person."""
    sections: list[tuple[str, list[str]]] = [
        ("Software", [f"{name:<22} {version}" for name, version in findings.software.items()]),
        ("Models", [f"{name:<22} {state}" for name, state in findings.models.items()]),
        ("Engines", _format_backends(findings)),
        ("Trackers", _format_trackers(findings)),
        ("OpenCV", list(findings.opencv_wheels) or ["none"]),
        ("Cameras", list(findings.cameras) or ["none found"]),
        ("Window", [f"Qt platform {findings.window}" if findings.window else "cannot open here"]),
        ("Kept back", [f"{name:<22} {how}" for name, how in findings.reports_kept_back.items()]),
        ("Notes", list(findings.notes)),
        ("Problems", list(findings.problems) or ["none"]),
    ]
    return "\n\n".join(
        "\n".join([title, *(f"  {line}" for line in lines)]) for title, lines in sections if lines
    )


def _format_backends(findings: Findings) -> list[str]:
    lines = []
    for backend in findings.backends:
        if backend.works:
            chosen = ", chosen by auto" if backend.name == findings.chosen_backend else ""
            state = (
                f"works: {backend.device}, {backend.precision}, {backend.batch_1_ms:.1f} ms for 1 "
                f"face, {backend.batch_8_ms:.1f} ms for 8 ({backend.runtime_version}){chosen}"
            )
        else:
            state = f"not usable: {backend.reason}"
        lines.append(f"{backend.name:<22} {state}")
    return lines


def _format_trackers(findings: Findings) -> list[str]:
    lines = []
    for tracker in findings.trackers:
        if tracker.works:
            usual = ", the usual one" if tracker.name == DEFAULT_TRACKER else ""
            state = (
                f"works: {tracker.device}, {tracker.precision} ({tracker.runtime_version}){usual}"
            )
        else:
            state = f"not usable: {tracker.reason}"
        lines.append(f"{tracker.name:<22} {state}")
    return lines


def _find_versions() -> dict[str, str]:
    versions = {
        "lanet-live": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _find_reports_kept_back() -> dict[str, str]:
    return {
        kept.library: f"would {kept.would}; {kept.by}"
        for kept in (MEDIAPIPE_KEPT_BACK, *KEPT_BACK)
        if importlib.util.find_spec(kept.library) is not None
    }


def _find_opencv_wheels() -> tuple[str, ...]:
    found = []
    for name in _OPENCV_WHEELS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(found)


def _examine_models(
    config: EngineConfig, problems: list[str]
) -> tuple[dict[str, str], LoadedModel | None]:
    states = {}
    model = None
    try:
        read_face_model()
        states["face landmarker"] = f"{asset_path(FACE_MODEL_NAME)}, sha256 {FACE_MODEL_SHA256}"
    except LanetLiveError as error:
        states["face landmarker"] = "not usable"
        problems.append(str(error))
    try:
        model = load_model(config)
        states["expression model"] = f"{model.path} ({model.spec.name}), sha256 {model.sha256}"
    except (LanetLiveError, EngineError) as error:
        states["expression model"] = "not usable"
        problems.append(str(error))
    return states, model


def _examine_trackers(problems: list[str]) -> tuple[TrackerFinding, ...]:
    findings = []
    for name in TRACKERS:
        try:
            findings.append(_try_tracker(name))
        except LanetLiveError as error:
            findings.append(TrackerFinding(name, False, reason=str(error)))
            problems.append(f"The tracker {name} does not work: {error}")
    return tuple(findings)


def _try_tracker(name: str) -> TrackerFinding:
    models = open_face_models(TrackerConfig(name))
    try:
        landmarker = models.open_landmarker(max_faces=1)
        try:
            landmarker.find(np.zeros(_TRIAL_PICTURE, dtype=np.uint8))
        finally:
            landmarker.close()
        info = models.info
    finally:
        models.close()
    return TrackerFinding(name, True, info.runtime_version, info.device, info.precision)


def _examine_backends(model: LoadedModel | None, notes: list[str]) -> tuple[BackendFinding, ...]:
    findings = []
    for status in probe_backends():
        if not status.is_available or model is None:
            reason = status.reason or "there is no model to try it with"
            findings.append(
                BackendFinding(status.name, False, status.runtime_version, reason=reason)
            )
            continue
        try:
            findings.append(_try_backend(status.name, status.runtime_version, model))
        except EngineError as error:
            findings.append(
                BackendFinding(status.name, False, status.runtime_version, reason=str(error))
            )
            notes.append(f"The engine {status.name} is installed but does not run the model.")
    return tuple(findings)


def _try_backend(name: str, runtime_version: str, model: LoadedModel) -> BackendFinding:
    engine = open_engine(model.path, backend=name)
    try:
        return BackendFinding(
            name=name,
            works=True,
            runtime_version=runtime_version,
            device=engine.info.device,
            precision=engine.info.precision,
            batch_1_ms=_median_ms(engine, 1),
            batch_8_ms=_median_ms(engine, 8),
        )
    finally:
        engine.close()


def _median_ms(engine: Engine, batch_size: int) -> float:
    side = engine.spec.input_size_px
    crops = np.random.default_rng(0).integers(0, 256, (batch_size, side, side, 3), dtype=np.uint8)
    engine.infer(crops)
    times_ms = []
    for _ in range(_TIMED_CALLS):
        started_s = time.perf_counter()
        engine.infer(crops)
        times_ms.append((time.perf_counter() - started_s) * 1000)
    return float(np.median(times_ms))


def _find_cameras(notes: list[str]) -> tuple[str, ...]:
    from lanet_live.capture.camera_list import list_cameras

    try:
        return tuple(f"{camera.index}  {camera.name}" for camera in list_cameras())
    except LanetLiveError as error:
        notes.append(str(error))
        return ()


def _try_window(notes: list[str]) -> str:
    """Return Qt's platform if a window could be opened, else say why not."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _OPEN_QT],
            capture_output=True,
            text=True,
            timeout=_QT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        notes.append(f"Qt could not be tried: {error}.")
        return ""
    if done.returncode == 0:
        return done.stdout.strip()
    reason = next((line for line in done.stderr.splitlines() if line.strip()), "no reason given")
    notes.append(f"The window cannot open here ({reason}). Exports work without it.")
    return ""
