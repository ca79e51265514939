"""Run a TensorFlow Lite network with OpenVINO; see `lanet_engines.network`.

Each batch size is compiled by itself. OpenVINO would take batches of any size with one compiled
model, but a fixed shape is a quarter faster (the landmark network, one thread: 5.1 against 6.8 ms).
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import ColorFormat, PrePostProcessor

from lanet_engines.base import EngineInfo
from lanet_engines.errors import BackendUnavailable, EngineError, EngineInputError, ModelFileError
from lanet_engines.network import F32Array, NetworkFile
from lanet_engines.openvino.device import (
    BACKEND,
    choose_precision,
    describe_device,
    first_line,
    runtime_properties,
    version,
)
from lanet_engines.openvino.signal_stack import kept_signal_stack
from lanet_engines.options import OpenOptions

_LAYOUT: Final = "NHWC"


class OpenVinoNetwork:
    """A network compiled by OpenVINO, once for each size of a batch."""

    def __init__(
        self,
        core: ov.Core,
        model: ov.Model,
        file: NetworkFile,
        info: EngineInfo,
        *,
        device: str,
        properties: dict[str, object],
    ) -> None:
        self._core = core
        self._model = model
        self._file = file
        self._info = info
        self._device = device
        self._properties = properties
        self._requests: dict[int, ov.InferRequest] = {}
        self._item_shapes = {
            port.get_any_name(): tuple(port.get_partial_shape()[1:].to_shape())
            for port in model.inputs
        }
        self._outputs = tuple(port.get_any_name() for port in model.outputs)
        self._request_for(1)

    @property
    def info(self) -> EngineInfo:
        """What runs it."""
        return self._info

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, F32Array]:
        """Run the network on a batch; see `lanet_engines.network.Network.run`."""
        n_items = self._check(arrays)
        parts: list[dict[str, F32Array]] = []
        start = 0
        while start < n_items:
            size = max(s for s in self._file.batch_sizes if s <= n_items - start)
            parts.append(self._run(arrays, start, size))
            start += size
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in self._outputs}

    def close(self) -> None:
        """Free the runtime's resources. May be called twice."""
        self._requests = {}
        self._item_shapes = {}

    def _check(self, arrays: Mapping[str, NDArray[Any]]) -> int:
        """Return how many items there are, if the arrays are what the network takes."""
        if not self._item_shapes:
            raise EngineError(f"The network {self._file.name} is closed.")
        for name, shape in self._item_shapes.items():
            dtype = np.uint8 if name in self._file.pictures else np.float32
            given = arrays.get(name)
            if given is None or given.shape[1:] != shape or given.dtype != dtype or not len(given):
                got = "nothing" if given is None else f"{given.shape} {given.dtype}"
                raise EngineInputError(
                    f"The network {self._file.name} takes {name} as (N, "
                    f"{', '.join(map(str, shape))}) {np.dtype(dtype).name}, got {got}."
                )
        lengths = {len(array) for array in arrays.values()}
        if len(lengths) != 1:
            raise EngineInputError(f"The inputs of {self._file.name} are of unequal length.")
        return lengths.pop()

    def _run(
        self, arrays: Mapping[str, NDArray[Any]], start: int, size: int
    ) -> dict[str, F32Array]:
        request = self._request_for(size)
        try:
            for name in self._item_shapes:
                # The runtime reads the caller's memory: nothing is copied.
                piece = np.ascontiguousarray(arrays[name][start : start + size])
                request.set_tensor(name, ov.Tensor(piece, shared_memory=True))
            request.infer()
            return {name: np.array(request.get_tensor(name).data) for name in self._outputs}
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO failed on {self._info.device} with the network {self._file.name}: "
                f"{first_line(error)}"
            ) from error

    def _request_for(self, size: int) -> ov.InferRequest:
        """Return the request for a size of batch; compiles the network when it is the first."""
        if size not in self._requests:
            self._requests[size] = self._compile(size)
        return self._requests[size]

    @kept_signal_stack()
    def _compile(self, size: int) -> ov.InferRequest:
        try:
            model = self._model.clone()
            model.reshape({name: [size, *shape] for name, shape in self._item_shapes.items()})
            compiled = self._core.compile_model(model, self._device, self._properties)
            return compiled.create_infer_request()
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO cannot compile the network {self._file.name} for {self._device}: "
                f"{first_line(error)}"
            ) from error


@kept_signal_stack()
def open_network(file: NetworkFile, options: OpenOptions) -> OpenVinoNetwork:
    """Read a network and compile it for a batch of one.

    Raises:
        ModelFileError: OpenVINO cannot read it.
        BackendUnavailable: The device is absent or cannot compute in the precision.
        EngineError: Compiling failed.
    """
    if options.precision == "int8":
        raise BackendUnavailable("OpenVINO does not make int8 out of a network on opening.")
    core = ov.Core()
    device = options.device or "CPU"
    precision = choose_precision(core, device, options.precision)
    model = _prepare_pictures(_read(core, file), file)
    info = EngineInfo(BACKEND, describe_device(core, device), precision, version(), file.sha256)
    return OpenVinoNetwork(
        core,
        model,
        file,
        info,
        device=device,
        properties=runtime_properties(device, precision, options),
    )


def _read(core: ov.Core, file: NetworkFile) -> ov.Model:
    # OpenVINO reads this format from a file only; a memory map would hold on to it.
    core.set_property({"ENABLE_MMAP": False})
    try:
        with tempfile.TemporaryDirectory(prefix="lanet-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / "network.tflite"
            path.write_bytes(file.content)
            return core.read_model(path)
    except RuntimeError as error:
        raise ModelFileError(
            f"OpenVINO cannot read the network {file.name}: {first_line(error)}"
        ) from error
    except OSError as error:
        raise EngineError(
            f"The network {file.name} needs {len(file.content) / 1e6:.1f} MB of room for temporary "
            f"files: {error.strerror}. Free some, or name another folder in TMPDIR."
        ) from error


def _prepare_pictures(model: ov.Model, file: NetworkFile) -> ov.Model:
    """Put the conversion of uint8 BGR pictures in front of the graph."""
    if not file.pictures:
        return model
    processor = PrePostProcessor(model)
    for name, picture in file.pictures.items():
        step = 255.0 / (picture.high - picture.low)
        port = processor.input(name)
        port.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout(_LAYOUT))
        port.tensor().set_color_format(ColorFormat.BGR)
        port.model().set_layout(ov.Layout(_LAYOUT))
        steps = port.preprocess().convert_element_type(ov.Type.f32)
        steps = steps.convert_color(ColorFormat.RGB)
        if picture.low:
            steps = steps.mean(-picture.low * step)
        steps.scale(step)
    return processor.build()
