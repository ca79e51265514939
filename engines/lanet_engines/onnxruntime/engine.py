"""Run a model with ONNX Runtime on the CPU, CoreML, DirectML or CUDA, as the build offers.

The engine takes the uint8 crops into the graph (`lanet_engines.onnx_model.folding`).
`open_reference` opens the file as it is behind `lanet_engines.preprocessing`: what every other
engine is compared with.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import onnxruntime

from lanet_engines.base import EngineInfo, F32Array, U8Array
from lanet_engines.batching import infer_in_chunks, warm_up
from lanet_engines.errors import BackendUnavailable, EngineError, ModelFileError
from lanet_engines.onnx_model.file import INPUT_NAME, OUTPUT_NAME, ModelFile, read_model_file
from lanet_engines.onnx_model.folding import FOLDED_INPUT_NAME, fold_preprocessing
from lanet_engines.options import OpenOptions
from lanet_engines.preprocessing import preprocess
from lanet_engines.spec import ModelSpec
from lanet_engines.storage.artefact import Artefact, require_files

BACKEND: Final = "onnxruntime"
MODEL_NAME: Final = "model.onnx"
_PROVIDERS: Final = {
    "CPU": "CPUExecutionProvider",
    "COREML": "CoreMLExecutionProvider",
    "DIRECTML": "DmlExecutionProvider",
    "CUDA": "CUDAExecutionProvider",
}
# ONNX Runtime raises its own classes, all of them straight below Exception.
_ERRORS: Final[tuple[type[Exception], ...]] = (
    RuntimeError,
    ValueError,
    *(
        error
        for error in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
        if isinstance(error, type) and issubclass(error, Exception)
    ),
)


class OnnxRuntimeEngine:
    """An open model on ONNX Runtime. Meets `lanet_engines.base.Engine`."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        spec: ModelSpec,
        info: EngineInfo,
        *,
        max_batch: int,
    ) -> None:
        """Take a session whose input is the uint8 crops, or the reference's float32 one."""
        self._is_folded = session.get_inputs()[0].name == FOLDED_INPUT_NAME
        self._session: onnxruntime.InferenceSession | None = session
        self._spec = spec
        self._info = info
        self._max_batch = max_batch

    @property
    def spec(self) -> ModelSpec:
        """The model's own description."""
        return self._spec

    @property
    def info(self) -> EngineInfo:
        """What runs it."""
        return self._info

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """The runtime's own object, for benchmarks."""
        if self._session is None:
            raise EngineError(f"The engine {self._spec.name} is closed.")
        return self._session

    def infer(self, crops_bgr: U8Array) -> F32Array:
        """Run the model on a batch of crops; see `lanet_engines.base.Engine.infer`."""
        if self._session is None:
            raise EngineError(f"The engine {self._spec.name} is closed.")
        return infer_in_chunks(self._run, crops_bgr, spec=self._spec, max_batch=self._max_batch)

    def close(self) -> None:
        """Free the runtime's resources. May be called twice."""
        self._session = None

    def _run(self, crops_bgr: U8Array) -> F32Array:
        assert self._session is not None
        if self._is_folded:
            feed: dict[str, Any] = {FOLDED_INPUT_NAME: crops_bgr}
        else:
            feed = {INPUT_NAME: preprocess(crops_bgr, self._spec)}
        try:
            outputs = self._session.run([OUTPUT_NAME], feed)
        except _ERRORS as error:
            raise EngineError(
                f"ONNX Runtime failed on {self._info.device} with the model "
                f"{self._spec.name}: {error}"
            ) from error
        logits: F32Array = outputs[0]
        return logits


def probe() -> tuple[str, tuple[str, ...]]:
    """Return the runtime's version and the devices its build offers."""
    return version(), tuple(_devices())


