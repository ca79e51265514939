"""A built engine for tests, with a plan no runtime can load."""

from pathlib import Path

from lanet_engines.storage.artefact import Artefact, describe_file, write_manifest
from lanet_engines.storage.cache import CacheKey
from tests.tiny_model import tiny_spec

KEY = CacheKey("0" * 64, "tensorrt", "tensorrt_rtx", "1.7", ("sm86",), "fp16", 16, 1)


def fill(folder: Path, *, n_bytes: int = 100) -> None:
    """Write a small artefact."""
    plan = folder / "engine.plan"
    plan.write_bytes(b"p" * n_bytes)
    files = (describe_file(plan),)
    write_manifest(
        folder,
        Artefact(
            backend="tensorrt",
            precision="fp16",
            runtime="tensorrt_rtx",
            runtime_version="1.7",
            capabilities=("sm86",),
            max_batch=16,
            model_sha256="0" * 64,
            spec=tiny_spec(),
            files=files,
        ),
    )
