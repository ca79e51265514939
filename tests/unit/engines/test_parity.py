import numpy as np
import pytest

from engines.base import EngineInfo, F32Array, U8Array
from engines.parity import compare, softmax
from engines.spec import ModelSpec
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


def test_compare_refuses_models_with_other_labels() -> None:
    one = TableEngine([[0, 0]], tiny_spec(labels=("a", "b")))
    other = TableEngine([[0, 0]], tiny_spec(labels=("a", "c")))
    with pytest.raises(ValueError, match="different labels"):
        compare(one, other, CROPS)
