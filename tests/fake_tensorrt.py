"""A GPU, the CUDA runtime and TensorRT for RTX, in plain memory.

Copies and inference are queued on a stream and done only when it is waited for, as on a GPU; the
plan is the ONNX file itself, run by ONNX Runtime. Only what `lanet_engines` uses is there,
under the real names (`tests/unit/engines/test_tensorrt_names.py` compares them with the real
packages).
"""

import ctypes
import enum
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

PLAN_MAGIC = b"fakeplan"


class CudaErrorCode(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidDevice = 101
    cudaErrorIllegalAddress = 700


class CopyKind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class FakeCuda:
    """The functions of `cuda.bindings.runtime`; each returns an error code and its results."""

    cudaError_t = CudaErrorCode
    cudaMemcpyKind = CopyKind
    cudaStreamNonBlocking = 1

    def __init__(self, *, capability: tuple[int, int] = (8, 6), n_devices: int = 1) -> None:
        self.capability = capability
        self.n_devices = n_devices
        self.current_device = 0
        self.memory: dict[int, Any] = {}
        self.streams: dict[int, list[Callable[[], None]]] = {}
        self.fail: dict[str, CudaErrorCode] = {}
        self.n_allocations = 0

    def _result(self, function: str, *results: Any) -> tuple[Any, ...]:
        error = self.fail.get(function, CudaErrorCode.cudaSuccess)
        if error:
            return (error, *(None for _ in results))
        return (error, *results)

    def cudaGetErrorString(self, error: CudaErrorCode) -> tuple[Any, ...]:
        return CudaErrorCode.cudaSuccess, f"fake {error.name}".encode()

    def cudaGetDeviceCount(self) -> tuple[Any, ...]:
        return self._result("cudaGetDeviceCount", self.n_devices)

    def cudaGetDevice(self) -> tuple[Any, ...]:
        return self._result("cudaGetDevice", self.current_device)

    def cudaGetDeviceProperties(self, index: int) -> tuple[Any, ...]:
        if index >= self.n_devices:
            return CudaErrorCode.cudaErrorInvalidDevice, None
        major, minor = self.capability
        facts = SimpleNamespace(name=b"Fake GPU", major=major, minor=minor, totalGlobalMem=1 << 30)
        return self._result("cudaGetDeviceProperties", facts)

    def cudaSetDevice(self, index: int) -> tuple[Any, ...]:
        self.current_device = index
        return self._result("cudaSetDevice")

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, ...]:
        handle = 1000 + len(self.streams)
        self.streams[handle] = []
        return self._result("cudaStreamCreateWithFlags", handle)

    def cudaStreamSynchronize(self, stream: int) -> tuple[Any, ...]:
        for work in self.streams[stream]:
            work()
        self.streams[stream].clear()
        return self._result("cudaStreamSynchronize")

    def cudaStreamDestroy(self, stream: int) -> tuple[Any, ...]:
        del self.streams[stream]
        return self._result("cudaStreamDestroy")

    def cudaMalloc(self, n_bytes: int) -> tuple[Any, ...]:
        return self._allocate("cudaMalloc", n_bytes)

    def cudaMallocHost(self, n_bytes: int) -> tuple[Any, ...]:
        return self._allocate("cudaMallocHost", n_bytes)

    def cudaFree(self, address: int) -> tuple[Any, ...]:
        del self.memory[address]
        return self._result("cudaFree")

    def cudaFreeHost(self, address: int) -> tuple[Any, ...]:
        del self.memory[address]
        return self._result("cudaFreeHost")

    def cudaMemcpyAsync(
        self, target: int, source: int, n_bytes: int, kind: CopyKind, stream: int
    ) -> tuple[Any, ...]:
        assert n_bytes <= len(self.memory[target])
        assert n_bytes <= len(self.memory[source])
        self.streams[stream].append(lambda: ctypes.memmove(target, source, n_bytes) and None)
        return self._result("cudaMemcpyAsync")

    def _allocate(self, function: str, n_bytes: int) -> tuple[Any, ...]:
        if function in self.fail:
            return self.fail[function], None
        self.n_allocations += 1
        block = (ctypes.c_uint8 * n_bytes)()
        self.memory[ctypes.addressof(block)] = block
        return CudaErrorCode.cudaSuccess, ctypes.addressof(block)


