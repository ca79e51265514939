"""Training on several data sets at once: classes by name, shares, single labels not trusted."""

from pathlib import Path

import numpy as np
import pytest

from lanet_live.face.template import TEMPLATE_ID
from lanet_trainer.commands.main import main
from lanet_trainer.datasets.base import DatasetListing, Sample, hold_out
from lanet_trainer.errors import ConfigError, DataError
from lanet_trainer.training.config import FitConfig
from lanet_trainer.training.history import HISTORY_FILE
from lanet_trainer.training.samplers import DomainShares, EpochSampler
from lanet_trainer.training.training_data import choose_training_data, open_for_training
from tests.prepared_sets import LABELS, write_prepared
from tests.tiny_model import tiny_spec, write_tiny_model
from tests.training_fakes import tiny_config

OTHER_LABELS = ("sadness", "neutral", "happiness")


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    """One set with votes, and one with single labels and its classes in another order."""
    first = write_prepared(tmp_path / "voted", sizes={"train": 24, "valid": 8})
    second = write_prepared(
        tmp_path / "single", sizes={"train": 12, "valid": 6}, labels=OTHER_LABELS, seed=1
    )
    record = second / "dataset.json"
    record.write_text(
        record.read_text().replace('"has_votes": true', '"has_votes": false')
        .replace('"rule": "majority"', '"rule": "given"')
        .replace('"name": "tiny"', '"name": "single"')
    )  # fmt: skip
    for split in ("train", "valid"):
        path = second / split / "samples.csv"
        head, *rows = path.read_text().splitlines()
        lines = []
        for i, row in enumerate(rows):
            cells = row.split(",")
            cells[2] = OTHER_LABELS[i % 3]
            lines.append(",".join(cells[:4] + [""] * (len(cells) - 4)))
        path.write_text("\n".join([head, *lines]) + "\n")
    return first, second


def config_of(sets: tuple[Path, Path], **changes: object) -> FitConfig:
    return tiny_config(data=str(sets[0]), more_data=(str(sets[1]),), targets="votes", **changes)


def test_classes_are_matched_by_name_and_single_labels_are_one_hot(
    sets: tuple[Path, Path],
) -> None:
    config = config_of(sets)
    data = choose_training_data(open_for_training(config), config)
    assert data.domains is not None
    assert data.split.class_names == LABELS
    assert np.bincount(data.domains.domain).tolist() == [24, 12]
    assert data.domains.shares == pytest.approx((2 / 3, 1 / 3))
    second = data.labels[data.domains.domain == 1]
    assert [LABELS[i] for i in second] == [OTHER_LABELS[i % 3] for i in range(12)]
    assert (data.targets[24:] == np.eye(4)[second]).all()
    assert data.targets[0].max() == pytest.approx(0.7)
    assert len(set(data.split.sample_ids)) == 36
    assert list(data.measured) == ["single"]


def test_assumed_noise_goes_to_the_teacher_or_evenly_to_all(
    sets: tuple[Path, Path], tmp_path: Path
) -> None:
    spec = tiny_spec(labels=LABELS, alignment=TEMPLATE_ID)
    teacher = write_tiny_model(tmp_path / "t.onnx", spec)
    even, taught = (
        choose_training_data(open_for_training(config), config)
        for config in (
            config_of(sets, assumed_noise=(0.0, 0.4)),
            config_of(sets, assumed_noise=(0.0, 0.4), teacher=str(teacher)),
        )
    )
    assert even.targets[24].max() == pytest.approx(0.6 + 0.4 / 4)
    assert (even.targets[:24] == taught.targets[:24]).all()
    assert taught.targets[24:].sum(axis=1) == pytest.approx(1.0)
    onehot = np.eye(4)[taught.labels[24:]]
    answers = (taught.targets[24:] - 0.6 * onehot) / 0.4
    assert answers.sum(axis=1) == pytest.approx(1.0)
    assert np.ptp(answers, axis=1).min() > 0.0  # an answer, and not the even share


def test_a_class_the_first_set_lacks_is_refused_with_the_way_out(
    sets: tuple[Path, Path],
) -> None:
    config = tiny_config(data=str(sets[1]), more_data=(str(sets[0]),))
    with pytest.raises(DataError, match=r"surprise is not among .* --without"):
        choose_training_data(open_for_training(config), config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shares": (0.5,)}, "--share takes a number for each data set"),
        ({"shares": (0.5, 0.6)}, "sum to 1"),
        ({"assumed_noise": (0.1,)}, "--assumed-noise takes a number for each"),
        ({"assumed_noise": (0.0, 1.0)}, "must lie in 0 to 1"),
        ({"teacher": "t.onnx"}, "give --assumed-noise"),
        ({"holdout": 0.1}, "go with one data set"),
    ],
)
def test_options_that_do_not_fit_several_sets_are_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_config(more_data=("b",), **changes)


def test_each_set_gets_its_share_of_an_epoch_and_small_ones_are_repeated() -> None:
    labels = np.array([0] * 80 + [1] * 10 + [0] * 8 + [1] * 2)
    domain = np.array([0] * 90 + [1] * 10)
    sampler = EpochSampler("shuffle", labels, 2, 0, domains=DomainShares(domain, (0.6, 0.4)))
    order = sampler.order(0)
    assert len(order) == 100
    assert np.bincount(domain[order]).tolist() == [60, 40]
    of_second = np.bincount(order[domain[order] == 1], minlength=100)[90:]
    assert of_second.tolist() == [4] * 10
    assert len(set(order[domain[order] == 0])) == 60
    assert (order == sampler.order(0)).all()
    assert (order != sampler.order(1)).any()


def test_balance_holds_within_each_set() -> None:
    labels = np.array([0] * 45 + [1] * 5 + [0] * 45 + [1] * 5)
    domain = np.array([0] * 50 + [1] * 50)
    sampler = EpochSampler("balanced", labels, 2, 0, domains=DomainShares(domain, (0.5, 0.5)))
    order = sampler.order(0)
    for number in (0, 1):
        drawn = np.bincount(labels[order[domain[order] == number]])
        assert drawn.tolist() == [25, 25]


def test_persons_stay_together_when_a_part_is_held_out(tmp_path: Path) -> None:
    samples = tuple(
        Sample(f"{p}-{i}", "x.png", 0, person=f"p{p}") for p in range(60) for i in (0, 1)
    )
    listing = DatasetListing("d", ("a", "b"), "given", {"train": samples}, files=None)  # type: ignore[arg-type]
    held = hold_out(listing, 0.3).splits
    persons = {name: {s.person for s in split} for name, split in held.items()}
    assert not persons["train"] & persons["valid"]
    assert 8 <= len(persons["valid"]) <= 28


def test_fit_on_two_sets_measures_each_and_resumes(sets: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ["fit", "--data", *map(str, sets), "--share", "0.5", "0.5", "--targets", "votes"]
    command += ["--assumed-noise", "0", "0.2", "--method", "baseline", "--backbone", "test_resnet"]
    command += ["--size", "32", "--epochs", "2", "--batch-size", "8", "--workers", "0", "--quiet"]
    assert main([*command, "--out", str(out)]) == 0
    head = (out / HISTORY_FILE).read_text().splitlines()[0].split(",")
    assert {"valid_accuracy", "single_accuracy", "single_mean_class_accuracy"} <= set(head)
    assert main([*command, "--out", str(out), "--resume"]) == 0
