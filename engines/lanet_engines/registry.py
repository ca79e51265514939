"""Which runtimes there are, which of them work here, and opening a model on one."""

import importlib
import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from lanet_engines.base import Engine
from lanet_engines.errors import (
    ArtefactError,
    BackendUnavailable,
    BuildInterrupted,
    EngineError,
    ModelFileError,
)
from lanet_engines.network import Network, NetworkFile
from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_engines.options import OpenOptions
from lanet_engines.plugin_engine import ENGINE_GROUP, open_plugin, probe_plugin
from lanet_engines.plugins import Plugin, find_plugin, find_plugins
from lanet_engines.storage.artefact import is_artefact, read_artefact

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Backend:
    module: str
    packages: tuple[str, ...]  # one of these must be installed
    install: str


# In the order "auto" tries them.
_BACKENDS: Final = {
    "tensorrt": _Backend(
        "lanet_engines.tensorrt.engine", ("tensorrt_rtx", "tensorrt"), "'lanet-live[tensorrt]'"
    ),
    "openvino": _Backend("lanet_engines.openvino.engine", ("openvino",), "openvino"),
    "onnxruntime": _Backend(
        "lanet_engines.onnxruntime.engine", ("onnxruntime",), "'lanet-live[onnxruntime]'"
    ),
}
BACKENDS: Final = tuple(_BACKENDS)
# No other package can take the place of one of these.
_RESERVED: Final = frozenset({"auto", *BACKENDS})


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """Whether a runtime can be used on this machine.

    Attributes:
        name: Name in the registry.
        is_available: It is installed and has a device.
        reason: Why not; empty when available.
        runtime_version: Empty when not installed.
        devices: As the runtime names them.
    """

    name: str
    is_available: bool
    reason: str
    runtime_version: str
    devices: tuple[str, ...]


def backend_names() -> tuple[str, ...]:
    """Return what `backend` may be beside "auto": the project's own, then other packages'."""
    added = (plugin.name for plugin in find_plugins(ENGINE_GROUP) if plugin.name not in _RESERVED)
    return (*BACKENDS, *dict.fromkeys(added))


def has_backend(name: str) -> bool:
    """Whether `backend` may have this value.

    Raises:
        PluginError: Several packages add an engine of this name.
    """
    return name in _RESERVED or find_plugin(ENGINE_GROUP, name) is not None


def probe_backends() -> tuple[BackendStatus, ...]:
    """Look at every runtime: in the order "auto" tries them, then those other packages add."""
    own = tuple(_probe(name) for name in _BACKENDS)
    return (*own, *(_probe_plugin(plugin) for plugin in find_plugins(ENGINE_GROUP)))


