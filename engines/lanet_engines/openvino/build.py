"""Convert a model to OpenVINO's own format, in int8 where asked."""

import contextlib
import io
import logging
from pathlib import Path
from typing import Any, Final

import openvino as ov

from lanet_engines.build_request import BuildRequest
from lanet_engines.errors import EngineBuildError
from lanet_engines.onnx_model.file import ModelFile
from lanet_engines.openvino.calibration import hash_crops, read_crops
from lanet_engines.openvino.device import BACKEND, version
from lanet_engines.openvino.engine import MODEL_NAMES, fold_preprocessing, read_network
from lanet_engines.openvino.mixed import WEIGHTED_LAYERS
from lanet_engines.openvino.signal_stack import kept_signal_stack
from lanet_engines.options import ProgressCallback
from lanet_engines.storage.artefact import Artefact, describe_file, write_manifest
from lanet_engines.storage.cache import CacheKey

_BUILDER_VERSION: Final = 4
# Beside the first half: the classifier and the layer in front of it stay fp32 in an int8 model.
_N_LAST_KEPT: Final = 2
_NO_STEPS: Final = ("Constant", "Parameter", "Result")
# NNCF gains nothing from more: it only collects the ranges of activations.
_MAX_CALIBRATION_CROPS: Final = 500


def make_key(model: ModelFile, request: BuildRequest) -> CacheKey:
    """Return what a build of this request depends on.

    Raises:
        EngineBuildError: int8 is asked for without crops to calibrate with.
    """
    calibration = _calibration(request)
    return CacheKey(
        model_sha256=model.sha256,
        backend=BACKEND,
        runtime=_runtime_name(request),
        runtime_version=version(),
        capabilities=(),
        precision=request.precision,
        max_batch=request.max_batch,
        builder_version=_BUILDER_VERSION,
        calibration_sha256=hash_crops(calibration) if calibration else "",
    )


@kept_signal_stack()
def build(
    model: ModelFile,
    request: BuildRequest,
    folder: Path,
    on_progress: ProgressCallback | None = None,
) -> None:
    """Convert a model into an artefact.

    In fp32, bf16 and fp16 the file is the same: OpenVINO converts when it opens it on a device.

    Args:
        model: A checked model.
        request: Precision, batch size and, for int8, the calibration crops.
        folder: Empty; takes the model's files and the manifest.
        on_progress: Called with the progress.

    Raises:
        ModelFileError: OpenVINO cannot read the model.
        EngineBuildError: The crops do not fit, or quantising failed.
    """
    if on_progress:
        on_progress("Converting for OpenVINO", 0.0)
    network = fold_preprocessing(read_network(ov.Core(), model), model.spec, request.max_batch)
    calibration = _calibration(request)
    if calibration is not None:
        network = _quantise(network, model, calibration)
    ov.save_model(network, folder / MODEL_NAMES[0], compress_to_fp16=False)
    write_manifest(folder, _describe(model, request, folder))
    if on_progress:
        on_progress("Converting for OpenVINO", 1.0)


def _describe(model: ModelFile, request: BuildRequest, folder: Path) -> Artefact:
    return Artefact(
        backend=BACKEND,
        precision=request.precision,
        runtime=_runtime_name(request),
        runtime_version=version(),
        capabilities=(),
        max_batch=request.max_batch,
        model_sha256=model.sha256,
        spec=model.spec,
        files=tuple(describe_file(folder / name) for name in MODEL_NAMES),
    )


def _calibration(request: BuildRequest) -> Path | None:
    if request.precision != "int8":
        return None
    if request.calibration is None:
        raise EngineBuildError(
            "An int8 build needs crops to calibrate with: --calibration crops.npy, "
            "uint8 of shape (N, S, S, 3)."
        )
    return request.calibration


def _runtime_name(request: BuildRequest) -> str:
    return "openvino+nncf" if request.precision == "int8" else "openvino"


def _quantise(network: ov.Model, model: ModelFile, calibration: Path) -> ov.Model:
    """Quantise after training: activations and weights to int8, from ranges seen on the crops."""
    try:
        import nncf
    except ImportError as error:
        raise EngineBuildError(
            "int8 builds need NNCF; install it with: pip install 'lanet-live[int8]'"
        ) from error
    crops = read_crops(calibration, model.spec)
    step = max(1, len(crops) // _MAX_CALIBRATION_CROPS)
    chosen = crops[::step][:_MAX_CALIBRATION_CROPS]
    dataset: Any = nncf.Dataset([crop[None] for crop in chosen])
    try:
        # Mixed: symmetric weights, asymmetric activations, which fit ReLU6 and swish better.
        nncf.set_log_level(logging.ERROR)
        with contextlib.redirect_stdout(io.StringIO()):  # its own progress bars
            quantised: ov.Model = nncf.quantize(
                network,
                dataset,
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(chosen),
                fast_bias_correction=True,
                ignored_scope=nncf.IgnoredScope(names=_steps_to_keep(network)),
            )
    except (RuntimeError, nncf.ValidationError) as error:
        raise EngineBuildError(f"NNCF cannot quantise the model {model.path}: {error}") from error
    return quantised


def _steps_to_keep(network: ov.Model) -> list[str]:
    """Name what stays fp32; the reasons are in docs/engines.md."""
    steps = [step for step in network.get_ordered_ops() if step.get_type_name() not in _NO_STEPS]
    places = [i for i, step in enumerate(steps) if step.get_type_name() in WEIGHTED_LAYERS]
    layers = [steps[i] for i in places]
    n_first = len(layers) // 2
    if n_first + _N_LAST_KEPT >= len(layers):
        return [layers[-1].get_friendly_name()]  # a tiny network: something must be left
    pixels = steps[: places[0]]
    joints = [step for step in steps if step.get_type_name() == "ReduceMean" or _is_sum(step)]
    kept = [*pixels, *layers[:n_first], *joints, *layers[-_N_LAST_KEPT:]]
    return list(dict.fromkeys(step.get_friendly_name() for step in kept))


def _is_sum(step: ov.Node) -> bool:
    """Whether it adds up two computed maps, as a shortcut does, and not a bias."""
    inputs = [value.get_node().get_type_name() for value in step.input_values()]
    return step.get_type_name() == "Add" and "Constant" not in inputs
