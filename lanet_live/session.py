"""Puts sources, models and pipelines together, for the window and the command line alike.

Everything is checked early and opened late: a bad model file is refused at once, while trackers and
engines come to life in the thread that uses them.
"""

from pathlib import Path

from engines.onnx_file import ModelFile, read_model_file
from engines.registry import open_engine
from lanet_live.capture.base import FrameSource, SourceFactory, SourceFacts
from lanet_live.capture.selected import FrameSelection, SelectedSource
from lanet_live.config import DEFAULT_MODEL, EngineConfig, LiveConfig, SourceConfig
from lanet_live.errors import ConfigError
from lanet_live.face.template import TEMPLATE_ID
from lanet_live.pipeline import Pipeline, PipelineFactory
from lanet_live.resources import asset_path


def find_model(config: EngineConfig) -> Path:
    """Return the path of the model to run.

    Raises:
        ConfigError: No model was named and the shipped one is missing.
    """
    return config.model_path or asset_path(DEFAULT_MODEL)


def load_model(config: EngineConfig) -> ModelFile:
    """Read and check the model file, without opening it on a runtime.

    Raises:
        ConfigError: The model was trained with another face alignment, or is missing.
        ModelFileError: The file is not a usable model.
    """
    path = find_model(config)
    model = read_model_file(path)
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


def build_pipeline_factory(config: LiveConfig, model: ModelFile | None = None) -> PipelineFactory:
    """Return what opens tracker and engine in the thread that uses them.

    Args:
        config: Model, runtime, thresholds, faces.
        model: What `load_model` returned for this config, if it was called already.

    Raises:
        ConfigError: The model does not fit this version or is missing.
        ModelFileError: The model file is not usable.
    """
    model_path = (model or load_model(config.engine)).path

    def create(facts: SourceFacts) -> Pipeline:
        # Imported here: it brings MediaPipe, which the command line's help must not wait for.
        from lanet_live.face.tracker import FaceTracker

        engine = open_engine(
            model_path,
            backend=config.engine.backend,
            precision=config.engine.precision,
            device=config.engine.device,
            threads=config.engine.threads,
        )
        try:
            tracker = FaceTracker(
                max_faces=config.max_faces, has_independent_frames=facts.has_independent_frames
            )
        except BaseException:
            engine.close()
            raise
        return Pipeline(tracker, engine, config.pipeline)

    return create


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
