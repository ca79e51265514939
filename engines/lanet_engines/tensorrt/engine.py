"""Run a model with TensorRT on an NVIDIA GPU.

Memory on both sides is made once; a call copies the crops into pinned memory, queues upload,
inference and download on one stream, and waits. The first use on a machine compiles the model and
keeps the result (`lanet_engines.storage.cache`).
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_engines.base import EngineInfo, F32Array, U8Array
from lanet_engines.batching import infer_in_chunks, warm_up
from lanet_engines.build_request import BuildRequest
from lanet_engines.errors import ArtefactError, BackendUnavailable, EngineError
from lanet_engines.onnx_model.file import OUTPUT_NAME, ModelFile, read_model_file
from lanet_engines.onnx_model.folding import FOLDED_INPUT_NAME
from lanet_engines.options import OpenOptions
from lanet_engines.spec import ModelSpec
from lanet_engines.storage.artefact import Artefact, read_artefact, require_files
from lanet_engines.storage.cache import EngineCache
from lanet_engines.tensorrt.build import BACKEND, MODEL_NAME, PLAN_NAME, PRECISIONS, build, make_key
from lanet_engines.tensorrt.cuda_device import (
    CudaStream,
    Gpu,
    PairedBuffer,
    describe_gpu,
    list_gpus,
    load_cuda,
    select_gpu,
)
from lanet_engines.tensorrt.kernel_cache import KernelCache
from lanet_engines.tensorrt.runtime import TensorRt, load_tensorrt

logger = logging.getLogger(__name__)

_DTYPES: Final = {"UINT8": np.uint8, "FLOAT": np.float32, "HALF": np.float16}
# Reasons for which the same model, built again, will run.
_REBUILD: Final = frozenset({"VERSION_MISMATCH", "UNSUPPORTED_CC", "MALFORMED_ENGINE"})


@dataclass(frozen=True, slots=True)
class Machine:
    """What an engine runs with: TensorRT, the CUDA runtime and a GPU."""

    tensorrt: TensorRt
    cuda: ModuleType
    gpu: Gpu


class PlanNotForThisMachine(EngineError):
    """A compiled plan was made for another GPU or version, or is damaged; build it again."""


class _Tensor:
    """An input or output of the plan: what the plan says of it, and its memory."""

    def __init__(
        self, machine: Machine, engine: Any, name: str, row_shape: tuple[int, ...]
    ) -> None:
        type_name = engine.get_tensor_dtype(name).name
        if type_name not in _DTYPES:
            raise EngineError(
                f"The plan's tensor {name} has the type {type_name}, not a known one."
            )
        shape = tuple(engine.get_tensor_shape(name))
        if shape[1:] != row_shape:
            raise PlanNotForThisMachine(
                f"The plan's tensor {name} has rows of shape {shape[1:]}, the model's {row_shape}."
            )
        self.name = name
        self.row_shape = row_shape
        self.dtype = np.dtype(_DTYPES[type_name])
        self.row_bytes = int(np.prod(row_shape)) * self.dtype.itemsize
        self._machine = machine
        self.buffer: PairedBuffer | None = None
        self.rows: NDArray[Any] = np.empty((0, *row_shape), dtype=self.dtype)

    def allocate(self, max_batch: int) -> None:
        """Make the memory for the largest batch."""
        self.buffer = PairedBuffer(self._machine.cuda, max_batch * self.row_bytes)
        self.rows = self.buffer.host_array(self.dtype, (max_batch, *self.row_shape))

    def close(self) -> None:
        """Free the memory."""
        buffer, self.buffer = self.buffer, None
        self.rows = self.rows[:0].copy()
        if buffer is not None:
            buffer.close()


class TensorRtEngine:
    """An open plan on one GPU. Meets `lanet_engines.base.Engine`."""

    def __init__(self, machine: Machine, artefact: Artefact, plan: bytes, folder: Path) -> None:
        """Load a checked plan; see `open_model` and `open_artefact`."""
        self._machine = machine
        self._artefact = artefact
        self._info = EngineInfo(
            BACKEND,
            f"cuda:{machine.gpu.index} ({machine.gpu.name})",
            artefact.precision,
            f"{machine.tensorrt.package} {machine.tensorrt.version}",
            artefact.model_sha256,
        )
        self._context: Any = None
        self._engine: Any = None
        self._runtime: Any = None
        self._tensors: list[_Tensor] = []
        self._n_rows = 0
        self._kernels = KernelCache(folder, machine.tensorrt, machine.gpu)
        self._stream: CudaStream | None = CudaStream(machine.cuda, machine.gpu.index)
        try:
            self._load(plan)
        except BaseException:
            self.close()
            raise

    @property
    def spec(self) -> ModelSpec:
        """The model's own description."""
        return self._artefact.spec

    @property
    def info(self) -> EngineInfo:
        """What runs it."""
        return self._info

    def infer(self, crops_bgr: U8Array) -> F32Array:
        """Run the model on a batch of crops; see `lanet_engines.base.Engine.infer`."""
        if self._stream is None:
            raise EngineError(f"The engine {self.spec.name} is closed.")
        max_batch = self._artefact.max_batch
        return infer_in_chunks(self._run, crops_bgr, spec=self.spec, max_batch=max_batch)

    def close(self) -> None:
        """Free the GPU. May be called twice."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        try:
            stream.wait()  # nothing queued may touch the memory that is freed now
            self._kernels.save()
        except EngineError as error:
            logger.warning("Closing %s: %s", self._info.device, error)
        self._context = None
        self._kernels.close()
        self._engine = None
        self._runtime = None
        for tensor in self._tensors:
            tensor.close()
        stream.close()

    def _load(self, plan: bytes) -> None:
        tensorrt = self._machine.tensorrt
        tensorrt.take_errors()
        self._runtime = tensorrt.module.Runtime(tensorrt.log)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise PlanNotForThisMachine(f"TensorRT cannot load the plan: {tensorrt.take_errors()}")
        side, n_labels = self.spec.input_size_px, len(self.spec.labels)
        names = {self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)}
        if names != {FOLDED_INPUT_NAME, OUTPUT_NAME}:
            raise PlanNotForThisMachine(f"The plan has the tensors {sorted(names)}.")
        self._tensors = [
            _Tensor(self._machine, self._engine, FOLDED_INPUT_NAME, (side, side, 3)),
            _Tensor(self._machine, self._engine, OUTPUT_NAME, (n_labels,)),
        ]
        _, _, largest = self._engine.get_tensor_profile_shape(FOLDED_INPUT_NAME, 0)
        if largest[0] < self._artefact.max_batch:
            raise PlanNotForThisMachine(f"The plan takes batches up to {largest[0]} only.")
        self._context = self._kernels.create_context(self._engine)
        if self._context is None:
            raise EngineError(
                f"TensorRT cannot start on {self._info.device}: {tensorrt.take_errors()}; close "
                "other programs that use the GPU, or choose the engine openvino."
            )
        for tensor in self._tensors:
            tensor.allocate(self._artefact.max_batch)
            assert tensor.buffer is not None
            if not self._context.set_tensor_address(tensor.name, tensor.buffer.device_address):
                raise EngineError(f"TensorRT refuses the memory of {tensor.name}.")

    def _run(self, crops_bgr: U8Array) -> F32Array:
        assert self._stream is not None
        crops, logits = self._tensors
        assert crops.buffer is not None
        assert logits.buffer is not None
        n_rows = len(crops_bgr)
        if n_rows != self._n_rows:
            self._check(
                self._context.set_input_shape(crops.name, crops_bgr.shape), "take the batch"
            )
            self._n_rows = n_rows
        crops.rows[:n_rows] = crops_bgr
        self._stream.upload(crops.buffer, n_rows * crops.row_bytes)
        self._check(self._context.execute_async_v3(self._stream.handle), "run")
        self._stream.download(logits.buffer, n_rows * logits.row_bytes)
        self._stream.wait()
        return logits.rows[:n_rows].astype(np.float32, copy=True)

    def _check(self, is_done: bool, what: str) -> None:
        if not is_done:
            raise EngineError(
                f"TensorRT could not {what} on {self._info.device}: "
                f"{self._machine.tensorrt.take_errors()}; choose the engine openvino to go on."
            )


def probe() -> tuple[str, tuple[str, ...]]:
    """Return the runtime's version and the GPUs.

    Raises:
        BackendUnavailable: There is no GPU, no driver, or no TensorRT for the GPU.
    """
    machine = find_machine(None)
    gpus = list_gpus(machine.cuda)
    version = f"{machine.tensorrt.package} {machine.tensorrt.version}"
    return version, tuple(f"cuda:{gpu.index} ({gpu.name}, {gpu.capability})" for gpu in gpus)


def find_machine(device: str | None) -> Machine:
    """Find the GPU and the TensorRT that serves it.

    Args:
        device: "cuda", "cuda:1" or None for the first GPU.

    Raises:
        BackendUnavailable: There is no such GPU, no driver, or no TensorRT for it.
    """
    name, _, number = (device or "cuda:0").lower().partition(":")
    if name != "cuda" or not (number or "0").isdecimal():
        raise BackendUnavailable(f"TensorRT runs on devices such as cuda:0, not on {device!r}.")
    cuda = load_cuda()
    gpu = describe_gpu(cuda, int(number or "0"))
    select_gpu(cuda, gpu.index)  # TensorRT works on the current GPU of the thread
    return Machine(load_tensorrt(gpu.capability), cuda, gpu)


def open_model(model: ModelFile, options: OpenOptions) -> TensorRtEngine:
    """Open the plan of a model, compiling it first where the cache has none.

    Raises:
        BackendUnavailable: There is no GPU, no driver, or no TensorRT for it.
        EngineBuildError: TensorRT cannot compile the model.
        EngineError: Loading or the warm-up failed.
    """
    machine = find_machine(options.device)
    precision = options.precision or "fp32"
    if precision not in PRECISIONS:
        raise BackendUnavailable(
            f"TensorRT runs this model in {' or '.join(PRECISIONS)}, not in {precision}."
        )
    folder = _build_for(machine, model, options, precision)
    return _open_folder(machine, folder)


def open_artefact(folder: Path, artefact: Artefact, options: OpenOptions) -> TensorRtEngine:
    """Open a built engine; one for another GPU or version is built again, with a notice.

    Raises:
        BackendUnavailable: There is no GPU, no driver, or no TensorRT for it.
        ArtefactError: It must be built again and has no ONNX file to build from.
        EngineError: Loading or the warm-up failed.
    """
    machine = find_machine(options.device)
    require_files(folder, artefact, [PLAN_NAME])
    try:
        return _open_folder(machine, folder)
    except PlanNotForThisMachine as error:
        if MODEL_NAME not in {stored.name for stored in artefact.files}:
            raise ArtefactError(
                f"The built engine {folder} does not run here ({error}) and has no ONNX file to "
                "build it again from; run lanet-train build on this machine."
            ) from error
        logger.warning(
            "The built engine %s does not run here: %s It is built again.", folder, error
        )
    model = read_model_file(folder / MODEL_NAME)
    return _open_folder(machine, _build_for(machine, model, options, artefact.precision))


def _build_for(machine: Machine, model: ModelFile, options: OpenOptions, precision: str) -> Path:
    request = BuildRequest(BACKEND, precision, (machine.gpu.capability,), options.max_batch)
    cache = EngineCache(options.cache_folder)

    def compile_model(folder: Path) -> None:
        logger.info(
            "Compiling %s for the %s; this is done once.", model.spec.name, machine.gpu.name
        )
        build(model, request, folder, options.on_progress)

    return cache.get_or_build(make_key(model, request), compile_model).folder


def _open_folder(machine: Machine, folder: Path) -> TensorRtEngine:
    artefact = read_artefact(folder)
    _check_for_machine(machine, artefact)
    plan = (folder / PLAN_NAME).read_bytes()
    _check_validity(machine, plan)
    engine = TensorRtEngine(machine, artefact, plan, folder)
    try:
        warm_up(engine)
    except BaseException:
        engine.close()
        raise
    return engine


def _check_for_machine(machine: Machine, artefact: Artefact) -> None:
    built_with = (artefact.runtime, artefact.runtime_version)
    if built_with != (machine.tensorrt.package, machine.tensorrt.version):
        raise PlanNotForThisMachine(
            f"It was built with {' '.join(built_with)}; "
            f"{machine.tensorrt.package} {machine.tensorrt.version} is installed."
        )
    if machine.gpu.capability not in artefact.capabilities:
        raise PlanNotForThisMachine(
            f"It was built for {', '.join(artefact.capabilities)}; "
            f"the {machine.gpu.name} is {machine.gpu.capability}."
        )


def _check_validity(machine: Machine, plan: bytes) -> None:
    """Ask TensorRT for RTX, from the plan's header, whether it can load it."""
    trt = machine.tensorrt.module
    runtime = trt.Runtime(machine.tensorrt.log)
    if not hasattr(runtime, "get_engine_validity"):
        return
    if len(plan) < runtime.engine_header_size:
        raise PlanNotForThisMachine("The plan is cut off.")
    validity, diagnostics = runtime.get_engine_validity(plan)
    if validity != trt.EngineValidity.INVALID:
        return
    flags = trt.EngineInvalidityDiagnostics
    names = [n for n in dir(flags) if n.isupper() and int(diagnostics) & int(getattr(flags, n))]
    sentence = f"TensorRT finds it invalid: {', '.join(names) or machine.tensorrt.take_errors()}."
    if _REBUILD.intersection(names):
        raise PlanNotForThisMachine(sentence)
    raise EngineError(f"{sentence} Update the NVIDIA driver, or choose the engine openvino.")
