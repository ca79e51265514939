"""Take the backbone's weights back out of a model file made by `lanet-train export`.

In an exported graph every batch norm is folded into the convolution before it. The weights are
therefore given back as folded convolutions followed by batch norms that only add the bias: the same
function, but no start for training, since batch statistics would undo it. `restore_batch_norm` then
makes ordinary batch norms of them, with the statistics of real images.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from lanet_engines.onnx_model.file import read_model_file
from lanet_trainer.errors import CheckpointError

_PREFIX = "network."
_BIAS = ".weight_bias"
# A channel that never changes has no variance to divide by.
_SMALLEST_VARIANCE = 1e-4


def read_onnx_weights(
    path: Path, model: nn.Module, *, rename: Callable[[str], str]
) -> dict[str, Tensor]:
    """Return the backbone's tensors under timm's names, batch norms included.

    Args:
        path: The model file.
        model: timm's model.
        rename: From the names of an own run ("backbone.stem.conv1.weight") to timm's.

    Raises:
        CheckpointError: The file was not made by `lanet-train export` from such a backbone.
        EngineError: It is no usable model file.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(read_model_file(path).content).graph
    tensors = {
        rename(tensor.name.removeprefix(_PREFIX)): numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.name.startswith(f"{_PREFIX}backbone.")
    }
    if not tensors:
        raise CheckpointError(f"'{path}' was not made by lanet-train export: it has no backbone.")
    norms = {convolution: norm for convolution, norm, _ in _convolutions_with_norm(model)}
    weights: dict[str, Tensor] = {}
    for name, values in tensors.items():
        tensor = torch.from_numpy(values.copy())
        convolution = name.removesuffix(_BIAS)
        if convolution == name:
            weights[name] = tensor
        elif convolution in norms:
            weights |= _adding(tensor, norms[convolution], model)
        else:
            weights[f"{convolution}.bias"] = tensor
    return weights


@torch.no_grad()
def restore_batch_norm(model: nn.Module, images: Tensor) -> None:
    """Give every batch norm behind a convolution the statistics of its input; nothing else changes.

    With m and v of a channel over the images, running mean and variance become m and v, the weight
    sqrt(v + eps) and the bias grows by m: in evaluation the layer adds what it added before.

    Args:
        model: With batch norms from `read_onnx_weights`.
        images: Normalised crops as in training, (N, 3, S, S), some hundreds.
    """
    norms = [norm for _, _, norm in _convolutions_with_norm(model)]
    was_training = model.training
    model.eval()
    found: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def note(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        mean, variance = inputs[0].mean(dim=(0, 2, 3)), inputs[0].var(dim=(0, 2, 3))
        found[norm] = mean, variance.clamp_min(_SMALLEST_VARIANCE)

    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    try:
        model(images)
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)
    for norm, (mean, variance) in found.items():
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.bias.add_(mean)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)


def _convolutions_with_norm(model: nn.Module) -> list[tuple[str, str, nn.BatchNorm2d]]:
    """Pair each convolution with the batch norm listed right behind it: (name, name, norm)."""
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    return [
        (name, norm_name, norm)
        for (name, module), (norm_name, norm) in itertools.pairwise(layers)
        if isinstance(module, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    ]


def _adding(bias: Tensor, norm_name: str, model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a batch norm that adds the bias and nothing else."""
    norm = model.get_submodule(norm_name)
    assert isinstance(norm, nn.BatchNorm2d)
    one = torch.ones_like(bias)
    return {
        f"{norm_name}.weight": one,
        f"{norm_name}.bias": bias,
        f"{norm_name}.running_mean": torch.zeros_like(bias),
        f"{norm_name}.running_var": one - norm.eps,
    }
