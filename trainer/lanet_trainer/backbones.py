"""Any timm backbone behind one small interface: a shared stem, a tail of stages, pooled features.

timm's own modules are re-hung, not rewritten: the stem runs through the first stage (stride 4 in
most families), the tail holds the remaining stages, so that a tail can be copied as a second
branch over one stem. That the re-hung parts compute what timm's `forward_features` computes is
checked whenever a backbone is built.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

import timm
import torch
from torch import Tensor, nn

from lanet_engines.plugins import find_plugin
from lanet_trainer.errors import ConfigError
from lanet_trainer.pretrained import load_pretrained

# Entry points of other packages, each of which registers the timm model it is named after.
BACKBONE_GROUP: Final = "lanet_train.backbones"
# The first child of a timm model that no longer belongs to the feature extractor.
_HEAD_CHILDREN = ("global_pool", "head", "avgpool")
_STEM_STRIDE = 4
_CHECK_SIDE_PX = 64
# Families whose last norm sits behind the pooling by default; in front of it, the
# pooled features are the plain mean of the last map, as class activation maps need them.
_FAMILY_ARGUMENTS: dict[str, dict[str, Any]] = {
    "convnext": {"head_norm_first": True},
    "edgenext": {"head_norm_first": True},
}


class Tail(nn.Module):
    """The stages behind the stem, in order. A deep copy is an independent second branch.

    Attributes:
        stages: One module a stage.
        channels: Channels of each stage's map.
    """

    def __init__(self, stages: list[nn.Sequential], channels: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels = channels

    def forward(self, stem_map: Tensor) -> list[Tensor]:
        """Return the map of every stage, shallow to deep, for a stem map (B, D0, h, w)."""
        maps = []
        current = stem_map
        for stage in self.stages:
            current = stage(current)
            maps.append(current)
        return maps


class Backbone(nn.Module):
    """A feature extractor cut into stem and tail.

    Attributes:
        name: As given to `build_backbone`.
        stem: Image (B, 3, S, S) -> stem map (B, stem_channels, h, w).
        tail: Stem map -> one map a stage.
        stem_channels: Channels of the stem map.
        n_features: Channels of the last map, D.
        initialisation: Where the weights come from, for the record of the run.
    """

    def __init__(
        self, name: str, stem: nn.Sequential, tail: Tail, *, stem_channels: int, initialisation: str
    ) -> None:
        super().__init__()
        self.name = name
        self.stem = stem
        self.tail = tail
        self.stem_channels = stem_channels
        self.n_features = tail.channels[-1]
        self.initialisation = initialisation

    def forward_maps(self, image: Tensor) -> Tensor:
        """Return the last feature map, (B, D, h, w)."""
        maps: list[Tensor] = self.tail(self.stem(image))
        return maps[-1]

    def forward(self, image: Tensor) -> Tensor:
        """Return the pooled features, (B, D): the mean of the last map over its positions."""
        return pool(self.forward_maps(image))

    def plain_state_dict(self) -> dict[str, Tensor]:
        """Return the weights under timm's own names, for loading into a plain timm model."""
        return {_timm_name(name): tensor for name, tensor in self.state_dict().items()}


def pool(feature_map: Tensor) -> Tensor:
    """Average a map (B, D, h, w) over its positions: (B, D)."""
    return feature_map.mean(dim=(2, 3))


def split_stem(backbone: Backbone) -> tuple[nn.Sequential, Tail]:
    """Return the shared stem and the tail; `copy.deepcopy(tail)` makes the second branch."""
    return backbone.stem, backbone.tail


def compile_backbones(module: nn.Module, *, backend: str = "inductor") -> None:
    """Let torch compile every backbone and every second tail inside a module, in place.

    Names and weights stay as they are; a deep copy of the module is not compiled.
    """
    for part in module.modules():
        if isinstance(part, Tail):
            part.compile(backend=backend)
        elif isinstance(part, Backbone):
            part.stem.compile(backend=backend)


def build_backbone(
    name: str, *, pretrained: str | None = None, drop_path_rate: float = 0.0
) -> Backbone:
    """Build a backbone by its timm name.

    Args:
        name: A timm model with feature stages. ResNets take the suffix "@small": a 3x3 convolution
            of stride 2 without max-pooling as stem, for inputs of 40 to 80 px.
        pretrained: None for random weights, the name of a package with weights, or a file
            (safetensors, or a torch file of plain tensors).
        drop_path_rate: Stochastic depth, for the families that have it.

    Raises:
        ConfigError: The name is unknown, or the model has no stages to split.
        CheckpointError: The weights do not fill the whole backbone.
        PluginError: The package that adds the backbone is broken.
    """
    timm_name, _, variant = name.partition("@")
    model = _create_timm_model(timm_name, drop_path_rate)
    if variant:
        _apply_variant(model, name, variant)
    groups, channels = _group_by_stage(model, name)
    initialisation = "random"
    if pretrained is not None:
        kept = {part for group in groups for part, _ in group}
        initialisation = load_pretrained(model, pretrained, backbone_name=timm_name, parts=kept)
    stem, *tail = [
        nn.Sequential(OrderedDict((part.replace(".", ":"), module) for part, module in group))
        for group in groups
    ]
    backbone = Backbone(
        name,
        stem,
        Tail(tail, channels[1:]),
        stem_channels=channels[0],
        initialisation=initialisation,
    )
    _check_equals_timm(backbone, model)
    return backbone


