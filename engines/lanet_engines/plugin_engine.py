"""Engines that other packages add: opened and checked; a failure names the package.

A plug-in's entry point in the group `lanet_live.engines` is a module, or an object, that meets
`EngineModule`. It is taken only when the user names it: "auto" means the project's own engines, so
that installing a package changes no result.
"""

from dataclasses import replace
from typing import Final, Protocol, runtime_checkable

import numpy as np

from lanet_engines.base import Engine, EngineInfo, F32Array, U8Array
from lanet_engines.batching import warm_up
from lanet_engines.errors import EngineError
from lanet_engines.onnx_model.file import ModelFile
from lanet_engines.options import OpenOptions
from lanet_engines.plugins import Plugin
from lanet_engines.preprocessing import check_batch
from lanet_engines.spec import ModelSpec

ENGINE_GROUP: Final = "lanet_live.engines"


@runtime_checkable
class EngineModule(Protocol):
    """What an entry point of the group offers."""

    def probe(self) -> tuple[str, tuple[str, ...]]:
        """Return the runtime's version and its devices.

        Raises:
            BackendUnavailable: It cannot be used here; the message says why and what to do.
        """
        ...

    def open_model(self, model: ModelFile, options: OpenOptions) -> Engine:
        """Open a model that was read and checked.

        Raises:
            EngineError: It cannot be opened.
        """
        ...


class PluginEngine:
    """A plug-in's engine: answers are checked, errors name the package. Meets `Engine`.

    Args:
        plugin: Where it comes from.
        engine: What it opened.
        model: What it was asked to open.

    Raises:
        PluginError: It is no engine.
    """

    def __init__(self, plugin: Plugin, engine: Engine, model: ModelFile) -> None:
        with plugin.blamed("opened no engine"):
            # Under the name the user gave, and with the checksum that was computed here.
            self._info = replace(engine.info, backend=plugin.name, model_sha256=model.sha256)
        self._plugin = plugin
        self._engine = engine
        self._spec = model.spec

    @property
    def spec(self) -> ModelSpec:
        """The model's own description."""
        return self._spec

    @property
    def info(self) -> EngineInfo:
        """What runs it."""
        return self._info

    def infer(self, crops_bgr: U8Array) -> F32Array:
        """Run the model on a batch of crops; see `lanet_engines.base.Engine.infer`."""
        check_batch(crops_bgr, self.spec)
        with self._plugin.blamed("failed while running the model", EngineError):
            logits = np.asarray(self._engine.infer(crops_bgr))
        expected = (len(crops_bgr), len(self.spec.labels))
        if logits.shape != expected or logits.dtype != np.float32:
            raise self._plugin.refuse(
                f"answered with shape {logits.shape} and dtype {logits.dtype}, "
                f"expected {expected} and float32"
            )
        return logits

    def close(self) -> None:
        """Free the runtime's resources. May be called twice."""
        with self._plugin.blamed("failed while closing", EngineError):
            self._engine.close()


def probe_plugin(plugin: Plugin) -> tuple[str, tuple[str, ...]]:
    """Return version and devices of a plug-in's runtime.

    Raises:
        EngineError: It cannot be used here, or is broken.
    """
    module = _load(plugin)
    with plugin.blamed("failed while it was examined", EngineError):
        version, devices = module.probe()
        return str(version), tuple(str(device) for device in devices)


def open_plugin(plugin: Plugin, model: ModelFile, options: OpenOptions) -> PluginEngine:
    """Open a model on a plug-in's engine and warm it up.

    Raises:
        EngineError: It cannot be opened, or its first answer is not usable.
    """
    module = _load(plugin)
    with plugin.blamed("failed while opening the model", EngineError):
        opened = module.open_model(model, options)
    engine = PluginEngine(plugin, opened, model)
    try:
        warm_up(engine)
    except BaseException:
        engine.close()
        raise
    return engine


def _load(plugin: Plugin) -> EngineModule:
    module = plugin.load()
    if not isinstance(module, EngineModule):
        raise plugin.refuse("is no engine: it lacks the functions probe and open_model")
    return module
