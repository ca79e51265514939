import json
from pathlib import Path

import numpy as np
import pytest

from lanet_live.face.alignment import estimate_frame_to_crop
from lanet_trainer.datasets.prepared import open_prepared
from lanet_trainer.errors import ConfigError, DataError
from tests.prepared_sets import LABELS, write_prepared


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_prepared(tmp_path / "tiny")


def test_split_says_everything_of_its_samples(folder: Path) -> None:
    dataset = open_prepared(folder)
    split = dataset.split("train")
    assert dataset.labels == LABELS
    assert dataset.splits == ("train", "valid")
    assert len(split) == len(set(split.sample_ids)) == 24
    assert split.label.tolist() == [i % 4 for i in range(24)]
    assert split.votes is not None
    assert split.votes.sum(axis=1).tolist() == [10.0] * 24
    assert split.has_face.tolist() == [i % 5 != 4 for i in range(24)]
    assert split.image(3).shape == (48, 48)
    np.testing.assert_array_equal(np.isnan(split.landmarks_px[:, 0, 0]), ~split.has_face)
    np.testing.assert_array_equal(np.isnan(split.points_px[:, 0, 0]), ~split.has_face)
    expected = estimate_frame_to_crop(split.landmarks_px[0], size_px=96)
    np.testing.assert_allclose(split.alignment[0] * 96, expected, atol=1e-9)


def test_select_keeps_samples_together_with_their_data(folder: Path) -> None:
    split = open_prepared(folder).split("train")
    part = split.select(np.array([7, 2]))
    assert part.sample_ids == (split.sample_ids[7], split.sample_ids[2])
    np.testing.assert_array_equal(part.image(1), split.image(2))
    np.testing.assert_array_equal(part.landmarks_px[0], split.landmarks_px[7])
    assert part.label.tolist() == [3, 2]


def test_joined_splits_keep_ids_apart_and_data_together(folder: Path) -> None:
    dataset = open_prepared(folder)
    train, valid = dataset.split("train"), dataset.split("valid")
    both = train.joined_with(valid).select(np.array([1, 25]))
    assert both.sample_ids == ("train/train001", "valid/valid001")
    np.testing.assert_array_equal(both.image(1), valid.image(1))
    np.testing.assert_array_equal(both.points_px[1], valid.points_px[1])


def test_rule_can_be_chosen_when_opening_for_train_only(folder: Path) -> None:
    path = folder / "train" / "samples.csv"
    lines = path.read_text().splitlines()
    lines[1] = "train000,train/0.png,,1,5,4,0,0,0"
    (folder / "valid" / "samples.csv").write_text(
        "\n".join((folder / "valid" / "samples.csv").read_text().splitlines()) + "\n"
    )
    path.write_text("\n".join(lines) + "\n")
    shared = open_prepared(folder, rule="distribution").split("train")
    np.testing.assert_allclose(shared.distribution[0], [5 / 9, 4 / 9, 0, 0], atol=1e-6)
    strict = open_prepared(folder).split("train")
    np.testing.assert_array_equal(strict.distribution[0], [1, 0, 0, 0])
    valid = open_prepared(folder, rule="distribution").split("valid")
    assert set(np.unique(valid.distribution)) == {0.0, 1.0}


def test_rule_without_votes_is_refused(folder: Path) -> None:
    record = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**record, "has_votes": False}))
    with pytest.raises(ConfigError, match="majority"):
        open_prepared(folder)


def test_folder_without_a_data_set_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lanet-train prepare"):
        open_prepared(tmp_path)


def test_missing_split_is_named_with_those_there_are(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no split 'test'.*train, valid"):
        open_prepared(folder).split("test")


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: (f / "dataset.json").write_text("{"),
        lambda f: (f / "dataset.json").write_text('{"schema_version": 99}'),
        lambda f: (f / "train" / "samples.csv").unlink(),
        lambda f: (f / "train" / "samples.csv").write_text("id\n"),
        lambda f: (f / "train" / "chips.bin").write_bytes(b"short"),
        lambda f: (f / "train" / "chips.bin").unlink(),
        lambda f: (f / "train" / "landmarks.npy").write_bytes(b"no array"),
        lambda f: np.save(f / "train" / "alignment.npy", np.zeros(3)),
        lambda f: np.save(
            f / "train" / "chip_offsets.npy", np.array([{}], dtype=object), allow_pickle=True
        ),
    ],
)
def test_damage_is_answered_with_a_sentence(folder: Path, damage) -> None:
    damage(folder)
    with pytest.raises(DataError, match="prepare the data set again"):
        open_prepared(folder).split("train")


def test_another_template_is_refused(folder: Path) -> None:
    record = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**record, "template_id": "old"}))
    with pytest.raises(DataError, match="template old"):
        open_prepared(folder)


def test_a_class_left_out_takes_its_label_and_votes_with_it(folder: Path) -> None:
    whole = open_prepared(folder).split("train")
    dataset = open_prepared(folder, without=("surprise",))
    split = dataset.split("train")
    assert dataset.labels == split.class_names == ("neutral", "happiness", "sadness")
    assert dataset.left_out == ("surprise",)
    was_left_out = whole.label == 2
    assert (split.label[was_left_out] == -1).all()
    kept = split.label[~was_left_out]
    assert [split.class_names[i] for i in kept] == [
        whole.class_names[i] for i in whole.label[~was_left_out]
    ]
    assert whole.votes is not None
    assert split.votes is not None
    assert (split.votes == whole.votes[:, [0, 1, 3]]).all()
    assert (split.n_ignored_votes == whole.n_ignored_votes + whole.votes[:, 2]).all()
    assert np.allclose(split.distribution.sum(axis=1), ~was_left_out)
    with pytest.raises(ConfigError, match="no class 'boredom' to leave out"):
        open_prepared(folder, without=("boredom",))
    with pytest.raises(ConfigError, match="two classes"):
        open_prepared(folder, without=("neutral", "happiness", "surprise"))