def _create_timm_model(timm_name: str, drop_path_rate: float) -> Any:
    if not timm.is_model(timm_name):
        _import_plugin(timm_name)
    if not timm.is_model(timm_name):
        close = timm.list_models(f"*{timm_name}*")[:5] or timm.list_models(f"{timm_name[:4]}*")[:5]
        hint = f" Close to it: {', '.join(close)}." if close else ""
        raise ConfigError(f"There is no backbone called '{timm_name}' in timm.{hint}")
    arguments: dict[str, Any] = {"drop_path_rate": drop_path_rate} if drop_path_rate else {}
    for family, extra in _FAMILY_ARGUMENTS.items():
        if timm_name.startswith(family):
            arguments |= extra
    try:
        return timm.create_model(timm_name, num_classes=0, **arguments)
    except TypeError as error:
        raise ConfigError(f"The backbone '{timm_name}' has no stochastic depth.") from error


def _import_plugin(name: str) -> None:
    """Import the package that adds a backbone, if there is one, so that timm knows the name."""
    plugin = find_plugin(BACKBONE_GROUP, name)
    if plugin is not None:
        plugin.load()
        if not timm.is_model(name):
            raise plugin.refuse("registers no timm model of this name when it is imported")


def _apply_variant(model: Any, name: str, variant: str) -> None:
    """Change a ResNet's stem for small inputs: stride 2 in place of 4."""
    if variant != "small" or type(model).__name__ != "ResNet" or not _is_conv(model.conv1):
        raise ConfigError(
            f"The backbone '{name}' is not known: only ResNets with a one-convolution stem have a "
            "variant, '@small'."
        )
    width = model.conv1.out_channels
    model.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = nn.Identity()


def _is_conv(module: object) -> bool:
    return isinstance(module, nn.Conv2d)


Part = tuple[str, nn.Module]


def _parts_in_order(model: nn.Module, stage_ends: list[str]) -> Iterator[Part]:
    """Walk the feature extractor's modules in order, opening the containers that hold stages."""
    containers = {end.rpartition(".")[0] for end in stage_ends} - {""}
    for name, child in model.named_children():
        if name in _HEAD_CHILDREN:
            return
        if name in containers:
            yield from ((f"{name}.{inner}", module) for inner, module in child.named_children())
        else:
            yield name, child


def _group_by_stage(model: Any, name: str) -> tuple[list[list[Part]], tuple[int, ...]]:
    """Group the parts: the first group ends at stride 4, each later one at the next stride."""
    refusal = ConfigError(
        f"The backbone '{name}' has no feature stages that can be split; take a convolutional one "
        "such as resnet18, tf_efficientnet_lite0, mobilenetv4_conv_small or convnext_atto."
    )
    info = getattr(model, "feature_info", None)
    stages = [s for s in (info or []) if s["reduction"] >= _STEM_STRIDE]
    if len(stages) < 2:
        raise refusal
    ends = [stage["module"] for stage in stages]
    groups: list[list[Part]] = [[]]
    for part, module in _parts_in_order(model, ends):
        groups[-1].append((part, module))
        if part in ends[:-1]:
            groups.append([])
    if len(groups) != len(stages) or not groups[-1]:
        raise refusal
    return groups, (*(s["num_chs"] for s in stages[:-1]), model.num_features)


@torch.no_grad()
def _check_equals_timm(backbone: Backbone, model: Any) -> None:
    """Refuse a model whose parts in a row are not what its own `forward_features` computes."""
    image = torch.linspace(-1, 1, 3 * _CHECK_SIDE_PX**2).reshape(1, 3, _CHECK_SIDE_PX, -1)
    was_training = model.training
    model.eval()
    backbone.eval()
    try:
        ours, theirs = backbone.forward_maps(image), model.forward_features(image)
        is_equal = ours.shape == theirs.shape and torch.allclose(ours, theirs, atol=1e-5, rtol=1e-4)
    except (RuntimeError, TypeError, AssertionError):
        is_equal = False
    if not is_equal or ours.shape[1] != backbone.n_features:
        raise ConfigError(
            f"The backbone '{backbone.name}' cannot be split into stages that run one after the "
            "other; choose another timm model."
        )
    backbone.train(was_training)


def _timm_name(name: str) -> str:
    """Turn `stem.conv1.weight` or `tail.stages.0.blocks:2.…` into timm's name."""
    if name.startswith("stem."):
        return name.removeprefix("stem.").replace(":", ".")
    return name.split(".", maxsplit=3)[3].replace(":", ".")