def open_engine(
    model_path: Path,
    *,
    backend: str = "auto",
    precision: str | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> Engine:
    """Check a model, open it on a runtime and warm it up; see `open_with_options`.

    Args:
        model_path: An ONNX file made by lanet-train export, or a folder made by lanet-train build.
        backend: One of `backend_names()`, or "auto" for the first of `BACKENDS` that works.
        precision: "fp32", "fp16", "bf16" or "int8"; None for fp32, or as it was built.
        device: As the runtime names it; None for the runtime's usual one.
        threads: CPU threads the runtime may use; None leaves it to the runtime.

    Returns:
        The engine, ready; to be used and closed in the calling thread.
    """
    options = OpenOptions(precision=precision, device=device, threads=threads)
    return open_with_options(model_path, options, backend=backend)


def open_with_options(model_path: Path, options: OpenOptions, *, backend: str = "auto") -> Engine:
    """Check a model, open it on a runtime and warm it up.

    With "auto", the log names each runtime that was skipped and why; a runtime named by the user
    is never replaced by another one.

    Args:
        model_path: An ONNX file made by lanet-train export, or a folder made by lanet-train build.
        options: Precision, device, threads and the like.
        backend: One of `backend_names()`, or "auto" for the first of `BACKENDS` that works.

    Returns:
        The engine, ready; to be used and closed in the calling thread.

    Raises:
        ModelFileError: The model file cannot be used.
        ArtefactError: The built engine is damaged, or not what is asked for.
        BackendUnavailable: The runtime is not installed or has no device for this.
        BuildInterrupted: `options.on_progress` asked for it.
        PluginError: The package that adds the engine is broken.
        EngineError: Opening or the warm-up failed.
        ValueError: There is no backend of that name.
    """
    if not has_backend(backend):
        raise ValueError(f"backend must be auto or one of {backend_names()}, got {backend!r}")
    model_path = Path(model_path)
    if is_artefact(model_path):
        return _open_artefact(model_path, options, backend)
    model = read_model_file(model_path)
    if backend == "auto":
        return _open_first(model, options)
    return _open(backend, model, options)


def open_network(file: NetworkFile, options: OpenOptions) -> Network:
    """Open a network on the runtime that reads its format, OpenVINO.

    Args:
        file: The network.
        options: Precision, device and threads.

    Returns:
        The network, ready.

    Raises:
        ModelFileError: The file cannot be used.
        BackendUnavailable: The runtime is not installed or has no device for this.
        EngineError: Opening failed.
    """
    runtime = _load("openvino", "lanet_engines.openvino.network")
    network: Network = runtime.open_network(file, options)
    return network


def _open_first(model: ModelFile, options: OpenOptions) -> Engine:
    reasons = []
    for name in _BACKENDS:
        try:
            engine = _open(name, model, options)
        except (ModelFileError, BuildInterrupted):
            raise  # the model is at fault, or the user wants to stop: not the runtime
        except EngineError as error:
            # A runtime that is merely absent is normal; one that fails deserves attention.
            level = logging.INFO if isinstance(error, BackendUnavailable) else logging.WARNING
            logger.log(level, "Engine %s skipped: %s", name, error)
            reasons.append(f"{name}: {error}")
        else:
            logger.info("Engine %s runs the model on %s.", name, engine.info.device)
            return engine
    raise BackendUnavailable("No engine can run the model. " + " ".join(reasons))


def _open(name: str, model: ModelFile, options: OpenOptions) -> Engine:
    plugin = None if name in _BACKENDS else find_plugin(ENGINE_GROUP, name)
    if plugin is not None:
        return open_plugin(plugin, model, options)
    engine: Engine = _load(name).open_model(model, options)
    return engine


def _open_artefact(folder: Path, options: OpenOptions, backend: str) -> Engine:
    artefact = read_artefact(folder)
    for wanted, given in ((backend, artefact.backend), (options.precision, artefact.precision)):
        if wanted not in (None, "auto", given):
            raise ArtefactError(f"The built engine {folder} is for {given}, not for {wanted}.")
    if artefact.backend not in _BACKENDS:
        raise ArtefactError(f"The built engine {folder} is for {artefact.backend}, unknown here.")
    engine: Engine = _load(artefact.backend).open_artefact(folder, artefact, options)
    logger.info("Engine %s runs the model on %s.", artefact.backend, engine.info.device)
    return engine


def _load(name: str, module: str | None = None) -> ModuleType:
    """Import a runtime's engine module, or another module of it."""
    backend = _BACKENDS[name]
    if not any(importlib.util.find_spec(package) for package in backend.packages):
        raise BackendUnavailable(
            f"{name} is not installed; install it with: pip install {backend.install}"
        )
    try:
        return importlib.import_module(module or backend.module)
    except (ImportError, OSError) as error:
        raise BackendUnavailable(
            f"{name} is installed but does not load ({error}); install it again."
        ) from error


def _probe(name: str) -> BackendStatus:
    try:
        version, devices = _load(name).probe()
    except EngineError as error:
        return BackendStatus(name, False, str(error), "", ())
    return BackendStatus(name, True, "", version, devices)


def _probe_plugin(plugin: Plugin) -> BackendStatus:
    if plugin.name in _RESERVED:
        reason = plugin.refuse("has the name of an engine of LA-Net Live, so it is never taken")
        return BackendStatus(plugin.name, False, str(reason), "", ())
    try:
        version, devices = probe_plugin(plugin)
    except EngineError as error:
        return BackendStatus(plugin.name, False, str(error), "", ())
    return BackendStatus(plugin.name, True, "", version, devices)
