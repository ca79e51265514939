"""Tiny data sets in the exact layouts they are distributed in."""

import io
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from lanet_trainer.datasets.affectnet import read_affectnet
from lanet_trainer.datasets.base import hold_out
from lanet_trainer.datasets.ferplus import read_ferplus
from lanet_trainer.datasets.ferplus_tables import read_ferplus_tables
from lanet_trainer.datasets.files import open_source
from lanet_trainer.datasets.rafdb import read_rafdb
from lanet_trainer.errors import ConfigError, DataError
from tests.dataset_files import sample_ids, write_lines, write_picture

# FER+


def _ferplus(root: Path) -> Path:
    box = '"(0, 0, 48, 48)"'
    for folder, rows in {
        "FER2013Train": [
            "fer0000000.png,{},4,0,0,1,3,2,0,0,0,0",
            "fer0000001.png,{},6,0,1,1,0,0,0,0,2,0",
        ],
        "FER2013Valid": ["fer0028638.png,{},4,0,0,0,1,0,0,4,1,0"],
    }.items():
        write_lines(root / folder / "label.csv", *(row.format(box) for row in rows))
        for row in rows:
            write_picture(root / folder / row.partition(",")[0])
    return root


@pytest.mark.parametrize("above", ["", "ferplus", "data/ferplus"])
def test_ferplus_takes_the_splits_that_are_there(tmp_path: Path, above: str) -> None:
    _ferplus(tmp_path / above)
    listing = read_ferplus(open_source(tmp_path))
    assert list(listing.splits) == ["train", "valid"]
    assert sample_ids(listing, "train") == ["fer0000000", "fer0000001"]
    assert listing.splits["train"][1].votes == (6, 0, 1, 1, 0, 0, 0, 0)
    assert listing.splits["train"][1].ignored_votes == (2, 0)
    assert listing.files.read(listing.splits["valid"][0].file)


def test_ferplus_is_read_from_a_zip_archive_without_unpacking(tmp_path: Path) -> None:
    _ferplus(tmp_path / "in" / "ferplus")
    archive = shutil.make_archive(str(tmp_path / "ferplus"), "zip", tmp_path / "in")
    listing = read_ferplus(open_source(Path(archive)))
    sample = listing.splits["train"][0]
    assert sample.file == "ferplus/FER2013Train/fer0000000.png"
    assert listing.files.read(sample.file).startswith(b"\x89PNG")
    assert listing.files.fingerprint([sample.file])


def test_ferplus_elsewhere_names_the_file_it_looks_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"FER2013Train/label\.csv"):
        read_ferplus(open_source(tmp_path))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("fer1.png,box,1,2,3", "Line 1 .* has 5 fields, expected 12"),
        ("fer1.png,box,a,0,0,0,0,0,0,0,0,0", "no whole numbers"),
        ("fer1.png,box,-1,0,0,0,0,0,0,0,0,0", "negative"),
        ("", "is empty"),
    ],
)
def test_damaged_ferplus_list_is_answered_with_the_line(
    tmp_path: Path, row: str, sentence: str
) -> None:
    write_lines(tmp_path / "FER2013Train" / "label.csv", row)
    with pytest.raises(DataError, match=sentence):
        read_ferplus(open_source(tmp_path))


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    listing = read_ferplus(open_source(_ferplus(tmp_path)))
    (tmp_path / "FER2013Train" / "fer0000001.png").unlink()
    with pytest.raises(DataError, match=r"fer0000001\.png"):
        listing.files.fingerprint(s.file for s in listing.splits["train"])


def _tables(root: Path, *, usage: str = "Training", pixels: str | None = None) -> Path:
    grey = " ".join(["7"] * 2304) if pixels is None else pixels
    header = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    write_lines(
        root / "fer2013.csv",
        "emotion,pixels,Usage",
        f"0,{grey},Training",
        f"0,{grey},{usage}",
        f"0,{grey},Training",
        f"0,{grey},PublicTest",
    )
    write_lines(
        root / "fer2013new.csv",
        f"Usage,Image name,{header}",
        "Training,fer0000000.png,10,0,0,0,0,0,0,0,0,0",
        "Training,,0,0,0,0,0,0,0,0,0,10",
        "Training,fer0000000.png,0,10,0,0,0,0,0,0,0,0",
        "PublicTest,fer0000003.png,0,0,10,0,0,0,0,0,0,0",
    )
    return root