class Severity(enum.IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


class Logger:
    Severity = Severity

    def log(self, severity: Severity, message: str) -> None: ...


class ProgressMonitor:
    pass


class FakeTensorRt:
    """The module `tensorrt_rtx`."""

    __name__ = "tensorrt_rtx"
    ILogger = Logger
    IProgressMonitor = ProgressMonitor
    NetworkDefinitionCreationFlag = enum.IntEnum(
        "NetworkDefinitionCreationFlag", ["STRONGLY_TYPED"]
    )
    BuilderFlag = enum.IntEnum("BuilderFlag", ["TF32"])
    ComputeCapability = enum.IntEnum(
        "ComputeCapability", ["NONE", "CURRENT", "SM75", "SM86", "SM120"]
    )
    CudaGraphStrategy = enum.IntEnum("CudaGraphStrategy", ["DISABLED", "WHOLE_GRAPH_CAPTURE"])
    EngineValidity = enum.IntEnum("EngineValidity", ["VALID", "SUBOPTIMAL", "INVALID"])
    EngineInvalidityDiagnostics = enum.IntFlag(
        "EngineInvalidityDiagnostics",
        {"VERSION_MISMATCH": 1, "UNSUPPORTED_CC": 2, "OLD_CUDA_DRIVER": 4, "MALFORMED_ENGINE": 32},
    )
    DataType = enum.IntEnum("DataType", ["UINT8", "FLOAT", "HALF"])

    def __init__(self, cuda: FakeCuda, version: str = "1.7.1") -> None:
        self.__version__ = version
        self.cuda = cuda
        self.refusal: str | None = None
        self.validity = (self.EngineValidity.VALID, 0)
        self.n_builds = 0
        self.n_loaded_caches = 0
        self.launch_works = True

    def Builder(self, log: Any) -> "FakeBuilder":
        return FakeBuilder(self, log)

    def OnnxParser(self, network: SimpleNamespace, log: Any) -> SimpleNamespace:
        def parse(content: bytes, path: str | None) -> bool:
            network.content = content
            return True

        return SimpleNamespace(parse=parse, num_errors=0)

    def Runtime(self, log: Any) -> SimpleNamespace:
        def load(plan: bytes) -> FakeEngine | None:
            if not plan.startswith(PLAN_MAGIC):
                log.log(Severity.ERROR, "not a plan")
                return None
            return FakeEngine(self, plan)

        return SimpleNamespace(
            deserialize_cuda_engine=load,
            engine_header_size=64,
            get_engine_validity=lambda plan: self.validity,
        )


class FakeBuilder:
    """Writes the ONNX file behind a header as the plan."""

    def __init__(self, trt: FakeTensorRt, log: Any) -> None:
        self._trt = trt
        self._log = log

    def create_network(self, flags: int) -> SimpleNamespace:
        return SimpleNamespace(content=b"")

    def create_optimization_profile(self) -> SimpleNamespace:
        profile = SimpleNamespace(shapes={})
        profile.set_shape = lambda name, *shapes: profile.shapes.update({name: shapes})
        return profile

    def create_builder_config(self) -> SimpleNamespace:
        config = SimpleNamespace(profiles=[], capabilities={}, flags=set(), progress_monitor=None)
        config.clear_flag = config.flags.add
        config.add_optimization_profile = config.profiles.append
        config.set_compute_capability = lambda cc, i: config.capabilities.update({i: cc}) or True
        return config

    def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
        self._trt.n_builds += 1
        if config.progress_monitor is not None:
            config.progress_monitor.phase_start("Building", None, 2)
            config.progress_monitor.phase_start("Inner", "Building", 7)
            for step in range(2):
                if not config.progress_monitor.step_complete("Building", step):
                    return None
            config.progress_monitor.phase_finish("Building")
        if self._trt.refusal is not None:
            self._log.log(Severity.ERROR, self._trt.refusal)
            return None
        ((_, _, largest),) = config.profiles[0].shapes.values()
        return PLAN_MAGIC + largest[0].to_bytes(4, "little") + network.content


class FakeEngine:
    """A loaded plan."""

    num_io_tensors = 2

    def __init__(self, trt: FakeTensorRt, plan: bytes) -> None:
        self.trt = trt
        start = len(PLAN_MAGIC)
        self.max_batch = int.from_bytes(plan[start : start + 4], "little")
        self.session = onnxruntime.InferenceSession(plan[start + 4 :])
        (self.input,), (self.output,) = self.session.get_inputs(), self.session.get_outputs()

    def get_tensor_name(self, index: int) -> str:
        return str([self.input.name, self.output.name][index])

    def get_tensor_dtype(self, name: str) -> Any:
        types = self.trt.DataType
        return types.UINT8 if name == self.input.name else types.FLOAT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        tensor = self.input if name == self.input.name else self.output
        return (-1, *tensor.shape[1:])

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        rest = self.get_tensor_shape(name)[1:]
        return [(n, *rest) for n in (1, 2, self.max_batch)]

    def create_runtime_config(self) -> SimpleNamespace:
        def load(content: bytes) -> bool:
            self.trt.n_loaded_caches += content == b"kernels"
            return content == b"kernels"

        cache = SimpleNamespace(serialize=lambda: b"kernels", deserialize=load)
        config = SimpleNamespace(cuda_graph_strategy=None, create_runtime_cache=lambda: cache)
        config.set_runtime_cache = lambda cache: True
        return config

    def create_execution_context(self, config: Any = None) -> "FakeContext":
        return FakeContext(self)


class FakeContext:
    """Runs the model on what lies at its addresses when the stream gets there."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}
        self._shape: tuple[int, ...] = ()

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert address in self._engine.trt.cuda.memory
        self._addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shape = tuple(shape)
        return shape[0] <= self._engine.max_batch

    def execute_async_v3(self, stream: int) -> bool:
        if not self._engine.trt.launch_works:
            return False
        shape = self._shape
        self._engine.trt.cuda.streams[stream].append(lambda: self._run(shape))
        return True

    def _run(self, shape: tuple[int, ...]) -> None:
        memory = self._engine.trt.cuda.memory
        engine = self._engine
        n_bytes = int(np.prod(shape))
        crops = bytes(memory[self._addresses[engine.input.name]])[:n_bytes]
        feed = {engine.input.name: np.frombuffer(crops, dtype=np.uint8).reshape(shape)}
        logits = engine.session.run(None, feed)[0].tobytes()
        target = self._addresses[engine.output.name]
        assert len(logits) <= len(memory[target])
        ctypes.memmove(target, logits, len(logits))