def open_model(model: ModelFile, options: OpenOptions) -> OnnxRuntimeEngine:
    """Open a session on a checked model and warm it up.

    Raises:
        ModelFileError: ONNX Runtime cannot read the model.
        BackendUnavailable: The build has no such device, or not in this precision.
        EngineError: The warm-up failed.
    """
    device = (options.device or "CPU").upper()
    if device not in _devices():
        raise BackendUnavailable(
            f"This build of ONNX Runtime has no device {device}; it has {', '.join(_devices())}."
        )
    if options.precision not in (None, "fp32"):
        raise BackendUnavailable(
            f"ONNX Runtime runs an ONNX file as it is, in fp32, not in {options.precision}."
        )
    source = fold_preprocessing(model.content, model.spec)
    return _open(model, source, device, options)


def open_artefact(folder: Path, artefact: Artefact, options: OpenOptions) -> OnnxRuntimeEngine:
    """Open a packed model (`lanet_engines.onnxruntime.build`), checked again like any ONNX file.

    Raises:
        ArtefactError: The file is missing.
        ModelFileError: ONNX Runtime cannot read the model.
        BackendUnavailable: The build has no such device.
        EngineError: The warm-up failed.
    """
    require_files(folder, artefact, [MODEL_NAME])
    options = replace(options, max_batch=min(options.max_batch, artefact.max_batch))
    return open_model(read_model_file(folder / MODEL_NAME), options)


def open_reference(model: ModelFile, *, threads: int | None = None) -> OnnxRuntimeEngine:
    """Open the model unchanged, on the CPU, behind `lanet_engines.preprocessing`.

    Raises:
        ModelFileError: ONNX Runtime cannot read the model.
        EngineError: The warm-up failed.
    """
    return _open(model, model.content, "CPU", OpenOptions(threads=threads))


def open_graph(model: ModelFile, content: bytes, precision: str) -> OnnxRuntimeEngine:
    """Open a graph made from the model, taking uint8 crops, on the CPU.

    Args:
        model: What it was made from.
        content: The ONNX bytes of the graph.
        precision: What is written into it.

    Raises:
        ModelFileError: ONNX Runtime cannot read the graph.
        EngineError: The warm-up failed.
    """
    return _open(model, content, "CPU", OpenOptions(), precision)


def _open(
    model: ModelFile, source: bytes, device: str, options: OpenOptions, precision: str = "fp32"
) -> OnnxRuntimeEngine:
    session = _open_session(model, source, device, options)
    info = EngineInfo(BACKEND, device, precision, version(), model.sha256)
    engine = OnnxRuntimeEngine(session, model.spec, info, max_batch=options.max_batch)
    warm_up(engine)
    return engine


def _open_session(
    model: ModelFile, source: bytes, device: str, options: OpenOptions
) -> onnxruntime.InferenceSession:
    settings: Any = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    # Spinning between calls more than doubles the CPU time (13.5 instead of 5.7 ms a ResNet-18 at
    # 125 calls a second), which the face tracker beside it needs.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if options.threads is not None:
        settings.intra_op_num_threads = options.threads
    if model.external_files:
        folder = str(model.path.parent.resolve())
        settings.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", folder
        )
    try:
        session = onnxruntime.InferenceSession(
            source,
            settings,
            providers=[_PROVIDERS[device]],
            enable_fallback=0,  # it would go on with other providers than the one asked for
        )
    except _ERRORS as error:
        raise ModelFileError(f"ONNX Runtime cannot read the model {model.path}: {error}") from error
    # A provider that is built in but does not load is left out with a mere log line.
    if session.get_providers()[0] != _PROVIDERS[device]:
        raise BackendUnavailable(
            f"ONNX Runtime could not start on {device}; see its message above, or use the CPU."
        )
    return session


def version() -> str:
    """Return ONNX Runtime's version."""
    return str(onnxruntime.__version__)


def _devices() -> list[str]:
    offered = onnxruntime.get_available_providers()
    return [device for device, provider in _PROVIDERS.items() if provider in offered]
