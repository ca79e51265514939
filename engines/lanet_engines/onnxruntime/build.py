"""Pack a model for ONNX Runtime: the checked ONNX file itself, which runs everywhere."""

from pathlib import Path
from typing import Final

from lanet_engines.build_request import BuildRequest
from lanet_engines.errors import EngineBuildError
from lanet_engines.onnx_model.file import ModelFile
from lanet_engines.onnxruntime.engine import BACKEND, MODEL_NAME, version
from lanet_engines.options import ProgressCallback
from lanet_engines.storage.artefact import Artefact, describe_file, write_manifest
from lanet_engines.storage.cache import CacheKey

_BUILDER_VERSION: Final = 1


def make_key(model: ModelFile, request: BuildRequest) -> CacheKey:
    """Return what a build of this request depends on.

    Raises:
        EngineBuildError: Another precision than fp32 is asked for.
    """
    if request.precision != "fp32":
        raise EngineBuildError(f"ONNX Runtime engines are fp32 here, not {request.precision}.")
    return CacheKey(
        model_sha256=model.sha256,
        backend=BACKEND,
        runtime=BACKEND,
        runtime_version=version(),
        capabilities=(),
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
    """Copy a checked model into an artefact.

    Raises:
        EngineBuildError: Its data lies in further files.
    """
    if model.external_files:
        raise EngineBuildError(
            f"The model {model.path} keeps data in other files; export it as one file."
        )
    (folder / MODEL_NAME).write_bytes(model.content)
    write_manifest(
        folder,
        Artefact(
            backend=BACKEND,
            precision=request.precision,
            runtime=BACKEND,
            runtime_version=version(),
            capabilities=(),
            max_batch=request.max_batch,
            model_sha256=model.sha256,
            spec=model.spec,
            files=(describe_file(folder / MODEL_NAME),),
        ),
    )
    if on_progress:
        on_progress("Packing for ONNX Runtime", 1.0)
