from pathlib import Path

import pytest

from lanet_engines.errors import BackendUnavailable, ModelFileError
from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.options import OpenOptions
from tests.onnx_bytes import write_node
from tests.tiny_model import tiny_model_bytes

pytest.importorskip("onnxruntime")

from lanet_engines.onnxruntime.engine import open_model


def test_device_the_build_lacks_is_refused_not_replaced(tiny_model_path: Path) -> None:
    model = read_model_file(tiny_model_path)
    with pytest.raises(BackendUnavailable, match="no device ABACUS; it has CPU"):
        open_model(model, OpenOptions(device="abacus"))


def test_precision_it_does_not_run_is_refused(tiny_model_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="in fp32, not in bf16"):
        open_model(read_model_file(tiny_model_path), OpenOptions(precision="bf16"))


def test_graph_it_cannot_read_is_a_model_error(tmp_path: Path) -> None:
    nodes = [write_node("Conv", ["crops", "head.weight"], "logits")]  # two dimensions, not four
    path = tmp_path / "broken.onnx"
    path.write_bytes(tiny_model_bytes(nodes=nodes))
    with pytest.raises(ModelFileError, match=r"cannot read the model .*broken\.onnx"):
        open_model(read_model_file(path), OpenOptions())
