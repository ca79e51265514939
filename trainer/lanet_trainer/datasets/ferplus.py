"""FER+ in its official folders: FER2013Train, FER2013Valid, FER2013Test with a label.csv each.

A label.csv has no header and twelve fields: file, face box, votes for the eight classes, then for
"unknown" and "no face". Picture numbers are not row numbers: the name column is what counts.
"""

import csv
import io
from typing import Final

from lanet_trainer.datasets.base import DatasetListing, Sample, with_distinct_ids
from lanet_trainer.datasets.files import SourceFiles, find_base, join
from lanet_trainer.errors import DataError

LABELS: Final = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)
IGNORED: Final = ("unknown", "no face")
RULES: Final = ("majority", "distribution")
_FOLDERS: Final = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
_LIST_FILE: Final = "label.csv"
_N_FIELDS: Final = 2 + len(LABELS) + len(IGNORED)


def read_ferplus(files: SourceFiles, *, rule: str = "majority") -> DatasetListing:
    """List FER+, the splits that are there.

    Args:
        files: Root, or one or two folders above it.
        rule: "majority" or "distribution", for the train split; the others go by majority.

    Raises:
        DataError: The layout is another, a list file is damaged, or a picture is missing.
    """
    lists = {split: f"{folder}/{_LIST_FILE}" for split, folder in _FOLDERS.items()}
    base = find_base(files, lists.values())
    if base is None:
        raise DataError(
            f"'{files.root}' holds no FER+ in the official layout: none of "
            f"{', '.join(lists.values())} is in it."
        )
    splits = {
        split: _read_list(files, join(base, _FOLDERS[split]))
        for split, name in lists.items()
        if files.has(join(base, name))
    }
    return DatasetListing(
        name="ferplus",
        labels=LABELS,
        rule=rule,
        splits=splits,
        files=files,
        ignored_names=IGNORED,
        does_face_fill_picture=True,
        notes=("votes from label.csv",),
    )


def _read_list(files: SourceFiles, folder: str) -> tuple[Sample, ...]:
    name = join(folder, _LIST_FILE)
    try:
        text = files.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} in '{files.root}' is not text.") from error
    samples = [
        _read_row(row, folder, f"Line {number} of {name}")
        for number, row in enumerate(csv.reader(io.StringIO(text)), start=1)
        if row
    ]
    if not samples:
        raise DataError(f"{name} in '{files.root}' is empty.")
    return with_distinct_ids(samples)


def _read_row(row: list[str], folder: str, where: str) -> Sample:
    if len(row) != _N_FIELDS:
        raise DataError(f"{where} has {len(row)} fields, expected {_N_FIELDS}: file, box, votes.")
    return Sample(
        sample_id=row[0].rpartition(".")[0] or row[0],
        file=join(folder, row[0]),
        votes=read_votes(row[2 : 2 + len(LABELS)], where),
        ignored_votes=read_votes(row[2 + len(LABELS) :], where),
    )


def read_votes(fields: list[str], where: str) -> tuple[int, ...]:
    """Read vote counts; `where` begins the message when they are none."""
    try:
        votes = tuple(int(field) for field in fields)
    except ValueError as error:
        raise DataError(f"{where} has votes that are no whole numbers: {fields}.") from error
    if min(votes) < 0:
        raise DataError(f"{where} has negative votes: {fields}.")
    return votes
