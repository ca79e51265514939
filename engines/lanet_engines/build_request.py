"""What to build."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanet_engines.options import MAX_BATCH, PRECISIONS

TARGETS: Final = ("tensorrt", "openvino", "onnxruntime")


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build from a model.

    Attributes:
        target: One of `TARGETS`.
        precision: One of `lanet_engines.options.PRECISIONS`.
        capabilities: GPU compute capabilities such as "sm86"; empty for all the runtime knows.
        max_batch: Largest batch the engine takes.
        calibration: A .npy file of uint8 crops (N, S, S, 3), for int8.
    """

    target: str
    precision: str = "fp32"
    capabilities: tuple[str, ...] = ()
    max_batch: int = MAX_BATCH
    calibration: Path | None = None

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ValueError(f"target must be one of {TARGETS}, got {self.target!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {PRECISIONS}, got {self.precision!r}")
        if not 1 <= self.max_batch <= 1024:
            raise ValueError(f"max_batch must lie in 1..1024, got {self.max_batch}")
