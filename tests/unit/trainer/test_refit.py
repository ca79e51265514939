"""The classifier of an exported model fitted anew: what it learns, and what it keeps."""

from pathlib import Path

import numpy as np
import pytest

from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.registry import open_engine
from lanet_live.face.template import TEMPLATE_ID
from lanet_trainer.commands.main import main
from lanet_trainer.datasets.prepared import open_prepared
from lanet_trainer.export.refit import (
    Lesson,
    Seen,
    class_weights,
    refit,
    see,
    trusted_partly,
    write_refitted,
)
from tests.conftest import PROJECT_ROOT
from tests.prepared_sets import LABELS, write_prepared
from tests.tiny_model import tiny_spec, write_tiny_model


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny.onnx", tiny_spec(labels=LABELS, alignment=TEMPLATE_ID))


def logits_of(path: Path, crops: np.ndarray) -> np.ndarray:
    engine = open_engine(path, backend="onnxruntime")
    try:
        return engine.infer(crops) / engine.spec.temperature
    finally:
        engine.close()


def accuracy(path: Path, data: Path) -> float:
    split = open_prepared(data).split("valid")
    found = see(read_model_file(path), split).logits[: len(split)].argmax(axis=1)
    return float((found == split.label).mean())


def test_seen_features_and_logits_belong_together(model_path: Path, tmp_path: Path) -> None:
    split = open_prepared(write_prepared(tmp_path / "d")).split("train")
    model = read_model_file(model_path)
    seen = see(model, split)
    assert seen.features.shape == (2 * len(split), 54)
    assert seen.logits.shape == (2 * len(split), len(LABELS))
    onnx = pytest.importorskip("onnx")
    stored = {
        t.name: onnx.numpy_helper.to_array(t)
        for t in onnx.load_model_from_string(model.content).graph.initializer
    }
    expected = seen.features @ stored["head.weight"] + stored["head.bias"]
    assert seen.logits == pytest.approx(expected / model.spec.temperature, abs=1e-4)


def test_a_heavy_penalty_leaves_the_model_as_it_is(model_path: Path, tmp_path: Path) -> None:
    data, out = write_prepared(tmp_path / "d"), tmp_path / "same.onnx"
    command = ["refit", str(model_path), "--data", str(data), "--decay", "1e9", "-o", str(out)]
    assert main(command) == 0
    crops = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    before, after = logits_of(model_path, crops), logits_of(out, crops)
    # The bias is free: the same change for every picture.
    change = (after - before) - (after - before).mean(axis=1, keepdims=True)
    assert np.abs(change - change[0]).max() < 1e-3


def test_it_learns_a_new_set_and_keeps_the_network(model_path: Path, tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "d", sizes={"train": 160, "valid": 40})
    out = tmp_path / "fit.onnx"
    command = ["refit", str(model_path), "--data", str(data), "--decay", "1e-4", "-o", str(out)]
    assert main(command) == 0
    assert accuracy(out, data) > accuracy(model_path, data) + 0.3
    old, new = read_model_file(model_path), read_model_file(out)
    assert new.op_types == old.op_types
    assert new.n_parameters == old.n_parameters
    assert new.spec.temperature == 1.0
    note = new.spec.provenance["refitted"]
    assert note["from_sha256"] == old.sha256
    assert note["n_samples"] == [160]
    assert str(tmp_path) not in note["command"]


def test_offsets_behind_the_last_layer_are_kept(tmp_path: Path) -> None:
    """The shipped model ends in a linear layer and fitted offsets of its classes."""
    shipped = PROJECT_ROOT / "assets" / "models" / "lanet-live.onnx"
    model = read_model_file(shipped)
    change = (np.zeros((8, 1280), np.float32), np.zeros(8, np.float32))
    out = tmp_path / "same.onnx"
    write_refitted(model, change, out, note={})
    side = model.spec.input_size_px
    crops = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    assert logits_of(out, crops) == pytest.approx(logits_of(shipped, crops), abs=1e-4)


def test_weights_of_sets_count_whatever_their_sizes() -> None:
    """Two sets that disagree about one point: the answer is the ratio of their weights."""

    def lesson(label: int, n: int, weight: float) -> Lesson:
        seen = Seen(np.ones((2 * n, 3), np.float32), np.zeros((2 * n, 2), np.float32))
        targets = np.tile(np.eye(2, dtype=np.float32)[label], (n, 1))
        return Lesson(seen, targets, np.ones(n, np.float32), weight)

    weight, bias = refit([lesson(0, 10, 1.0), lesson(1, 400, 0.25)], decay=1e-3)
    answer = weight @ np.ones(3) + bias
    assert 1 / (1 + np.exp(answer[1] - answer[0])) == pytest.approx(0.8, abs=0.01)


def test_untrusted_labels_give_a_share_to_the_model_and_to_all() -> None:
    seen = Seen(np.zeros((2, 1), np.float32), np.array([[0.0, 0.0], [9.0, 9.0]], np.float32))
    found = trusted_partly(np.array([[1.0, 0.0]], np.float32), seen, assumed_noise=0.4)
    assert found == pytest.approx(np.array([[0.8, 0.2]]))


def test_rare_classes_weigh_more_but_not_without_bound() -> None:
    labels = np.array([0] * 400 + [1] * 100 + [2])
    weights = class_weights(labels, balance=0.5)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[400] / weights[0] == pytest.approx(2.0)
    assert weights[-1] / weights[0] == pytest.approx((400 / 20) ** 0.5)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--weight", "1", "2"], "one number for each data set"),
        (["--assumed-noise", "1"], "--assumed-noise must lie in 0 to 1"),
        (["--decay", "-1"], "must not be negative"),
    ],
)
def test_wrong_numbers_are_one_sentence(
    more: list[str],
    message: str,
    model_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = write_prepared(tmp_path / "d")
    command = ["refit", str(model_path), "--data", str(data), "-o", str(tmp_path / "o.onnx")]
    assert main([*command, *more]) == 2
    assert message in capsys.readouterr().err
