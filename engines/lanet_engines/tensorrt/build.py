"""Compile a model with TensorRT, for the GPU here or, with TensorRT for RTX, for any of them."""

from pathlib import Path
from typing import Any, Final

from lanet_engines.build_request import BuildRequest
from lanet_engines.errors import BuildInterrupted, EngineBuildError
from lanet_engines.onnx_model.file import ModelFile
from lanet_engines.onnx_model.folding import FOLDED_INPUT_NAME, fold_preprocessing
from lanet_engines.onnx_model.half import to_half
from lanet_engines.onnx_model.linear import drop_unused_tensors, spell_out_linear
from lanet_engines.options import ProgressCallback
from lanet_engines.storage.artefact import Artefact, describe_file, write_manifest
from lanet_engines.storage.cache import CacheKey
from lanet_engines.tensorrt.cuda_device import call_cuda, describe_gpu, load_cuda
from lanet_engines.tensorrt.runtime import TensorRt, load_tensorrt

BACKEND: Final = "tensorrt"
PLAN_NAME: Final = "engine.plan"
MODEL_NAME: Final = "model.onnx"
PRECISIONS: Final = ("fp32", "fp16")
_BUILDER_VERSION: Final = 1
# One face and its mirror image: what live use asks for most.
_USUAL_BATCH: Final = 2


def make_key(model: ModelFile, request: BuildRequest) -> CacheKey:
    """Return what a build of this request depends on.

    Raises:
        BackendUnavailable: TensorRT is not installed, or needs a GPU here and finds none.
        EngineBuildError: The precision or a compute capability cannot be built.
    """
    tensorrt = _load(request)
    if request.precision not in PRECISIONS:
        raise EngineBuildError(
            f"TensorRT engines are built in {' or '.join(PRECISIONS)}, not in {request.precision}."
        )
    return CacheKey(
        model_sha256=model.sha256,
        backend=BACKEND,
        runtime=tensorrt.package,
        runtime_version=tensorrt.version,
        capabilities=_choose_capabilities(tensorrt, request.capabilities),
        precision=request.precision,
        max_batch=request.max_batch,
        builder_version=_BUILDER_VERSION,
    )


def build(
    model: ModelFile,
    request: BuildRequest,
    folder: Path,
    on_progress: ProgressCallback | None = None,
) -> None:
    """Compile a model into an artefact.

    Args:
        model: A checked model.
        request: Precision, GPUs and batch size.
        folder: Empty; takes the plan, the ONNX file it can be built again from, and the manifest.
        on_progress: Called with the progress.

    Raises:
        BuildInterrupted: `on_progress` asked for it.
        EngineBuildError: TensorRT refuses the model; the message quotes it.
    """
    tensorrt = _load(request)
    capabilities = _choose_capabilities(tensorrt, request.capabilities)
    content = prepare_onnx(model, request.precision)
    plan = _compile(tensorrt, content, model, request, capabilities, on_progress)
    (folder / PLAN_NAME).write_bytes(plan)
    files = [folder / PLAN_NAME]
    if not model.external_files:
        (folder / MODEL_NAME).write_bytes(model.content)
        files.append(folder / MODEL_NAME)
    write_manifest(
        folder,
        Artefact(
            backend=BACKEND,
            precision=request.precision,
            runtime=tensorrt.package,
            runtime_version=tensorrt.version,
            capabilities=capabilities,
            max_batch=request.max_batch,
            model_sha256=model.sha256,
            spec=model.spec,
            files=tuple(describe_file(path) for path in files),
        ),
    )


def prepare_onnx(model: ModelFile, precision: str) -> bytes:
    """Return the ONNX bytes TensorRT is given: uint8 crops in, precision written into the graph.

    Raises:
        EngineBuildError: The model has an unusual form.
    """
    import onnx

    network = onnx.load_from_string(fold_preprocessing(model.content, model.spec))
    if precision == "fp16":
        to_half(network)
    spell_out_linear(network)
    drop_unused_tensors(network)
    content: bytes = network.SerializeToString()
    return content


