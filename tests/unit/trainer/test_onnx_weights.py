"""Training goes on from an exported model: the same function, with batch norms that can train."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lanet_engines.onnx_model.file import read_model_file
from lanet_trainer.backbones import build_backbone
from lanet_trainer.commands.main import main
from lanet_trainer.errors import CheckpointError
from lanet_trainer.onnx_weights import restore_batch_norm
from lanet_trainer.pretrained import normalisation_of
from tests.conftest import PROJECT_ROOT
from tests.prepared_sets import write_prepared
from tests.tiny_model import write_tiny_model

SHIPPED = PROJECT_ROOT / "assets" / "models" / "lanet-live.onnx"
BACKBONE = "tf_efficientnet_lite0"


def pooled_by_onnx(images: torch.Tensor) -> np.ndarray:
    """Return the pooled features of the shipped graph itself, (N, D)."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = onnx.load_model_from_string(read_model_file(SHIPPED).content)
    (pooling,) = (node for node in model.graph.node if node.op_type == "ReduceMean")
    model.graph.output.append(onnx.ValueInfoProto(name=pooling.output[0]))
    session = runtime.InferenceSession(model.SerializeToString())
    (found,) = session.run([pooling.output[0]], {model.graph.input[0].name: images.numpy()})
    return np.asarray(found)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    side = read_model_file(SHIPPED).spec.input_size_px
    coarse = torch.rand(24, 1, 10, 10, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, size=side, mode="bicubic").repeat(1, 3, 1, 1)


def test_the_backbone_computes_what_the_file_computes_before_and_after_restoring(
    images: torch.Tensor,
) -> None:
    expected = pooled_by_onnx(images)
    backbone = build_backbone(BACKBONE, pretrained=str(SHIPPED)).eval()
    assert backbone.initialisation == "file lanet-live.onnx"
    with torch.inference_mode():
        assert backbone(images).numpy() == pytest.approx(expected, abs=1e-3)
    restore_batch_norm(backbone, images)
    with torch.inference_mode():
        assert backbone(images).numpy() == pytest.approx(expected, abs=1e-3)


def test_restored_batch_norms_survive_batch_statistics(images: torch.Tensor) -> None:
    expected = pooled_by_onnx(images)
    plain, restored = (build_backbone(BACKBONE, pretrained=str(SHIPPED)) for _ in range(2))
    restore_batch_norm(restored, images)
    errors = []
    for backbone in (plain, restored):
        backbone.train()
        with torch.no_grad():
            errors.append(float(np.abs(backbone(images).numpy() - expected).mean()))
    assert errors[1] < 0.05 * errors[0]


def test_training_goes_on_from_the_shipped_model(tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "tiny", sizes={"train": 16, "valid": 4})
    command = ["fit", "--data", str(data), "--method", "baseline", "--backbone", BACKBONE]
    command += ["--pretrained", str(SHIPPED), "--size", "32", "--epochs", "1", "--batch-size", "8"]
    out = tmp_path / "run"
    assert main([*command, "--workers", "0", "--quiet", "--out", str(out)]) == 0
    assert json.loads((out / "run.json").read_text())["initialisation"] == "file lanet-live.onnx"
    spec = read_model_file(SHIPPED).spec
    assert json.loads((out / "config.json").read_text())["mean"] == list(spec.mean)


def test_normalisation_comes_from_the_file() -> None:
    spec = read_model_file(SHIPPED).spec
    assert normalisation_of(str(SHIPPED)) == {"mean": spec.mean, "std": spec.std}


def test_another_backbone_or_a_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="Nothing was loaded"):
        build_backbone("resnet18", pretrained=str(SHIPPED))
    foreign = write_tiny_model(tmp_path / "foreign.onnx")
    with pytest.raises(CheckpointError, match="was not made by lanet-train export"):
        build_backbone("resnet18", pretrained=str(foreign))
