"""Run a model with OpenVINO: CPUs of any maker, Intel GPUs and NPUs.

The arithmetic of `lanet_engines.preprocessing` is folded into the graph, so that the runtime takes
the uint8 crops themselves.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from lanet_engines.base import EngineInfo, F32Array, U8Array
from lanet_engines.batching import infer_in_chunks, warm_up
from lanet_engines.errors import (
    ArtefactError,
    BackendUnavailable,
    BuildInterrupted,
    EngineError,
    ModelFileError,
)
from lanet_engines.onnx_model.file import ModelFile
from lanet_engines.onnx_model.folding import FOLDED_INPUT_NAME
from lanet_engines.openvino.device import (
    BACKEND,
    HINTS,
    choose_precision,
    describe_device,
    first_line,
    runtime_properties,
    version,
)
from lanet_engines.openvino.mixed import keep_first_half
from lanet_engines.openvino.signal_stack import kept_signal_stack
from lanet_engines.options import OpenOptions
from lanet_engines.preprocessing import LUMA_BGR
from lanet_engines.spec import ModelSpec
from lanet_engines.storage.artefact import Artefact, require_files

MODEL_NAMES: Final = ("model.xml", "model.bin")
# Takes no dynamic shapes, so batches go through it one by one.
_STATIC_DEVICE: Final = "NPU"
# A ResNet-50 on 16 crops of 512 px stays below a quarter of it.
_MAX_TENSOR_ELEMENTS: Final = 2**30


class _Request:
    """One inference request with an input buffer of its own, kept between calls."""

    def __init__(self, compiled: ov.CompiledModel, shape: tuple[int, int, int, int]) -> None:
        self._request = compiled.create_infer_request()
        self._buffer = np.zeros(shape, dtype=np.uint8)
        self._n = 0

    def start(self, crops_bgr: U8Array) -> None:
        """Copy crops in, (M, S, S, 3), and start computing."""
        n = len(crops_bgr)
        self._buffer[:n] = crops_bgr
        if n != self._n:
            view = ov.Tensor(self._buffer[:n], shared_memory=True)
            self._request.set_input_tensor(view)
            self._n = n
        # Not the synchronous infer(): equal on an idle machine, it took twice as long on a busy
        # one, and the face tracker keeps this one busy.
        self._request.start_async()

    def finish(self) -> F32Array:
        """Wait for the logits, (M, C); a copy."""
        self._request.wait()
        logits: F32Array = self._request.get_output_tensor().data.astype(np.float32, copy=True)
        return logits


class OpenVinoEngine:
    """An open model on OpenVINO. Meets `lanet_engines.base.Engine`."""

    def __init__(
        self, compiled: ov.CompiledModel, spec: ModelSpec, info: EngineInfo, *, max_batch: int
    ) -> None:
        self._spec = spec
        self._info = info
        self._max_batch = max_batch
        shape = (max_batch, spec.input_size_px, spec.input_size_px, 3)
        n_requests = max(1, compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._requests = [_Request(compiled, shape) for _ in range(n_requests)]
        self._compiled: ov.CompiledModel | None = compiled

    @property
    def spec(self) -> ModelSpec:
        """The model's own description."""
        return self._spec

    @property
    def info(self) -> EngineInfo:
        """What runs it."""
        return self._info

    @property
    def compiled(self) -> ov.CompiledModel:
        """The runtime's own object, for benchmarks."""
        if self._compiled is None:
            raise EngineError(f"The engine {self._spec.name} is closed.")
        return self._compiled

    def infer(self, crops_bgr: U8Array) -> F32Array:
        """Run the model on a batch of crops; see `lanet_engines.base.Engine.infer`."""
        if self._compiled is None:
            raise EngineError(f"The engine {self._spec.name} is closed.")
        return infer_in_chunks(self._run, crops_bgr, spec=self._spec, max_batch=self._max_batch)

    def close(self) -> None:
        """Free the runtime's resources. May be called twice."""
        self._requests = []
        self._compiled = None

    def _run(self, crops_bgr: U8Array) -> F32Array:
        n_pieces = min(len(self._requests), len(crops_bgr))
        pieces = np.array_split(crops_bgr, n_pieces) if n_pieces > 1 else [crops_bgr]
        requests = self._requests[:n_pieces]
        try:
            for request, piece in zip(requests, pieces, strict=True):
                request.start(piece)
            parts = [request.finish() for request in requests]
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO failed on {self._info.device} with the model {self._spec.name}: "
                f"{first_line(error)}"
            ) from error
        return parts[0] if n_pieces == 1 else np.concatenate(parts)


