import numpy as np
import pytest

from lanet_trainer.errors import ConfigError
from lanet_trainer.training.samplers import EpochSampler, class_quotas, count_repetitions

# RAF-DB train: anger, disgust, fear, happiness, sadness, surprise, neutral.
RAF_COUNTS = np.array([705, 717, 281, 4772, 1982, 1290, 2524])


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, [705, 717, 281, 4772, 1982, 1290, 2524]),
        (40, [1229, 1235, 1017, 3263, 1868, 1522, 2137]),
        (79, [1740, 1741, 1735, 1791, 1756, 1748, 1760]),
    ],
)
def test_quotas_follow_the_published_schedule(epoch: int, expected: list[int]) -> None:
    assert class_quotas(RAF_COUNTS, balance=epoch / 80).tolist() == expected


@pytest.mark.parametrize("balance", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("counts", [[5], [1, 1, 1], [100, 1, 1, 2], [3, 1000, 7]])
def test_quotas_sum_to_the_number_of_samples(counts: list[int], balance: float) -> None:
    quotas = class_quotas(np.array(counts), balance=balance)
    assert quotas.sum() == sum(counts)
    assert (quotas >= 0).all()


def _labels() -> np.ndarray:
    return np.repeat([0, 1, 2], [60, 30, 10])


def test_shuffle_visits_every_sample_once() -> None:
    order = EpochSampler("shuffle", _labels(), 10, seed=0).order(3)
    assert sorted(order.tolist()) == list(range(100))


def test_progressive_goes_from_natural_to_nearly_equal_shares() -> None:
    sampler = EpochSampler("progressive", _labels(), 10, seed=0)
    first, last = (np.bincount(_labels()[sampler.order(e)], minlength=3) for e in (0, 9))
    assert first.tolist() == [60, 30, 10]
    assert last.max() - last.min() <= 6
    assert last.sum() == 100


def test_progressive_repeats_no_sample_before_all_of_its_class_were_drawn() -> None:
    order = EpochSampler("progressive", _labels(), 10, seed=0).order(9)
    visits = np.bincount(order, minlength=100)
    for label in range(3):
        of_class = visits[_labels() == label]
        assert of_class.max() - of_class.min() <= 1


def test_order_depends_on_seed_and_epoch_only() -> None:
    a, b = (EpochSampler("balanced", _labels(), 10, seed=1) for _ in range(2))
    np.random.seed(5)  # noqa: NPY002 - the global generator must not matter
    np.testing.assert_array_equal(a.order(2), b.order(2))
    assert (a.order(2) != a.order(3)).any()
    assert (a.order(2) != EpochSampler("balanced", _labels(), 10, seed=2).order(2)).any()


def test_a_class_without_samples_is_passed_over() -> None:
    order = EpochSampler("balanced", np.array([0, 0, 0, 2]), 1, seed=0).order(0)
    assert len(order) == 4


def test_a_share_bounds_the_balance() -> None:
    sampler = EpochSampler("balanced:0.3", _labels(), 10, seed=0)
    drawn = np.bincount(_labels()[sampler.order(0)], minlength=3)
    assert drawn.tolist() == class_quotas(np.array([60, 30, 10]), balance=0.3).tolist()
    grown = EpochSampler("progressive:0.5", _labels(), 10, seed=0).order(6)
    expected = class_quotas(np.array([60, 30, 10]), balance=0.3)
    assert np.bincount(_labels()[grown]).tolist() == expected.tolist()


@pytest.mark.parametrize("text", ["shuffle:0.3", "balanced:0", "balanced:1.5", "progressive:x"])
def test_a_wrong_share_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        EpochSampler(text, _labels(), 10, seed=0)


def test_unknown_sampler_is_named() -> None:
    with pytest.raises(ConfigError, match="shuffel"):
        EpochSampler("shuffel", _labels(), 10, seed=0)


def test_count_repetitions_counts_earlier_visits() -> None:
    assert count_repetitions(np.array([4, 1, 4, 4, 1, 0])).tolist() == [0, 0, 1, 2, 1, 0]
