"""How to open an engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRECISIONS: Final = ("fp32", "fp16", "bf16", "int8")
MAX_BATCH: Final = 16
"""Largest batch a runtime is given at once; larger ones are cut into pieces of this size.

Scenes with more than eight faces and their mirror images are rare, and the runtimes gain nothing
from larger batches on the machines measured (docs/engines.md).
"""

ProgressCallback = Callable[[str, float], bool]
"""Called with what is being done and the share done, 0 to 1; maybe from a runtime's own thread.

Returns whether to go on. Where the runtime allows it, False ends the build with
`lanet_engines.errors.BuildInterrupted`.
"""


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """Choices for opening an engine; every backend takes the same ones.

    Attributes:
        precision: One of `PRECISIONS`; None for fp32, so that a file gives the same numbers on
            every machine.
        device: As the runtime names it ("CPU", "GPU.0", "cuda:1"); None for the backend's own.
        threads: CPU threads the runtime may use; None leaves it to the runtime.
        hint: "latency" for one batch as soon as possible, "throughput" to cut large batches over
            several parallel requests, where the backend can.
        max_batch: Largest batch given to the runtime at once.
        cache_folder: Where compiled artefacts are kept; None for the user's cache folder.
        on_progress: Called with the progress of a build on first use.
    """

    precision: str | None = None
    device: str | None = None
    threads: int | None = None
    hint: str = "latency"
    max_batch: int = MAX_BATCH
    cache_folder: Path | None = None
    on_progress: ProgressCallback | None = None

    def __post_init__(self) -> None:
        if self.precision is not None and self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {PRECISIONS}, got {self.precision!r}")
        if self.hint not in ("latency", "throughput"):
            raise ValueError(f"hint must be latency or throughput, got {self.hint!r}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be 1 or more, got {self.threads}")
        if not 1 <= self.max_batch <= 1024:
            raise ValueError(f"max_batch must lie in 1..1024, got {self.max_batch}")