@kept_signal_stack()
def probe() -> tuple[str, tuple[str, ...]]:
    """Return the runtime's version and its devices with their full names.

    Raises:
        BackendUnavailable: No device.
    """
    core = ov.Core()
    devices = tuple(describe_device(core, device) for device in core.available_devices)
    if not devices:
        raise BackendUnavailable("OpenVINO finds no device; install its drivers again.")
    return version(), devices


@kept_signal_stack()
def open_model(model: ModelFile, options: OpenOptions) -> OpenVinoEngine:
    """Compile a checked model and warm it up.

    Raises:
        ModelFileError: OpenVINO cannot read the model.
        BackendUnavailable: The device is absent or cannot compute in the precision.
        EngineError: Compiling or the warm-up failed.
    """
    if options.precision is not None and options.precision not in HINTS:
        raise BackendUnavailable(
            f"OpenVINO does not make {options.precision} out of an ONNX file on opening; build it "
            f"first: lanet-train build --target openvino --precision {options.precision}."
        )
    core = ov.Core()
    network = fold_preprocessing(read_network(core, model), model.spec, options.max_batch)
    return _open(core, network, model.spec, model.sha256, options)


@kept_signal_stack()
def open_artefact(folder: Path, artefact: Artefact, options: OpenOptions) -> OpenVinoEngine:
    """Compile a converted model (`lanet_engines.openvino.build`) and warm it up.

    Raises:
        ArtefactError: A file is missing, or OpenVINO cannot read the model.
        BackendUnavailable: The device is absent or cannot compute in the precision.
        EngineError: Compiling or the warm-up failed.
    """
    require_files(folder, artefact, MODEL_NAMES)
    core = ov.Core()
    try:
        network = core.read_model(folder / MODEL_NAMES[0])
    except RuntimeError as error:
        raise ArtefactError(
            f"OpenVINO cannot read the built engine {folder} ({first_line(error)}); "
            "build it again with lanet-train build."
        ) from error
    options = replace(
        options,
        precision=artefact.precision,
        max_batch=min(options.max_batch, artefact.max_batch),
    )
    return _open(core, network, artefact.spec, artefact.model_sha256, options)


def _open(
    core: ov.Core, network: ov.Model, spec: ModelSpec, sha256: str, options: OpenOptions
) -> OpenVinoEngine:
    device = options.device or "CPU"
    precision = choose_precision(core, device, options.precision)
    if device.startswith(_STATIC_DEVICE):
        options = replace(options, max_batch=1)
        network.reshape([1, spec.input_size_px, spec.input_size_px, 3])
    if precision == "bf16":
        network = keep_first_half(core, network)
    properties = runtime_properties(device, precision, options)
    on_progress = None if device.startswith("CPU") else options.on_progress
    if on_progress:
        # Takes many seconds the first time; OpenVINO reports no progress and cannot be interrupted.
        on_progress(f"Compiling for {device}", 0.0)
    try:
        compiled = core.compile_model(network, device, properties)
    except RuntimeError as error:
        raise EngineError(
            f"OpenVINO cannot compile the model {spec.name} for {device}: {first_line(error)}"
        ) from error
    if on_progress and not on_progress(f"Compiling for {device}", 1.0):
        raise BuildInterrupted("Opening the model was interrupted; what was compiled is kept.")
    info = EngineInfo(BACKEND, describe_device(core, device), precision, version(), sha256)
    engine = OpenVinoEngine(compiled, spec, info, max_batch=options.max_batch)
    warm_up(engine)
    return engine