def _load(request: BuildRequest) -> TensorRt:
    """The package for the one GPU that is asked for, or for several of them."""
    only = request.capabilities[0] if len(request.capabilities) == 1 else None
    return load_tensorrt(only)


def _choose_capabilities(tensorrt: TensorRt, wanted: tuple[str, ...]) -> tuple[str, ...]:
    if not tensorrt.builds_ahead:
        # The classic TensorRT times kernels on the GPU it builds for.
        cuda = load_cuda()
        here = describe_gpu(cuda, call_cuda(cuda, "cudaGetDevice")).capability
        if wanted not in ((), (here,)):
            raise EngineBuildError(
                f"{tensorrt.package} {tensorrt.version} builds only for the GPU in this machine "
                f"({here}); install tensorrt-rtx to build for others."
            )
        return (here,)
    known = tensorrt.known_capabilities
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise EngineBuildError(
            f"{tensorrt.package} {tensorrt.version} does not build for {', '.join(unknown)}; "
            f"it builds for {', '.join(known)}."
        )
    return tuple(name for name in known if name in wanted) or known


def _compile(
    tensorrt: TensorRt,
    content: bytes,
    model: ModelFile,
    request: BuildRequest,
    capabilities: tuple[str, ...],
    on_progress: ProgressCallback | None,
) -> bytes:
    trt = tensorrt.module
    tensorrt.take_errors()
    builder = trt.Builder(tensorrt.log)
    strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(strongly_typed)
    parser = trt.OnnxParser(network, tensorrt.log)
    path = str(model.path.resolve()) if model.external_files else None
    if not parser.parse(content, path):
        reasons = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise EngineBuildError(f"TensorRT cannot read the model {model.path}: {reasons}")
    config = builder.create_builder_config()
    # TF32 would round fp32 convolutions to 10 bits and break fp32 parity.
    config.clear_flag(trt.BuilderFlag.TF32)
    config.add_optimization_profile(_profile(builder, model, request.max_batch))
    if tensorrt.builds_ahead:
        config.num_compute_capabilities = len(capabilities)
        for i, name in enumerate(capabilities):
            if not config.set_compute_capability(getattr(trt.ComputeCapability, name.upper()), i):
                raise EngineBuildError(f"TensorRT does not take the compute capability {name}.")
    monitor = _make_monitor(trt, on_progress) if on_progress else None
    if monitor is not None:
        config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if monitor is not None and monitor.is_interrupted:
        raise BuildInterrupted("Compiling the model was interrupted; nothing of it is kept.")
    if plan is None:
        raise EngineBuildError(
            f"TensorRT cannot compile the model {model.path} in {request.precision} for "
            f"{', '.join(capabilities)}: {tensorrt.take_errors()}"
        )
    return bytes(plan)


def _profile(builder: Any, model: ModelFile, max_batch: int) -> Any:
    side = model.spec.input_size_px
    profile = builder.create_optimization_profile()
    shapes = [(n, side, side, 3) for n in (1, min(_USUAL_BATCH, max_batch), max_batch)]
    profile.set_shape(FOLDED_INPUT_NAME, *shapes)
    return profile


def _make_monitor(trt: Any, on_progress: ProgressCallback) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Reports the outermost phase; called from TensorRT's own threads."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._outermost: str | None = None
            self._n_steps = 1
            self.is_interrupted = False

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if parent_phase is None:
                self._outermost, self._n_steps = phase_name, max(1, num_steps)
                self._tell(0.0)

        def phase_finish(self, phase_name: str) -> None:
            if phase_name == self._outermost:
                self._tell(1.0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            if phase_name == self._outermost:
                self._tell(min(1.0, (step + 1) / self._n_steps))
            return not self.is_interrupted

        def _tell(self, share: float) -> None:
            # TensorRT notices it after its current step.
            if not on_progress("Compiling for TensorRT", share):
                self.is_interrupted = True

    return Monitor()