def test_ferplus_tables_skip_nameless_rows_and_tell_repeated_names_apart(tmp_path: Path) -> None:
    listing = read_ferplus_tables(open_source(_tables(tmp_path)), "", rule="majority")
    assert sample_ids(listing, "train") == ["fer0000000", "fer0000000#2"]
    assert sample_ids(listing, "valid") == ["fer0000003"]
    data = np.frombuffer(listing.files.read(listing.splits["train"][1].file), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert picture.shape == (48, 48)
    assert (picture == 7).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"usage": "PrivateTest"}, "Line 3"),
        ({"pixels": "1 2 3"}, "2304 grey values"),
        ({"pixels": " ".join(["256"] * 2304)}, "2304 grey values"),
    ],
)
def test_ferplus_tables_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        read_ferplus_tables(open_source(_tables(tmp_path, **change)), "", rule="majority")


def test_ferplus_tables_of_different_length_are_refused(tmp_path: Path) -> None:
    path = _tables(tmp_path) / "fer2013new.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(DataError, match="different numbers of rows"):
        read_ferplus_tables(open_source(tmp_path), "", rule="majority")


def test_one_ferplus_table_alone_names_the_other(tmp_path: Path) -> None:
    (_tables(tmp_path) / "fer2013.csv").unlink()
    with pytest.raises(DataError, match=r"lacks fer2013\.csv"):
        read_ferplus_tables(open_source(tmp_path), "", rule="majority")


# RAF-DB


def _rafdb(root: Path, *lines: str) -> Path:
    lines = lines or ("train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7")
    write_lines(root / "EmoLabel" / "list_patition_label.txt", *lines, end="")
    for line in lines:
        write_picture(
            root / "Image" / "aligned" / line.split(".")[0].__add__("_aligned.jpg"), side=100
        )
    return root


def test_rafdb_labels_count_from_one_and_pictures_are_the_aligned_ones(tmp_path: Path) -> None:
    _rafdb(tmp_path / "basic")
    listing = read_rafdb(open_source(tmp_path))
    assert [s.label for s in listing.splits["train"]] == [4, 0]
    assert listing.labels[listing.splits["test"][0].label] == "neutral"
    assert listing.splits["train"][0].file == "basic/Image/aligned/train_00001_aligned.jpg"
    assert listing.does_face_fill_picture


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("train_00001.jpg 8", "Line 1 .* expected 1 to 7"),
        ("train_00001.jpg", "expected train_"),
        ("valid_1.jpg 3", "expected train_"),
    ],
)
def test_damaged_rafdb_list_is_answered_with_the_line(
    tmp_path: Path, line: str, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        read_rafdb(open_source(_rafdb(tmp_path, line)))


def test_rafdb_still_packed_says_what_to_unpack(tmp_path: Path) -> None:
    _rafdb(tmp_path)
    shutil.rmtree(tmp_path / "Image")
    with pytest.raises(DataError, match=r"aligned\.zip"):
        read_rafdb(open_source(tmp_path))


def test_rafdb_elsewhere_names_the_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="list_patition_label"):
        read_rafdb(open_source(tmp_path))


# AffectNet

AFFECTNET_HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,"
    "valence,arousal"
)


def _affectnet_tables(root: Path, *, pictures: str = "Manually_Annotated_Images") -> Path:
    rows = (
        '689/a.JPG,10,20,100,110,"1;2",1,0.7,0.1',
        '689/b.png,NULL,NULL,NULL,NULL,"",7,0,0',
        "689/c.png,1,1,9,9,1;2,9,-2,-2",
    )
    write_lines(root / "Manually_Annotated_file_lists" / "training.csv", AFFECTNET_HEADER, *rows)
    write_lines(root / "Manually_Annotated_file_lists" / "validation.csv", rows[0])  # no header
    for name in ("689/a.JPG", "689/b.png", "689/c.png"):
        write_picture(root / "Manually_Annotated" / pictures / name, side=200)
    return root