def read_network(core: ov.Core, model: ModelFile) -> ov.Model:
    """Hand the checked bytes to OpenVINO's ONNX reader.

    Raises:
        ModelFileError: It refuses them.
    """
    try:
        if model.external_files:
            return core.read_model(model.path)
        return core.read_model(model.content, b"")
    except (RuntimeError, ValueError) as error:
        raise ModelFileError(
            f"OpenVINO cannot read the model {model.path}: {first_line(error)}"
        ) from error


def fold_preprocessing(network: ov.Model, spec: ModelSpec, max_batch: int) -> ov.Model:
    """Put the arithmetic of `lanet_engines.preprocessing` in front of the graph.

    The luma sum, scale and shift stay separate element-wise steps: as one 1x1 convolution they
    would be computed from bf16-rounded weights in bf16 mode and move the answers of
    EfficientNet-Lite0 by up to 0.02.

    Args:
        network: Takes (N, 3, S, S) float32; changed in place.
        spec: Colour handling, mean and std.
        max_batch: Upper bound of N.

    Returns:
        The network, now taking (N, S, S, 3) uint8.

    Raises:
        ModelFileError: A tensor in it would be absurdly large.
    """
    side = spec.input_size_px
    mean = np.array(spec.mean, dtype=np.float32).reshape(1, 3, 1, 1)
    std = np.array(spec.std, dtype=np.float32).reshape(1, 3, 1, 1)
    old_input = network.get_parameters()[0]
    consumers = list(old_input.output(0).get_target_inputs())
    shape = ov.PartialShape([ov.Dimension(1, max_batch), side, side, 3])
    new_input = ops.parameter(shape, np.uint8, name=FOLDED_INPUT_NAME)
    new_input.output(0).set_names({FOLDED_INPUT_NAME})
    x = ops.transpose(ops.convert(new_input, "f32"), ops.constant(np.array([0, 3, 1, 2])))
    if spec.color == "gray":
        x = ops.multiply(x, ops.constant(LUMA_BGR.reshape(1, 3, 1, 1)))
        x = ops.reduce_sum(x, ops.constant(np.array([1])), True)  # (N, 1, S, S)
    else:
        x = ops.gather(x, ops.constant(np.array([2, 1, 0])), ops.constant(np.array(1)))
    x = ops.multiply(x, ops.constant(1 / (np.float32(255) * std)))  # (N, 3, S, S)
    # Not a subtraction, which OpenVINO would rewrite and thereby lose a mark of its precision.
    x = ops.add(x, ops.constant(-mean / std))
    for consumer in consumers:
        consumer.replace_source_output(x.output(0))
    network.remove_parameter(old_input)
    network.add_parameters([new_input])
    network.validate_nodes_and_infer_types()
    _check_sizes(network)
    return network


def _check_sizes(network: ov.Model) -> None:
    """Refuse a graph that asks for absurd memory, before anything is computed.

    A few bytes of ONNX can ask for a tensor of any size, by expanding or padding; OpenVINO would
    try to compute it while compiling.
    """
    for operation in network.get_ops():
        for output in operation.outputs():
            shape = output.get_partial_shape()
            if shape.rank.is_dynamic:
                continue
            n_elements = math.prod(size.max_length for size in shape if size.max_length > 0)
            if n_elements > _MAX_TENSOR_ELEMENTS:
                raise ModelFileError(
                    f"The model's step {operation.get_friendly_name()} gives a tensor of "
                    f"{n_elements:.1e} numbers, more than an expression model needs."
                )
