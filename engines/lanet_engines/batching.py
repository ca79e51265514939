"""What all engines do around the runtime: check the batch, cut it to size, warm up."""

from collections.abc import Callable

import numpy as np

from lanet_engines.base import Engine, F32Array, U8Array
from lanet_engines.errors import EngineError
from lanet_engines.preprocessing import check_batch
from lanet_engines.spec import ModelSpec


def infer_in_chunks(
    run: Callable[[U8Array], F32Array], crops_bgr: U8Array, *, spec: ModelSpec, max_batch: int
) -> F32Array:
    """Check a batch and run it in pieces of at most `max_batch`.

    Args:
        run: Takes a C-contiguous, possibly read-only (M, S, S, 3) uint8, M <= max_batch; returns
            (M, C) float32 that it does not use again.
        crops_bgr: (N, S, S, 3) uint8.
        spec: Of the model.
        max_batch: Largest M.

    Returns:
        Logits, (N, C) float32.

    Raises:
        EngineInputError: The batch has another shape or dtype.
    """
    check_batch(crops_bgr, spec)
    crops_bgr = np.ascontiguousarray(crops_bgr)
    if len(crops_bgr) <= max_batch:
        return run(crops_bgr)
    starts = range(0, len(crops_bgr), max_batch)
    return np.concatenate([run(crops_bgr[start : start + max_batch]) for start in starts])


def warm_up(engine: Engine) -> None:
    """Run the engine once on black crops.

    Raises:
        EngineError: It fails, or its answer has another shape or is not finite.
    """
    spec = engine.spec
    side = spec.input_size_px
    logits = engine.infer(np.zeros((1, side, side, 3), dtype=np.uint8))
    if logits.shape != (1, len(spec.labels)) or not np.isfinite(logits).all():
        raise EngineError(
            f"The model {spec.name} gives no usable answer on {engine.info.backend} "
            f"({engine.info.device}): shape {logits.shape}; try another engine."
        )
