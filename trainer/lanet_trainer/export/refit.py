"""Fit the classifier of an exported model anew, on the features its network already computes.

Only the last linear layer changes, so that speed and size stay as they are. A domain the model was
not trained on is learnt in minutes, and what it knows of its home is kept by fitting on both. With
x the standardised pooled features and z0 the model's calibrated logits, the new logits are
z0 + W x + b. W and b minimise the cross-entropy to the targets, weighted by data set, plus a ridge
penalty on W: multinomial logistic regression with the old model as offset (Hastie, Tibshirani and
Friedman, The Elements of Statistical Learning, 4.4).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch.nn import functional

from lanet_engines.onnx_model.file import INPUT_NAME, OUTPUT_NAME, ModelFile
from lanet_engines.onnx_model.linear import find_head
from lanet_engines.preprocessing import preprocess
from lanet_engines.spec import ModelSpec
from lanet_trainer.datasets.prepared import PreparedSplit
from lanet_trainer.errors import ConfigError
from lanet_trainer.export.description import write_described
from lanet_trainer.training.loader import EvalLoader

F32Array = NDArray[np.float32]
I64Array = NDArray[np.int64]

_BATCH: Final = 64
_MAX_ITERATIONS: Final = 80
_SMALLEST_SPREAD: Final = 1e-3
# Of the answer that an untrusted label's share goes to: half the model's own, half an even share.
_SHARE_OF_MODEL: Final = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """What a model's network says of samples, each as it is and mirrored.

    Attributes:
        features: Pooled, (2 N, D) float32; first the samples, then their mirror images.
        logits: Divided by the model's temperature, (2 N, C) float32, in the same order.
    """

    features: F32Array
    logits: F32Array


@dataclass(frozen=True, slots=True)
class Lesson:
    """One data set to learn from.

    Attributes:
        seen: Its samples as the network sees them.
        targets: (N, C) float32, each row sums to 1.
        weights: Of the samples, (N,) float32; their mean is 1.
        weight: Of the set, where a set of weight 1 counts as much as another one.
    """

    seen: Seen
    targets: F32Array
    weights: F32Array
    weight: float


def see(model: ModelFile, split: PreparedSplit) -> Seen:
    """Ask the network of a model for its features and logits, on the CPU.

    Raises:
        ConfigError: The model does not end in one linear layer behind its pooled features.
    """
    import onnxruntime

    graph_model = onnx.load_model_from_string(model.content)
    layer, _ = _last_layer(graph_model)
    graph_model.graph.output.append(onnx.ValueInfoProto(name=layer.input[0]))
    session = onnxruntime.InferenceSession(graph_model.SerializeToString())
    names = [OUTPUT_NAME, layer.input[0]]
    found: dict[bool, list[list[F32Array]]] = {False: [], True: []}
    side = model.spec.input_size_px
    for _, crops in EvalLoader(split, size_px=side, batch_size=_BATCH):
        planes = preprocess(crops, model.spec)
        for is_mirrored in (False, True):
            image = np.ascontiguousarray(planes[..., ::-1]) if is_mirrored else planes
            found[is_mirrored].append(session.run(names, {INPUT_NAME: image}))
    logits, features = (
        np.concatenate([batch[part] for batches in found.values() for batch in batches])
        for part in (0, 1)
    )
    scaled = (logits / model.spec.temperature).astype(np.float32)
    return Seen(features, scaled)


def trusted_partly(onehot: F32Array, seen: Seen, *, assumed_noise: float) -> F32Array:
    """Take a share of single labels away: half of it to the model's answer, half to all classes."""
    answers = torch.softmax(torch.from_numpy(seen.logits[: len(onehot)]), dim=1).numpy()
    even = 1 / onehot.shape[1]
    rest = _SHARE_OF_MODEL * answers + (1 - _SHARE_OF_MODEL) * even
    return ((1 - assumed_noise) * onehot + assumed_noise * rest).astype(np.float32)


def class_weights(labels: I64Array, *, balance: float, at_least: int = 20) -> F32Array:
    """Return weights n_c ** -balance with mean 1; a class counts as having `at_least` samples."""
    counts = np.maximum(np.bincount(labels), at_least)
    weights = counts[labels].astype(np.float64) ** -balance
    return (weights / weights.mean()).astype(np.float32)


