"""Data sets of people's own: a folder a class, or a table."""

from pathlib import Path

import pytest

from lanet_trainer.datasets.files import open_source
from lanet_trainer.datasets.folder import read_folder
from lanet_trainer.errors import DataError
from tests.dataset_files import sample_ids, write_lines, write_picture


def _classes(root: Path, *names: str) -> Path:
    for name in names:
        write_picture(root / name / "1.png")
        write_picture(root / name / "2.JPG")
        write_lines(root / name / "Thumbs.db", "no picture")
    return root


def test_folder_a_class_gives_training_data_in_our_spelling(tmp_path: Path) -> None:
    listing = read_folder(open_source(_classes(tmp_path, "Happy", "Angry", "Bored")), name="mine")
    assert listing.labels == ("happiness", "anger", "bored".capitalize())
    assert sample_ids(listing, "train")[:2] == ["Angry/1.png", "Angry/2.JPG"]
    assert [s.label for s in listing.splits["train"]] == [1, 1, 2, 2, 0, 0]


def test_folder_reads_sfew_with_its_folders_between(tmp_path: Path) -> None:
    _classes(tmp_path / "Train" / "Train_Aligned_Faces", "Angry", "Fear")
    _classes(tmp_path / "Val" / "Val_Aligned_Faces_new" / "Val_Aligned_Faces", "Angry", "Fear")
    listing = read_folder(open_source(tmp_path), name="sfew")
    assert {split: len(samples) for split, samples in listing.splits.items()} == {
        "train": 4,
        "valid": 4,
    }
    assert listing.labels == ("anger", "fear")


def test_folder_with_an_empty_class_names_it(tmp_path: Path) -> None:
    _classes(tmp_path, "Happy", "Angry")
    (tmp_path / "Fear").mkdir()
    with pytest.raises(DataError, match="Fear holds no picture"):
        read_folder(open_source(tmp_path), name="mine")


def test_folder_with_two_spellings_of_a_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name the class happiness"):
        read_folder(open_source(_classes(tmp_path, "Happy", "happiness")), name="mine")


def test_folder_without_pictures_says_what_it_expects(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither labels\.csv nor folders of pictures"):
        read_folder(open_source(tmp_path), name="mine")


def test_table_with_labels_splits_and_votes(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "labels.csv",
        "path,label,split,votes:happy,votes:sad,votes:unknown",
        "a.png,happy,train,3,1,0",
        "b.png,sad,val,,2,1",
    )
    listing = read_folder(open_source(tmp_path), name="mine")
    assert listing.labels == ("happiness", "sadness")
    assert listing.rule == "given"
    assert listing.ignored_names == ("unknown",)
    sample = listing.splits["valid"][0]
    assert (sample.label, sample.votes, sample.ignored_votes) == (1, (0, 2), (1,))


def test_table_with_votes_only_goes_by_plurality(tmp_path: Path) -> None:
    write_lines(tmp_path / "labels.csv", "path,votes:happy,votes:sad", "a.png,3,1")
    assert read_folder(open_source(tmp_path), name="mine").rule == "plurality"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["file,label", "a.png,happy"], "needs the columns path and label"),
        (["path,label,age", "a.png,happy,3"], "column 'age'"),
        (["path,label", "a.png,happy", "b.png", "c.png,sad"], "Line 3"),
        (["path,label,split", "a.png,happy,dev", "b.png,sad,dev"], "split 'dev'"),
        (["path,label", "a.png,happy", "b.png,happy"], "at least two classes"),
        (["path,votes:happy,votes:sad", "a.png,x,1"], "no whole numbers"),
        (["path,label"], "has no rows"),
    ],
)
def test_damaged_table_is_answered_with_a_sentence(
    tmp_path: Path, lines: list[str], sentence: str
) -> None:
    write_lines(tmp_path / "labels.csv", *lines)
    with pytest.raises(DataError, match=sentence):
        read_folder(open_source(tmp_path), name="mine")
