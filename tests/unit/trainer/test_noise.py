from pathlib import Path

import numpy as np
import pytest

from lanet_trainer.errors import ConfigError, DataError
from lanet_trainer.noise import CONFUSED_WITH, apply_noise, confusion_map, hash_labels, parse_noise

RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
RAF_COUNTS = (1290, 281, 717, 4772, 1982, 705, 2524)
FERPLUS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
)  # fmt: skip


def _raf_labels() -> np.ndarray:
    return np.repeat(np.arange(7), RAF_COUNTS)


def _noisy(text: str, seed: int = 0) -> tuple[np.ndarray, dict]:
    return apply_noise(_raf_labels(), parse_noise(text), class_names=RAF, seed=seed)


@pytest.mark.parametrize(("rate", "sigma"), [(0.1, 33.2), (0.2, 44.3), (0.3, 50.8)])
@pytest.mark.parametrize("kind", ["symmetric", "asymmetric"])
def test_realised_flips_lie_within_four_sigma(kind: str, rate: float, sigma: float) -> None:
    noisy, record = _noisy(f"{kind}:{rate}")
    n_flipped = int((noisy != _raf_labels()).sum())
    assert abs(n_flipped - rate * 12271) < 4 * sigma
    assert record["n_flipped"] == n_flipped


def test_symmetric_spreads_flips_evenly_over_the_other_classes() -> None:
    noisy, record = _noisy("symmetric:0.3")
    matrix = np.array(record["matrix"])
    shift = (noisy - _raf_labels())[noisy != _raf_labels()] % 7
    counts = np.bincount(shift, minlength=7)
    assert counts[0] == 0
    expected = counts.sum() / 6
    chi_square = ((counts[1:] - expected) ** 2 / expected).sum()
    assert chi_square < 20.5  # 0.1 % point with 5 degrees of freedom
    assert matrix.sum(axis=1).tolist() == list(RAF_COUNTS)


def test_asymmetric_flips_go_to_the_confused_class_only() -> None:
    noisy, record = _noisy("asymmetric:0.3")
    clean = _raf_labels()
    is_flipped = noisy != clean
    np.testing.assert_array_equal(noisy[is_flipped], confusion_map(RAF)[clean[is_flipped]])
    into = np.array(record["matrix"]) - np.diag(np.diag(record["matrix"]))
    assert into[:, RAF.index("fear")].sum() == 0
    assert into[:, RAF.index("happiness")].sum() == 0


def test_asymmetric_gives_the_expected_class_counts() -> None:
    expected = [987.3, 196.7, 713.4, 3340.4, 2144.6, 1095.6, 3793.0]  # in RAF-DB's order
    counts = np.mean(
        [np.bincount(_noisy("asymmetric:0.3", seed)[0], minlength=7) for seed in range(40)], axis=0
    )
    np.testing.assert_allclose(counts, expected, rtol=0.02, atol=3)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"),
         [1, 0, 5, 6, 6, 0, 4]),
        (RAF, [5, 0, 5, 6, 6, 2, 4]),
        (FERPLUS, [3, 0, 4, 0, 5, 4, 2, 0]),
        (("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Angry", "Contempt"),
         [2, 0, 0, 6, 3, 6, 5, 0]),
    ],
)  # fmt: skip
def test_confusion_map_is_derived_from_names(names: tuple[str, ...], expected: list[int]) -> None:
    assert confusion_map(names).tolist() == expected


def test_confusion_has_no_fixed_point_and_leads_into_no_rare_class() -> None:
    assert all(name != other for name, other in CONFUSED_WITH.items())
    assert not {"fear", "happiness", "contempt"} & set(CONFUSED_WITH.values())


def test_exact_mode_flips_exactly_the_rate() -> None:
    noisy, record = _noisy("symmetric:0.2:exact")
    assert (noisy != _raf_labels()).sum() == record["n_flipped"] == round(0.2 * 12271)


@pytest.mark.parametrize("text", ["none", "symmetric:0", "asymmetric:0"])
def test_rate_zero_changes_nothing(text: str) -> None:
    noisy, record = _noisy(text)
    np.testing.assert_array_equal(noisy, _raf_labels())
    assert record["hash"] == hash_labels(_raf_labels())


def test_seed_decides_the_labels_and_the_global_generator_does_not() -> None:
    first = _noisy("symmetric:0.2", seed=3)[0]
    np.random.seed(1)  # noqa: NPY002 - the global generator must not matter
    np.testing.assert_array_equal(first, _noisy("symmetric:0.2", seed=3)[0])
    assert (first != _noisy("symmetric:0.2", seed=4)[0]).any()


@pytest.mark.parametrize(
    "text", ["symetric:0.2", "symmetric", "symmetric:1.2", "symmetric:x", "symmetric:nan",
             "asymmetric:0.2:about", "list:"]
)  # fmt: skip
def test_unknown_noise_is_refused_with_the_known_forms(text: str) -> None:
    with pytest.raises(ConfigError, match="asymmetric:RATE"):
        parse_noise(text)


def test_asymmetric_names_a_class_it_does_not_know() -> None:
    with pytest.raises(ConfigError, match="boredom"):
        confusion_map(("neutral", "sadness", "boredom"))


def test_asymmetric_names_a_class_the_data_lacks() -> None:
    with pytest.raises(ConfigError, match="surprise, which the data lacks"):
        confusion_map(("neutral", "sadness", "fear"))


def _from_list(path: Path, kind: str = "list") -> np.ndarray:
    ids = ("train_00001", "train_00002", "test.case")
    return apply_noise(
        np.zeros(3, dtype=np.int64),
        parse_noise(f"{kind}:{path}"),
        class_names=RAF,
        seed=0,
        sample_ids=ids,
    )[0]


def test_list_labels_count_from_one_and_may_be_names(tmp_path: Path) -> None:
    path = tmp_path / "noise.txt"
    path.write_text("train_00001.jpg 5\n\nimages/train_00002_aligned.jpg 1\ntest.case,fear\n")
    assert _from_list(path).tolist() == [4, 0, 1]
    assert _from_list(path, "list0").tolist() == [5, 1, 1]


def test_list_without_a_sample_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "noise.txt"
    path.write_text("train_00001.jpg 5\n")
    with pytest.raises(DataError, match="train_00002"):
        _from_list(path)


def test_list_with_a_label_out_of_range_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "noise.txt"
    path.write_text("train_00001.jpg 8\n")
    with pytest.raises(DataError, match=r"Line 1 .* from 1 to 7"):
        _from_list(path)


def test_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.txt"):
        _from_list(tmp_path / "nowhere.txt")
