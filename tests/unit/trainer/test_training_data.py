"""What a run trains on: label rules, votes, noise, and a part held out."""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lanet_trainer.commands.fit import add_arguments, to_config
from lanet_trainer.datasets.layout import read_samples, write_samples
from lanet_trainer.errors import ConfigError
from lanet_trainer.training.config import FitConfig
from lanet_trainer.training.training_data import (
    TrainingData,
    choose_training_data,
    open_for_training,
)
from tests.prepared_sets import LABELS, write_prepared


def _config(data: Path, *options: str) -> FitConfig:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return to_config(parser.parse_args(["--data", str(data), "--out", "x", *options]))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("d") / "tiny", sizes={"train": 40, "valid": 8})


def _choose(config: FitConfig) -> TrainingData:
    return choose_training_data(open_for_training(config), config)


def test_hard_targets_are_one_hot_noisy_labels(data: Path) -> None:
    chosen = _choose(_config(data, "--noise", "symmetric:0.5:exact"))
    assert (chosen.labels != chosen.clean_labels).sum() == 20
    assert np.array_equal(chosen.targets, np.eye(4, dtype=np.float32)[chosen.labels])
    again = _choose(_config(data, "--noise", "symmetric:0.5:exact"))
    assert np.array_equal(chosen.labels, again.labels)
    other = _choose(_config(data, "--noise", "symmetric:0.5:exact", "--seed", "1"))
    assert not np.array_equal(chosen.labels, other.labels)


def test_votes_and_distribution_are_soft(data: Path) -> None:
    votes = _choose(_config(data, "--targets", "votes"))
    assert votes.targets[0] == pytest.approx([0.7, 0.1, 0.1, 0.1])
    by_rule = _choose(_config(data, "--targets", "distribution"))
    assert by_rule.targets[0] == pytest.approx([1, 0, 0, 0])  # single votes are dropped
    assert np.array_equal(votes.labels, by_rule.labels)


def test_a_rule_for_training_leaves_the_validation_split_as_it_is(tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "torn", sizes={"train": 40, "valid": 8})
    for split in ("train", "valid"):
        rows = read_samples(data / split, labels=LABELS, ignored_names=("unknown",))
        torn = dataclasses.replace(rows[0][0], votes=(4, 3, 3, 0))
        rows[0] = (torn, rows[0][1])
        write_samples(data / split, rows, labels=LABELS, ignored_names=("unknown",))
    by_majority, by_plurality = (_choose(_config(data, *o)) for o in ((), ("--rule", "plurality")))
    assert (len(by_majority.split), len(by_plurality.split)) == (39, 40)
    assert by_plurality.labels[0] == 0
    for chosen in (by_majority, by_plurality):
        assert chosen.valid is not None
        assert len(chosen.valid) == 7


def test_a_rule_does_not_go_with_soft_targets(data: Path) -> None:
    with pytest.raises(ConfigError, match="--rule makes hard labels"):
        _config(data, "--rule", "plurality", "--targets", "votes")


def test_without_a_validation_split_no_epoch_can_be_chosen(tmp_path: Path) -> None:
    alone = write_prepared(tmp_path / "alone", sizes={"train": 40})
    assert _choose(_config(alone)).valid is None


def test_validation_joins_the_training_samples(data: Path) -> None:
    chosen = _choose(_config(data, "--include-valid"))
    assert (len(chosen.split), chosen.valid) == (48, None)


def test_a_part_of_the_training_set_is_the_same_for_every_seed(data: Path) -> None:
    first, second = (_choose(_config(data, "--n-train", "20", "--seed", s)) for s in ("0", "1"))
    assert len(first.split) == len(set(first.split.sample_ids)) == 20
    assert first.split.sample_ids == second.split.sample_ids


def test_a_part_larger_than_the_training_set_is_refused(data: Path) -> None:
    with pytest.raises(ConfigError, match="more than the 40"):
        _choose(_config(data, "--n-train", "41"))
