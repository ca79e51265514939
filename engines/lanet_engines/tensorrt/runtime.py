"""The TensorRT package of this machine: TensorRT for RTX, or the classic one.

Their Python interfaces are nearly the same; what differs is asked for here and nowhere else.
"""

import functools
import importlib
import logging
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from lanet_engines.errors import BackendUnavailable

logger = logging.getLogger(__name__)

# TensorRT for RTX first: it builds in a second, without a GPU, and one file serves many GPUs.
PACKAGES: Final = ("tensorrt_rtx", "tensorrt")
_INSTALL: Final = "install it with: pip install 'lanet-live[tensorrt]'"


@dataclass(frozen=True, slots=True)
class TensorRt:
    """An imported TensorRT.

    Attributes:
        module: The package.
        package: Its import name, "tensorrt_rtx" or "tensorrt".
        version: Its version.
        log: The `ILogger` every object of it is made with; remembers errors.
    """

    module: ModuleType
    package: str
    version: str
    log: Any

    @property
    def builds_ahead(self) -> bool:
        """Whether it builds for other GPUs than the one in the machine, even without any."""
        return hasattr(self.module, "ComputeCapability")

    @property
    def known_capabilities(self) -> tuple[str, ...]:
        """Compute capabilities it can build for ahead of time, oldest first, e.g. "sm75"."""
        if not self.builds_ahead:
            return ()
        names = [name for name in dir(self.module.ComputeCapability) if name.startswith("SM")]
        return tuple(sorted((name.lower() for name in names), key=lambda name: int(name[2:])))

    def take_errors(self) -> str:
        """Return what the package complained of since the last call, in one line."""
        errors = list(self.log.errors)
        self.log.errors.clear()
        return " ".join(errors) or "no reason given"


def load_tensorrt(capability: str | None = None) -> TensorRt:
    """Import the TensorRT package that serves a GPU.

    Args:
        capability: Of the GPU, e.g. "sm86"; None for any.

    Raises:
        BackendUnavailable: Neither package is installed and loads, or none serves the GPU.
    """
    reasons = []
    for package in PACKAGES:
        try:
            found = _load(package)
        except BackendUnavailable as error:
            reasons.append(str(error))
            continue
        if capability is None or not found.builds_ahead or capability in found.known_capabilities:
            return found
        reasons.append(
            f"{package} {found.version} does not serve GPUs of compute capability {capability}."
        )
    raise BackendUnavailable(" ".join(reasons))


@functools.cache
def _load(package: str) -> TensorRt:
    try:
        module = importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise BackendUnavailable(f"{package} is not installed; {_INSTALL}.") from error
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendUnavailable(
            f"{package} is installed but does not load: {error}; {_INSTALL}."
        ) from error
    return TensorRt(module, package, str(module.__version__), _make_log(module))


def _make_log(module: ModuleType) -> Any:
    severity = module.ILogger.Severity
    levels = {
        severity.INTERNAL_ERROR: logging.ERROR,
        severity.ERROR: logging.ERROR,
        severity.WARNING: logging.WARNING,
        severity.INFO: logging.DEBUG,  # TensorRT is verbose at this level
        severity.VERBOSE: logging.NOTSET,
    }

    class LogBridge(module.ILogger):  # type: ignore[misc, name-defined]
        """Passes TensorRT's messages to `logging`; may be called from its own threads."""

        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            level = levels.get(severity, logging.ERROR)
            if level >= logging.ERROR:
                # Errors become exceptions where they happen; they are not reported twice.
                self.errors = [*self.errors[-4:], message]
                level = logging.DEBUG
            logger.log(level, "%s: %s", module.__name__, message)

    return LogBridge()
