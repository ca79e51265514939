"""A GPU's memory and stream through NVIDIA's own CUDA bindings, with errors a user can act on.

The pieces of the CUDA runtime that running an engine takes; no torch.
"""

import ctypes
import importlib
import logging
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lanet_engines.errors import BackendUnavailable, EngineError

logger = logging.getLogger(__name__)

_PACKAGE: Final = "cuda.bindings.runtime"
# Errors that mean that there is nothing to run on, rather than that running failed.
_ABSENT: Final = {
    "cudaErrorInsufficientDriver": "There is no NVIDIA driver here, or it is too old; "
    "install or update it",
    "cudaErrorNoDevice": "No NVIDIA GPU is visible; check CUDA_VISIBLE_DEVICES and the driver",
    "cudaErrorInvalidDevice": "There is no GPU of that number; leave the device out",
    "cudaErrorSystemDriverMismatch": "The NVIDIA driver was updated; restart the computer",
    "cudaErrorDevicesUnavailable": "Another program holds the GPU for itself; close it",
}
# What to do about the other errors a user meets. The rest ask for a restart.
_ADVICE: Final = {
    "cudaErrorMemoryAllocation": "the GPU's memory is full; close other programs that use it, "
    "or choose the engine openvino",
    "cudaErrorECCUncorrectable": "the GPU's memory has a fault; restart the computer",
}
_OTHER_ADVICE: Final = "restart the program, or choose the engine openvino"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: number, name, compute capability as "sm86", and memory."""

    index: int
    name: str
    capability: str
    memory_bytes: int


def load_cuda() -> ModuleType:
    """Import the CUDA bindings.

    Raises:
        BackendUnavailable: They are not installed or do not load.
    """
    try:
        return importlib.import_module(_PACKAGE)
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendUnavailable(
            f"NVIDIA's CUDA bindings do not load ({error}); "
            "install them with: pip install 'lanet-live[tensorrt]'"
        ) from error


def call_cuda(runtime: ModuleType, function: str, *arguments: Any) -> Any:
    """Call one function of the CUDA runtime.

    Returns:
        What it returns beside the error code: nothing, one value or a tuple.

    Raises:
        BackendUnavailable: There is no driver or no GPU.
        EngineError: The call failed.
    """
    error, *results = getattr(runtime, function)(*arguments)
    if error != runtime.cudaError_t.cudaSuccess:
        raise cuda_error(runtime, function, error)
    if not results:
        return None
    return results[0] if len(results) == 1 else tuple(results)


def cuda_error(runtime: ModuleType, function: str, error: Any) -> EngineError:
    """Turn a CUDA error code into a sentence with what to do."""
    name = getattr(error, "name", str(error))
    if name in _ABSENT:
        return BackendUnavailable(f"{_ABSENT[name]} ({name}).")
    _, text = runtime.cudaGetErrorString(error)
    sentence = text.decode() if isinstance(text, bytes) else str(text)
    return EngineError(
        f"CUDA failed in {function}: {sentence} ({name}); {_ADVICE.get(name, _OTHER_ADVICE)}."
    )


def list_gpus(runtime: ModuleType) -> tuple[Gpu, ...]:
    """Describe the GPUs.

    Raises:
        BackendUnavailable: There is no driver or no GPU.
    """
    return tuple(describe_gpu(runtime, i) for i in range(call_cuda(runtime, "cudaGetDeviceCount")))


def describe_gpu(runtime: ModuleType, index: int) -> Gpu:
    """Describe one GPU.

    Raises:
        BackendUnavailable: There is no GPU of that number.
    """
    facts = call_cuda(runtime, "cudaGetDeviceProperties", index)
    name = facts.name.decode() if isinstance(facts.name, bytes) else str(facts.name)
    return Gpu(index, name.rstrip("\0"), f"sm{facts.major}{facts.minor}", facts.totalGlobalMem)


def select_gpu(runtime: ModuleType, index: int) -> None:
    """Make a GPU the current one of this thread.

    Raises:
        BackendUnavailable: There is no GPU of that number.
    """
    call_cuda(runtime, "cudaSetDevice", index)


class CudaStream:
    """One stream on one GPU. Everything this thread does on the GPU goes through it."""

    def __init__(self, runtime: ModuleType, device_index: int) -> None:
        self._runtime = runtime
        select_gpu(runtime, device_index)
        self._stream: Any = call_cuda(
            runtime, "cudaStreamCreateWithFlags", runtime.cudaStreamNonBlocking
        )

    @property
    def handle(self) -> int:
        """As TensorRT takes it."""
        return int(self._stream)

    def upload(self, buffer: "PairedBuffer", n_bytes: int) -> None:
        """Queue a copy of the buffer's first bytes to the GPU."""
        self._copy(buffer.device_address, buffer.host_address, n_bytes, "cudaMemcpyHostToDevice")

    def download(self, buffer: "PairedBuffer", n_bytes: int) -> None:
        """Queue a copy of the buffer's first bytes from the GPU."""
        self._copy(buffer.host_address, buffer.device_address, n_bytes, "cudaMemcpyDeviceToHost")

    def wait(self) -> None:
        """Wait until everything queued is done.

        Raises:
            EngineError: Something queued failed.
        """
        call_cuda(self._runtime, "cudaStreamSynchronize", self._stream)

    def close(self) -> None:
        """Destroy the stream. May be called twice."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            _release(self._runtime, "cudaStreamDestroy", stream)

    def _copy(self, target: int, source: int, n_bytes: int, kind: str) -> None:
        direction = getattr(self._runtime.cudaMemcpyKind, kind)
        call_cuda(
            self._runtime, "cudaMemcpyAsync", target, source, n_bytes, direction, self._stream
        )


class PairedBuffer:
    """Memory of one size on the GPU and, pinned, on the host; made once and used for every call."""

    def __init__(self, runtime: ModuleType, n_bytes: int) -> None:
        self._runtime = runtime
        self.n_bytes = n_bytes
        self.device_address = 0
        self.host_address = 0
        try:
            self.device_address = int(call_cuda(runtime, "cudaMalloc", n_bytes))
            self.host_address = int(call_cuda(runtime, "cudaMallocHost", n_bytes))
        except EngineError:
            self.close()
            raise

    def host_array(self, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
        """View the pinned memory as an array; it must not outlive the buffer."""
        n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if n_bytes > self.n_bytes:
            raise ValueError(f"{shape} of {np.dtype(dtype)} does not fit {self.n_bytes} bytes")
        memory = (ctypes.c_uint8 * n_bytes).from_address(self.host_address)
        return np.ctypeslib.as_array(memory).view(np.dtype(dtype)).reshape(shape)

    def close(self) -> None:
        """Free both. May be called twice."""
        device_address, self.device_address = self.device_address, 0
        host_address, self.host_address = self.host_address, 0
        if device_address:
            _release(self._runtime, "cudaFree", device_address)
        if host_address:
            _release(self._runtime, "cudaFreeHost", host_address)


def _release(runtime: ModuleType, function: str, resource: Any) -> None:
    """Give a resource back; a failure is logged, since closing goes on and nothing can be done."""
    try:
        call_cuda(runtime, function, resource)
    except EngineError as error:
        logger.warning("%s", error)
