from dataclasses import replace

import numpy as np
import pytest

from lanet_engines.base import EngineInfo, F32Array, U8Array
from lanet_engines.parity import answer, compare, softmax
from lanet_engines.spec import ModelSpec
from tests.tiny_model import tiny_spec


class TableEngine:
    """Answers from a table, whatever the crops."""

    def __init__(self, logits: list[list[float]], spec: ModelSpec) -> None:
        self.logits = np.array(logits, dtype=np.float32)
        self.spec = spec
        self.info = EngineInfo("table", "memory", "fp32", "1", "0" * 64)

    def infer(self, crops_bgr: U8Array) -> F32Array:
        return self.logits[: len(crops_bgr)]

    def close(self) -> None: ...


CROPS = np.zeros((2, 32, 32, 3), dtype=np.uint8)


def test_softmax_divides_by_the_temperature() -> None:
    probabilities = softmax(np.array([[0.0, np.log(3) * 2]], dtype=np.float32), 2.0)
    np.testing.assert_allclose(probabilities, [[0.25, 0.75]], rtol=1e-6)


def test_softmax_takes_large_logits() -> None:
    assert np.isfinite(softmax(np.array([[1e4, -1e4]], dtype=np.float32), 1.0)).all()


def test_compare_reports_the_largest_difference_and_the_agreement() -> None:
    spec = tiny_spec(labels=("a", "b"), temperature=1.0)
    log3 = float(np.log(3))
    reference = TableEngine([[0, 0.1], [0, log3]], spec)
    engine = TableEngine([[0, 0.1], [log3, 0]], spec)
    report = compare(engine, reference, CROPS)
    assert report.max_abs_dp == pytest.approx(0.5, abs=1e-6)
    assert report.top1_agreement == 0.5
    assert report.n == 2
    assert report.reference == "table fp32"
    assert report.to_dict()["n"] == 2


def test_compare_refuses_different_models() -> None:
    one = TableEngine([[0, 0]], tiny_spec(labels=("a", "b")))
    other = TableEngine([[0, 0]], tiny_spec(labels=("a", "b")))
    other.info = replace(other.info, model_sha256="1" * 64)
    with pytest.raises(ValueError, match="different models"):
        compare(one, other, CROPS)


def test_answers_average_the_views_of_the_model() -> None:
    class SideEngine(TableEngine):
        """Answers by the colour of the left edge."""

        def infer(self, crops_bgr: U8Array) -> F32Array:
            left = crops_bgr[:, :, 0].mean(axis=(1, 2), dtype=np.float32)
            return np.stack([left, np.zeros_like(left)], axis=1)

    crops = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    crops[:, :, 0] = 2
    for ensemble, logit in (("none", 2.0), ("mirror", 1.0)):
        spec = tiny_spec(labels=("a", "b"), temperature=1.0, ensemble=ensemble)
        wanted = 1 / (1 + np.exp(-logit))
        np.testing.assert_allclose(answer(SideEngine([], spec), crops)[0, 0], wanted, rtol=1e-6)