@pytest.mark.parametrize("pictures", ["Manually_Annotated_Images", ""])
def test_affectnet_tables_with_and_without_header(tmp_path: Path, pictures: str) -> None:
    listing = read_affectnet(open_source(_affectnet_tables(tmp_path, pictures=pictures)))
    first, second = listing.splits["train"]
    assert (first.label, first.box_xyxy_px) == (1, (10.0, 20.0, 110.0, 130.0))
    assert (second.label, second.box_xyxy_px) == (7, None)
    assert sample_ids(listing, "test") == ["689/a.JPG"]
    assert listing.files.read(first.file)
    assert not listing.does_face_fill_picture


def test_affectnet_with_seven_classes_leaves_contempt_out(tmp_path: Path) -> None:
    listing = read_affectnet(open_source(_affectnet_tables(tmp_path)), n_classes=7)
    assert "contempt" not in listing.labels
    assert sample_ids(listing, "train") == ["689/a.JPG"]


def _npy(value: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(value))
    return buffer.getvalue()


def _affectnet_crops(root: Path, expression: object = "6") -> Path:
    for folder in ("train_set", "val_set"):
        for number in (10, 9):
            write_picture(root / folder / "images" / f"{number}.jpg", side=224)
            annotations = root / folder / "annotations"
            annotations.mkdir(exist_ok=True)
            (annotations / f"{number}_exp.npy").write_bytes(_npy(expression))
    return root


@pytest.mark.parametrize("expression", ["6", ["6"], 6])
def test_affectnet_folders_take_text_or_numbers_in_order_of_number(
    tmp_path: Path, expression: object
) -> None:
    listing = read_affectnet(open_source(_affectnet_crops(tmp_path / "AffectNet", expression)))
    assert sample_ids(listing, "train") == ["9", "10"]
    assert {s.label for s in listing.splits["test"]} == {6}
    assert listing.does_face_fill_picture


def test_affectnet_refuses_pickled_annotations(tmp_path: Path) -> None:
    _affectnet_crops(tmp_path)
    path = tmp_path / "train_set" / "annotations" / "9_exp.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"9_exp\.npy is damaged"):
        read_affectnet(open_source(tmp_path))


def test_affectnet_names_a_missing_annotation_and_a_wrong_label(tmp_path: Path) -> None:
    _affectnet_crops(tmp_path / "a", "11")
    with pytest.raises(DataError, match="expected 0 to 10"):
        read_affectnet(open_source(tmp_path / "a"))
    _affectnet_crops(tmp_path / "b")
    (tmp_path / "b" / "train_set" / "annotations" / "10_exp.npy").unlink()
    with pytest.raises(DataError, match=r"10_exp\.npy"):
        read_affectnet(open_source(tmp_path / "b"))


def test_affectnet_elsewhere_names_what_it_looks_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"training\.csv nor the folder train_set/images"):
        read_affectnet(open_source(tmp_path))


# Roots


def test_a_root_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="check --root"):
        open_source(tmp_path / "nowhere")


def test_a_root_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "x.zip", "no archive")
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        open_source(tmp_path / "x.zip")


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../b.png", "C:/x.png"])
def test_names_that_leave_the_root_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="outside its folder"):
        open_source(tmp_path).read(name)


def test_an_archive_can_be_sent_to_another_process(tmp_path: Path) -> None:
    import pickle

    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/y.txt", "hello")
    files = pickle.loads(pickle.dumps(open_source(path)))
    assert files.read("x/y.txt") == b"hello"
    assert files.children("x") == ((), ("y.txt",))


# Holding out


def test_hold_out_takes_its_share_of_every_class_and_always_the_same(tmp_path: Path) -> None:
    lines = [f"train_{i:05d}.jpg {1 + i % 2 * 2}" for i in range(60)]
    write_lines(tmp_path / "EmoLabel" / "list_patition_label.txt", *lines)
    write_picture(tmp_path / "Image" / "aligned" / "train_00000_aligned.jpg")
    listing = hold_out(read_rafdb(open_source(tmp_path)), 0.2)
    held = listing.splits["valid"]
    assert sorted(s.label for s in held) == [0] * 6 + [2] * 6
    assert len(listing.splits["train"]) == 48
    assert held == hold_out(read_rafdb(open_source(tmp_path)), 0.2).splits["valid"]


def test_hold_out_beside_a_validation_split_is_refused(tmp_path: Path) -> None:
    listing = read_ferplus(open_source(_ferplus(tmp_path)))
    with pytest.raises(ConfigError, match="without a valid split"):
        hold_out(listing, 0.1)
