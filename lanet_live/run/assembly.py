"""Puts sources, models and pipelines together, for the window and the command line alike.

Everything is checked early and opened late: a bad model file is refused at once, while trackers and
engines are opened in the thread that uses them.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lanet_engines.base import Engine
from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.options import OpenOptions, ProgressCallback
from lanet_engines.registry import backend_names, has_backend, open_with_options
from lanet_engines.spec import ModelSpec
from lanet_engines.storage.artefact import is_artefact, read_artefact
from lanet_live.capture.base import FrameSource, SourceFactory, SourceFacts
from lanet_live.capture.selected import FrameSelection, SelectedSource
from lanet_live.config import DEFAULT_MODEL, EngineConfig, LiveConfig, SourceConfig
from lanet_live.errors import ConfigError
from lanet_live.expression.prior import resolve_prior
from lanet_live.face.template import TEMPLATE_ID
from lanet_live.processors import share_threads, usable_processors
from lanet_live.resources import asset_path
from lanet_live.run.pipeline import Pipeline, PipelineFactory, Tracker


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that was read and checked, but not opened on a runtime.

    Attributes:
        path: ONNX file, or folder of a built engine.
        spec: The model's own description.
        sha256: Of the ONNX file, hex.
    """

    path: Path
    spec: ModelSpec
    sha256: str


def load_model(config: EngineConfig) -> LoadedModel:
    """Read and check the model and the choice of runtime.

    Raises:
        ConfigError: The model was trained with another face alignment or is missing, or there is
            no such runtime.
        EngineError: The file or folder is not a usable model.
    """
    if not has_backend(config.backend):
        raise ConfigError(
            f"There is no engine {config.backend}; choose auto, {', '.join(backend_names())}."
        )
    path = config.model_path or asset_path(DEFAULT_MODEL)
    model = _read_model(path)
    if model.spec.alignment != TEMPLATE_ID:
        raise ConfigError(
            f"The model {path} was trained with the face alignment {model.spec.alignment}, this "
            f"version of LA-Net Live cuts faces by {TEMPLATE_ID}; train or export it again."
        )
    return model


def build_source_factory(
    source: SourceConfig, *, selection: FrameSelection | None = None
) -> SourceFactory:
    """Return what opens the source in the thread that reads it.

    Args:
        source: Which one.
        selection: Which part of it; None takes every frame.
    """

    def create() -> FrameSource:
        created = _create_source(source)
        return created if selection is None else SelectedSource(created, selection)

    return create


def build_pipeline_factory(
    config: LiveConfig,
    model: LoadedModel | None = None,
    *,
    on_compiling: ProgressCallback | None = None,
) -> PipelineFactory:
    """Return what opens tracker and engine in the thread that uses them.

    Args:
        config: Model, runtime, thresholds, faces.
        model: What `load_model` returned for this config, if it was called already.
        on_compiling: Called with the progress of compiling the engine, if that is needed.

    Raises:
        ConfigError: The model does not fit this version or the class shares, or is missing.
        EngineError: The model is not usable.
    """
    loaded = model or load_model(config.engine)
    resolve_prior(config.pipeline.prior, loaded.spec)
    model_path = loaded.path

    def create(facts: SourceFacts) -> Pipeline:
        # Imported here: they bring runtimes, which the command line's help must not wait for.
        import cv2

        from lanet_live.face.tracker import FaceTracker

        # The pictures it is given here are small; threads of its own would only get in the way.
        cv2.setNumThreads(1)
        options = OpenOptions(
            precision=config.engine.precision,
            device=config.engine.device,
            threads=config.engine.threads or _engine_threads(config),
            on_progress=on_compiling,
        )
        open_tracker = partial(
            FaceTracker,
            config.tracker,
            max_faces=config.max_faces,
            has_independent_frames=facts.has_independent_frames,
            with_blendshapes=config.export is not None and config.export.columns == "full",
        )
        open_engine = partial(open_with_options, model_path, options, backend=config.engine.backend)
        tracker, engine = _open_side_by_side(open_tracker, open_engine)
        return Pipeline(tracker, engine, config.pipeline)

    return create


def _open_side_by_side(
    open_tracker: Callable[[], Tracker], open_engine: Callable[[], Engine]
) -> tuple[Tracker, Engine]:
    """Open both at the same time: each compiles for most of a second."""
    with ThreadPoolExecutor(1, thread_name_prefix="lanet-open") as pool:
        opening = pool.submit(open_tracker)
        try:
            engine = open_engine()
        except BaseException:
            if opening.exception() is None:
                opening.result().close()
            raise
        try:
            return opening.result(), engine
        except BaseException:
            engine.close()
            raise


def _engine_threads(config: LiveConfig) -> int | None:
    """Return the threads left for the expression model; None leaves it to the runtime.

    MediaPipe's graph takes its threads without asking.
    """
    trackers_device = config.tracker.device or "CPU"
    if config.tracker.name != "openvino" or not trackers_device.startswith("CPU"):
        return None
    return share_threads(usable_processors())[1]


def _read_model(path: Path) -> LoadedModel:
    if is_artefact(path):
        artefact = read_artefact(path)
        return LoadedModel(path, artefact.spec, artefact.model_sha256)
    model = read_model_file(path)
    return LoadedModel(path, model.spec, model.sha256)


def _create_source(source: SourceConfig) -> FrameSource:
    """Construct a source; each module is imported only when it is used."""
    if source.kind == "camera":
        from lanet_live.capture.camera import CameraSource

        return CameraSource(0 if source.camera is None else source.camera, size_wh=source.size_wh)
    if source.kind == "synthetic":
        from lanet_live.capture.synthetic import SyntheticSource

        return SyntheticSource()
    if source.path is None:
        raise ValueError(f"a source of kind {source.kind!r} needs a path")
    if source.kind == "video":
        from lanet_live.capture.video_file import VideoFileSource

        return VideoFileSource(source.path)
    if source.kind == "images":
        from lanet_live.capture.image_folder import ImageFolderSource

        return ImageFolderSource(source.path)
    raise ValueError(f"unknown kind of source {source.kind!r}")
