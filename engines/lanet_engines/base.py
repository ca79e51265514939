"""The engine protocol: one exported model, loaded and ready, on one runtime."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lanet_engines.spec import ModelSpec

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What runs the model, for the status bar and the metadata.

    Attributes:
        backend: Name in the registry, e.g. "openvino".
        device: As the runtime names it, e.g. "CPU (Intel Xeon)".
        precision: "fp32", "fp16", "bf16" or "int8".
        runtime_version: Version of the runtime.
        model_sha256: Of the ONNX file the engine was made from, hex.
    """

    backend: str
    device: str
    precision: str
    runtime_version: str
    model_sha256: str


class Engine(Protocol):
    """One model on one runtime. Opened, used and closed in one thread.

    Opening runs one warm-up and raises when it fails; there is no silent fallback.
    """

    @property
    def spec(self) -> ModelSpec:
        """The model's own description."""
        ...

    @property
    def info(self) -> EngineInfo:
        """What runs it."""
        ...

    def infer(self, crops_bgr: U8Array) -> F32Array:
        """Run the model on a batch of crops.

        Each engine applies `lanet_engines.preprocessing`, or the same arithmetic folded into its
        graph.

        Args:
            crops_bgr: (N, S, S, 3) uint8, N >= 1, S = `spec.input_size_px`.

        Returns:
            Logits, (N, C) float32, owned by the caller.

        Raises:
            EngineInputError: The batch has another shape or dtype; the message names both.
            EngineError: The runtime failed.
        """
        ...

    def close(self) -> None:
        """Free the runtime's resources. May be called twice."""
        ...


EngineFactory = Callable[[], Engine]
"""Built in the thread that configures, called in the thread that will use the engine."""
