"""AffectNet in its two releases: two tables with whole photographs, or folders of face crops.

There is no public test set: the validation set is what results are reported on, so it is the test
split here; `hold_out` makes a validation split of training images.
"""

import csv
import io
from collections.abc import Iterator
from typing import Final

import numpy as np

from lanet_trainer.datasets.base import DatasetListing, Sample, with_distinct_ids
from lanet_trainer.datasets.files import SourceFiles, find_base, join
from lanet_trainer.errors import ConfigError, DataError

LABELS: Final = (
    "neutral",
    "happiness",
    "sadness",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
)
N_CLASSES: Final = (7, 8)
# Above the eight expressions: none, uncertain, no face.
_MAX_LABEL: Final = 10
_TABLES: Final = {"train": "training.csv", "test": "validation.csv"}
_TABLE_FOLDERS: Final = ("Manually_Annotated_file_lists", "")
_PICTURE_FOLDERS: Final = (
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_Images",
    "Manually_Annotated",
    "",
)
_COLUMNS: Final = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
)
_CROP_FOLDERS: Final = {"train": "train_set", "test": "val_set"}
# The landmarks inside one row are a long field.
_MAX_FIELD_CHARS: Final = 1_000_000


def read_affectnet(files: SourceFiles, *, n_classes: int = 8) -> DatasetListing:
    """List AffectNet, whichever release it is.

    Args:
        files: The root, or one or two folders above it.
        n_classes: 8, or 7 without contempt.

    Raises:
        DataError: It is neither release, or a table or annotation is damaged.
    """
    if n_classes not in N_CLASSES:
        raise ConfigError(f"AffectNet has 7 or 8 classes, not {n_classes}.")
    folder_markers = [f"{name}/images" for name in _CROP_FOLDERS.values()]
    tables = [join(folder, name) for folder in _TABLE_FOLDERS for name in _TABLES.values()]
    base = find_base(files, tables)
    if base is not None:
        return _read_tables(files, base, n_classes)
    base = _find_crops(files)
    if base is not None:
        return _read_crops(files, base, n_classes)
    raise DataError(
        f"'{files.root}' holds no AffectNet: neither {tables[0]} nor the folder "
        f"{folder_markers[0]} is below it."
    )


def _read_tables(files: SourceFiles, base: str, n_classes: int) -> DatasetListing:
    splits = {}
    for split, table in _TABLES.items():
        names = [join(base, join(folder, table)) for folder in _TABLE_FOLDERS]
        name = next((name for name in names if files.has(name)), None)
        if name is not None:
            splits[split] = with_distinct_ids(list(_read_table(files, name, base, n_classes)))
    return _listing(files, splits, n_classes, is_face_crop=False, note="tables release")


def _read_table(files: SourceFiles, name: str, base: str, n_classes: int) -> Iterator[Sample]:
    """Yield the rows that show one of the classes."""
    csv.field_size_limit(_MAX_FIELD_CHARS)
    text = io.TextIOWrapper(io.BytesIO(files.read(name)), encoding="utf-8-sig", newline="")
    columns: dict[str, int] = {column: i for i, column in enumerate(_COLUMNS)}
    folder: str | None = None
    for number, row in enumerate(csv.reader(text), start=1):
        if number == 1 and _COLUMNS[0] in row:  # Some copies have no header.
            columns = {column: row.index(column) for column in _COLUMNS if column in row}
            if len(columns) < len(_COLUMNS):
                missing = next(c for c in _COLUMNS if c not in columns)
                raise DataError(f"{name} in '{files.root}' lacks the column {missing}.")
            continue
        if not row:
            continue
        where = f"Line {number} of {name}"
        if len(row) <= max(columns.values()):
            raise DataError(f"{where} has too few fields ({len(row)}).")
        label = _read_label(row[columns["expression"]], where)
        if label >= n_classes:
            continue
        path = row[columns["subDirectory_filePath"]].replace("\\", "/")
        if folder is None:
            folder = _find_pictures(files, base, path)
        yield Sample(path, join(folder, path), label, box_xyxy_px=_read_box(row, columns))


def _find_pictures(files: SourceFiles, base: str, path: str) -> str:
    for folder in _PICTURE_FOLDERS:
        candidate = join(base, folder) if folder else base
        if files.has(join(candidate, path)):
            return candidate
    raise DataError(
        f"'{files.root}' lacks the listed picture {path}; expected it below {_PICTURE_FOLDERS[0]}."
    )


def _read_box(row: list[str], columns: dict[str, int]) -> tuple[float, float, float, float] | None:
    """Read the face box; some rows say NULL."""
    try:
        x, y, width, height = (float(row[columns[c]]) for c in _COLUMNS[1:5])
    except ValueError:
        return None
    if not (np.isfinite([x, y, width, height]).all() and width > 1 and height > 1):
        return None
    return x, y, x + width, y + height


def _find_crops(files: SourceFiles) -> str | None:
    """Find the folder that holds train_set or val_set, at most two levels down."""
    level = [""]
    for _ in range(3):
        for folder in level:
            if set(_CROP_FOLDERS.values()) & set(files.children(folder)[0]):
                return folder
        level = [join(folder, name) for folder in level for name in files.children(folder)[0]]
    return None


def _read_crops(files: SourceFiles, base: str, n_classes: int) -> DatasetListing:
    splits = {}
    for split, name in _CROP_FOLDERS.items():
        folder = join(base, name)
        pictures = files.children(join(folder, "images"))[1]
        if name not in files.children(base)[0]:
            continue
        if not pictures:
            raise DataError(f"'{files.root}' has no pictures in {folder}/images.")
        samples = [_read_crop(files, folder, picture) for picture in _by_number(pictures)]
        splits[split] = tuple(sample for sample in samples if sample.label < n_classes)
    return _listing(files, splits, n_classes, is_face_crop=True, note="folder release")


def _by_number(names: tuple[str, ...]) -> list[str]:
    stems = {name: name.rpartition(".")[0] for name in names}
    return sorted(names, key=lambda n: (int(stems[n]) if stems[n].isdigit() else -1, n))


def _read_crop(files: SourceFiles, folder: str, picture: str) -> Sample:
    stem = picture.rpartition(".")[0]
    annotation = f"{folder}/annotations/{stem}_exp.npy"
    if not files.has(annotation):
        raise DataError(f"'{files.root}' lacks the annotation {annotation}.")
    try:
        array = np.load(io.BytesIO(files.read(annotation)), allow_pickle=False)
        text = str(array.reshape(-1)[0])
    except (ValueError, EOFError, IndexError) as error:
        raise DataError(f"The annotation {annotation} is damaged.") from error
    return Sample(stem, f"{folder}/images/{picture}", _read_label(text, annotation))


def _read_label(text: str, where: str) -> int:
    try:
        label = int(text)
    except ValueError:
        label = -1
    if not 0 <= label <= _MAX_LABEL:
        raise DataError(f"{where} has the expression '{text}', expected 0 to {_MAX_LABEL}.")
    return label


def _listing(
    files: SourceFiles,
    splits: dict[str, tuple[Sample, ...]],
    n_classes: int,
    *,
    is_face_crop: bool,
    note: str,
) -> DatasetListing:
    return DatasetListing(
        name=f"affectnet{n_classes}",
        labels=LABELS[:n_classes],
        rule="given",
        splits={split: samples for split, samples in splits.items() if samples},
        files=files,
        does_face_fill_picture=is_face_crop,
        notes=(note, "the official validation set is the test split"),
    )