def refit(lessons: list[Lesson], *, decay: float) -> tuple[F32Array, F32Array]:
    """Return the change of the last layer at temperature 1: weight (C, D) and bias (C,).

    Args:
        lessons: Data sets.
        decay: Weight of the sum of squares of W, on standardised features.
    """
    features = torch.from_numpy(np.concatenate([lesson.seen.features for lesson in lessons]))
    offset = torch.from_numpy(np.concatenate([lesson.seen.logits for lesson in lessons]))
    targets = torch.from_numpy(np.concatenate([np.tile(x.targets, (2, 1)) for x in lessons]))
    weights = torch.from_numpy(
        np.concatenate(
            [np.tile(x.weights, 2) * np.float32(x.weight / len(x.weights)) for x in lessons]
        )
    )
    weights /= weights.sum()
    # The spread of the first set, the model's home: a second one must not shift the scale.
    home = torch.from_numpy(lessons[0].seen.features)
    mean, spread = home.mean(0), home.std(0) + _SMALLEST_SPREAD
    scaled = (features - mean) / spread
    layer = torch.nn.Linear(features.shape[1], targets.shape[1])
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(
        layer.parameters(), max_iter=_MAX_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        surprise = functional.cross_entropy(layer(scaled) + offset, targets, reduction="none")
        total = (surprise * weights).sum() + decay * layer.weight.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    with torch.no_grad():
        weight = layer.weight / spread
        bias = layer.bias - weight @ mean
    return weight.numpy(), bias.numpy()


def write_refitted(
    model: ModelFile, change: tuple[F32Array, F32Array], path: Path, *, note: dict[str, Any]
) -> ModelSpec:
    """Write the model with its last layer changed, at temperature 1, and a note how it came about.

    Returns:
        The new description.

    Raises:
        ConfigError: The file cannot be written.
    """
    content = onnx.load_model_from_string(model.content)
    layer, offsets_name = _last_layer(content)
    stored = {tensor.name: tensor for tensor in content.graph.initializer}
    old_weight = onnx.numpy_helper.to_array(stored[layer.input[1]])
    is_rows = old_weight.shape[0] == len(model.spec.labels)
    temperature = np.float32(model.spec.temperature)
    weight = (old_weight if is_rows else old_weight.T) / temperature + change[0]
    bias = onnx.numpy_helper.to_array(stored[layer.input[2]]) / temperature + change[1]
    changed = {layer.input[1]: weight if is_rows else weight.T, layer.input[2]: bias}
    if offsets_name is not None:
        changed[offsets_name] = onnx.numpy_helper.to_array(stored[offsets_name]) / temperature
    for name, values in changed.items():
        made = onnx.numpy_helper.from_array(np.ascontiguousarray(values, dtype=np.float32), name)
        stored[name].CopyFrom(made)
    provenance = {**model.spec.provenance, "refitted": {**note, "from_sha256": model.sha256}}
    spec = replace(model.spec, temperature=1.0, provenance=provenance)
    write_described(replace(model, content=content.SerializeToString()), spec, path)
    return spec


def _last_layer(model: Any) -> tuple[Any, str | None]:
    """Return the linear layer at the end, with a bias, and the name of the offsets behind it."""
    layer, *behind = find_head(model)
    stored = {tensor.name for tensor in model.graph.initializer}
    offsets = [name for node in behind for name in node.input if name in stored]
    is_known = [node.op_type for node in behind] in ([], ["Add"]) and len(offsets) == len(behind)
    if layer.op_type != "Gemm" or len(layer.input) < 3 or not is_known:
        raise ConfigError("Only a model that ends in one linear layer can be fitted anew.")
    return layer, offsets[0] if offsets else None


def iterate_sets(names: list[str], values: list[float], default: float) -> Iterator[float]:
    """Yield a number for each set: the values, or the default where none is given.

    Raises:
        ConfigError: There are neither none nor as many as sets.
    """
    if values and len(values) != len(names):
        raise ConfigError("Give one number for each data set.")
    yield from values or [default] * len(names)
