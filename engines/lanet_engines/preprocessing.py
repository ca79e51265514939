"""uint8 crops to the float32 tensor a model takes. The reference for every folded version."""

import numpy as np
from numpy.typing import NDArray

from lanet_engines.errors import EngineInputError
from lanet_engines.spec import ModelSpec

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# ITU-R BT.601 luma, in BGR order, as OpenCV's grey conversion weighs the channels.
LUMA_BGR = np.array([0.114, 0.587, 0.299], dtype=np.float32)


def check_batch(crops_bgr: U8Array, spec: ModelSpec) -> None:
    """Raise `EngineInputError` unless the batch is (N, S, S, 3) uint8 with N >= 1."""
    side = spec.input_size_px
    if (
        crops_bgr.dtype != np.uint8
        or crops_bgr.ndim != 4
        or crops_bgr.shape[1:] != (side, side, 3)
        or len(crops_bgr) == 0
    ):
        raise EngineInputError(
            f"The model takes crops of shape (N, {side}, {side}, 3) and dtype uint8, "
            f"got {crops_bgr.shape} and {crops_bgr.dtype}."
        )


def preprocess(crops_bgr: U8Array, spec: ModelSpec) -> F32Array:
    """Scale to 0..1, reduce to grey or reorder to RGB, normalise, put channels first.

    Args:
        crops_bgr: (N, S, S, 3) uint8.
        spec: Colour handling, mean and std.

    Returns:
        (N, 3, S, S) float32, C-contiguous.

    Raises:
        EngineInputError: The batch has another shape or dtype.
    """
    check_batch(crops_bgr, spec)
    mean = np.array(spec.mean, dtype=np.float32)[:, None, None]
    std = np.array(spec.std, dtype=np.float32)[:, None, None]
    if spec.color == "gray":
        gray = crops_bgr.astype(np.float32) @ LUMA_BGR  # (N, S, S)
        planes = np.repeat(gray[:, None], 3, axis=1)  # (N, 3, S, S)
    else:
        planes = crops_bgr[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    return np.ascontiguousarray((planes / np.float32(255) - mean) / std)
