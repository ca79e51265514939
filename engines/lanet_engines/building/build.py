"""Compile a model for a runtime, through the cache: the second time it is only looked up."""

import importlib
import logging
import secrets
import shutil
from pathlib import Path
from typing import Final

from lanet_engines.build_request import BuildRequest
from lanet_engines.errors import BackendUnavailable, EngineBuildError
from lanet_engines.onnx_model.file import ModelFile
from lanet_engines.options import ProgressCallback
from lanet_engines.storage.artefact import MANIFEST_NAME, is_artefact, read_artefact
from lanet_engines.storage.cache import CacheEntry, EngineCache
from lanet_engines.storage.private_folder import make_private_folder

logger = logging.getLogger(__name__)

_BUILDERS: Final = {
    "tensorrt": "lanet_engines.tensorrt.build",
    "openvino": "lanet_engines.openvino.build",
    "onnxruntime": "lanet_engines.onnxruntime.build",
}


def build_engine(
    model: ModelFile,
    request: BuildRequest,
    *,
    cache: EngineCache,
    on_progress: ProgressCallback | None = None,
) -> CacheEntry:
    """Build an engine, or find it in the cache.

    Args:
        model: A checked model.
        request: What to build.
        cache: Where built engines are kept.
        on_progress: Called with the current step and its progress.

    Returns:
        The folder of the built engine, and whether it had to be built.

    Raises:
        BackendUnavailable: The runtime is not installed, or needs a device that is not here.
        BuildInterrupted: `on_progress` asked for it.
        EngineBuildError: The model cannot be compiled as asked.
    """
    try:
        builder = importlib.import_module(_BUILDERS[request.target])
    except ImportError as error:
        raise BackendUnavailable(
            f"{request.target} is not installed; "
            f"install it with: pip install 'lanet-live[{request.target}]'"
        ) from error
    key = builder.make_key(model, request)
    return cache.get_or_build(
        key, lambda folder: builder.build(model, request, folder, on_progress)
    )


def publish(entry: CacheEntry, folder: Path) -> Path:
    """Copy a built engine out of the cache, replacing an earlier one of the same name.

    Args:
        entry: From `build_engine`.
        folder: Where to; its parent is created for the user alone if it is missing.

    Returns:
        The folder.

    Raises:
        EngineBuildError: There is something else of that name, or it cannot be written.
    """
    if folder.exists() and not is_artefact(folder):
        raise EngineBuildError(f"{folder} exists and is not a built engine; it is left alone.")
    temporary = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        make_private_folder(folder.parent)
        temporary.mkdir(mode=0o700)
        for stored in read_artefact(entry.folder).files:
            shutil.copy2(entry.folder / stored.name, temporary / stored.name)
        shutil.copy2(entry.folder / MANIFEST_NAME, temporary / MANIFEST_NAME)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except OSError as error:
        raise EngineBuildError(
            f"The built engine cannot be written to {folder}: {error}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder
