from pathlib import Path

import numpy as np
import pytest

from lanet_trainer.datasets.ferplus import read_ferplus
from lanet_trainer.datasets.files import open_source
from lanet_trainer.datasets.vote_rules import apply_vote_rule


def _apply(rule: str, *rows: list[int]) -> tuple[list[int], np.ndarray]:
    """Columns: two classes, then unknown."""
    counts = np.array(rows)
    label, distribution = apply_vote_rule(rule, counts[:, :-1], counts[:, -1:])
    return label.tolist(), distribution


def test_majority_needs_more_than_half_of_the_votes_left_without_single_ones() -> None:
    label, distribution = _apply("majority", [6, 4, 0], [5, 5, 0], [4, 1, 2], [1, 9, 0], [1, 1, 0])
    assert label == [0, -1, 0, 1, -1]
    np.testing.assert_array_equal(distribution[:3], [[1, 0], [0, 0], [1, 0]])


def test_majority_for_unknown_leaves_the_sample_out() -> None:
    assert _apply("majority", [2, 0, 8])[0] == [-1]


def test_distribution_stops_at_three_quarters_of_the_votes() -> None:
    label, distribution = _apply("distribution", [8, 2, 0], [6, 4, 0])
    assert label == [0, 0]
    np.testing.assert_allclose(distribution, [[1, 0], [0.6, 0.4]], atol=1e-6)


def test_distribution_drops_unknown_behind_a_class_and_loses_the_sample_before_one() -> None:
    label, distribution = _apply("distribution", [6, 0, 4], [3, 0, 7], [5, 0, 5])
    assert label[:2] == [0, -1]
    np.testing.assert_array_equal(distribution[0], [1, 0])
    assert label[2] == -1  # taken 5 of 10 is not more than half


def test_plurality_leaves_ties_and_images_of_nothing_known_out() -> None:
    label, _ = _apply("plurality", [4, 3, 3], [3, 3, 0], [1, 0, 9], [5, 0, 5])
    assert label == [0, -1, -1, -1]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("majority", (25045, 3191)), ("distribution", (27947, 3508))],
)
def test_rules_keep_the_published_number_of_ferplus_images(
    shared_dir: Path, rule: str, expected: tuple[int, int]
) -> None:
    archive = shared_dir / "data" / "ferplus-train-valid.zip"
    listing = read_ferplus(open_source(archive))
    kept = []
    for split in ("train", "valid"):
        votes = np.array([s.votes for s in listing.splits[split]])
        ignored = np.array([s.ignored_votes for s in listing.splits[split]])
        label, _ = apply_vote_rule(rule, votes, ignored)
        kept.append(int((label >= 0).sum()))
        if rule == "majority" and split == "train":
            counts = np.bincount(label[label >= 0])
            assert counts.tolist() == [8733, 7284, 3136, 3022, 2098, 116, 536, 120]
    assert tuple(kept) == expected
