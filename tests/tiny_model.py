"""A small model file for tests: a convolution, a pooling and a linear layer with seeded weights."""

from pathlib import Path
from typing import Any

import numpy as np

from lanet_engines.spec import METADATA_KEY, ModelSpec
from tests.onnx_bytes import write_model, write_node, write_tensor, write_value

LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")


def tiny_spec(**changes: Any) -> ModelSpec:
    """Describe the tiny model; keyword arguments replace fields."""
    values: dict[str, Any] = {
        "name": "tiny",
        "labels": LABELS,
        "input_size_px": 32,
        "color": "gray",
        "mean": (0.5, 0.45, 0.4),
        "std": (0.25, 0.2, 0.3),
        "alignment": "test",
        "temperature": 1.5,
    }
    return ModelSpec(**(values | changes))


def tiny_model_bytes(spec: ModelSpec | None = None, *, seed: int = 0, **parts: Any) -> bytes:
    """Encode the tiny model; `parts` replaces arguments of `write_model`."""
    spec = spec or tiny_spec()
    rng = np.random.default_rng(seed)
    side, n_labels = spec.input_size_px, len(spec.labels)
    weights = {
        "conv.weight": rng.normal(0, 0.4, (6, 3, 5, 5)),
        "conv.bias": rng.normal(0, 0.5, (6,)),
        "head.weight": rng.normal(0, 0.3, (54, n_labels)),
        "head.bias": rng.normal(0, 0.3, (n_labels,)),
    }
    pool = side // 2 // 3
    nodes = [
        write_node("Conv", ["crops", "conv.weight", "conv.bias"], "maps",
                   {"kernel_shape": (5, 5), "strides": (2, 2), "pads": (2, 2, 2, 2)}),
        write_node("Relu", ["maps"], "active"),
        write_node("AveragePool", ["active"], "pooled",
                   {"kernel_shape": (pool, pool), "strides": (pool, pool)}),
        write_node("Flatten", ["pooled"], "flat"),
        write_node("Gemm", ["flat", "head.weight", "head.bias"], "logits"),
    ]  # fmt: skip
    arguments: dict[str, Any] = {
        "nodes": nodes,
        "tensors": [write_tensor(name, w.astype(np.float32)) for name, w in weights.items()],
        "inputs": [write_value("crops", "float32", ("batch", 3, side, side))],
        "outputs": [write_value("logits", "float32", ("batch", n_labels))],
        "metadata": {METADATA_KEY: spec.to_json()},
    }
    return write_model(**(arguments | parts))


def write_tiny_model(path: Path, spec: ModelSpec | None = None, *, seed: int = 0) -> Path:
    """Write the tiny model to a file and return its path."""
    path.write_bytes(tiny_model_bytes(spec, seed=seed))
    return path
