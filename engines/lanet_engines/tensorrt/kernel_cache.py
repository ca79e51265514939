"""GPU kernels that TensorRT for RTX compiled on this machine, kept between starts.

A plan of TensorRT for RTX becomes GPU code when it is first run; its runtime cache saves that work
for the next start. The classic TensorRT compiles everything at build time and needs none.
"""

import hashlib
import logging
import secrets
from pathlib import Path
from typing import Any, Final

from lanet_engines.storage.private_folder import check_private_folder
from lanet_engines.tensorrt.cuda_device import Gpu
from lanet_engines.tensorrt.runtime import TensorRt

logger = logging.getLogger(__name__)

_MAX_BYTES: Final = 512 * 1024**2


class KernelCache:
    """The compiled kernels of one plan on one kind of GPU, in a file beside the plan."""

    def __init__(self, folder: Path, tensorrt: TensorRt, gpu: Gpu) -> None:
        identity = f"{tensorrt.package} {tensorrt.version} {gpu.name} {gpu.capability}"
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        self._path = folder / f"kernels-{digest}.bin"
        self._tensorrt = tensorrt
        self._config: Any = None
        self._cache: Any = None
        self._n_saved_bytes = 0

    def create_context(self, engine: Any) -> Any:
        """Create an execution context that uses and fills this cache.

        Returns:
            The context, or None if TensorRT cannot make one.
        """
        if not self._tensorrt.builds_ahead:
            return engine.create_execution_context()
        trt = self._tensorrt.module
        config = self._config = engine.create_runtime_config()
        # TensorRT records the launches of a batch size once and replays them as one CUDA graph.
        config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        self._cache = config.create_runtime_cache()
        self._load()
        config.set_runtime_cache(self._cache)
        return engine.create_execution_context(config)

    def save(self) -> None:
        """Write the cache to its file if kernels were added. Failing to is worth a warning only."""
        if self._cache is None:
            return
        content = bytes(self._cache.serialize())
        if len(content) in (0, self._n_saved_bytes) or len(content) > _MAX_BYTES:
            return
        temporary = self._path.with_suffix(f".{secrets.token_hex(4)}.tmp")
        try:
            temporary.write_bytes(content)
            temporary.replace(self._path)
        except OSError as error:
            logger.warning("The compiled GPU kernels cannot be kept: %s", error)
            temporary.unlink(missing_ok=True)
        else:
            self._n_saved_bytes = len(content)

    def close(self) -> None:
        """Let go of the runtime's objects, which must outlive the execution context."""
        self._config = None
        self._cache = None

    def _load(self) -> None:
        if not self._path.is_file() or self._path.stat().st_size > _MAX_BYTES:
            return
        check_private_folder(self._path.parent)
        content = self._path.read_bytes()
        if self._cache.deserialize(content):
            self._n_saved_bytes = len(content)
        else:
            logger.warning("The kept GPU kernels %s are not usable; compiling again.", self._path)
