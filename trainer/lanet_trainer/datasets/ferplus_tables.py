"""FER+ as two tables: the pixels in fer2013.csv, the votes in fer2013new.csv, row beside row."""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_trainer.datasets.base import DatasetListing, Sample, with_distinct_ids
from lanet_trainer.datasets.ferplus import IGNORED, LABELS, read_votes
from lanet_trainer.datasets.files import SourceFiles, join
from lanet_trainer.errors import DataError

PIXELS_FILE: Final = "fer2013.csv"
VOTES_FILE: Final = "fer2013new.csv"
_SIDE: Final = 48
_SPLITS: Final = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
_N_ANSWERS: Final = len(LABELS) + len(IGNORED)


class PixelTable:
    """The pictures of fer2013.csv as PNG files that are made when they are read."""

    def __init__(self, root: str, pixels: dict[str, NDArray[np.uint8]]) -> None:
        self._root = root
        self._pixels = pixels

    @property
    def root(self) -> str:
        """Where the table is."""
        return self._root

    def has(self, name: str) -> bool:
        """Return whether there is such a picture."""
        return name in self._pixels

    def read(self, name: str) -> bytes:
        """Return a picture as PNG."""
        is_done, data = cv2.imencode(".png", self._pixels[name])
        if not is_done:
            raise DataError("OpenCV could not encode a picture.")
        return bytes(data.tobytes())

    def children(self, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return no folders and all pictures."""
        return (), tuple(self._pixels) if not folder else ()

    def fingerprint(self, names: Iterable[str]) -> str:
        """Digest the pixels."""
        digest = hashlib.sha256()
        for name in names:
            digest.update(name.encode() + self._pixels[name].tobytes())
        return digest.hexdigest()


def read_ferplus_tables(files: SourceFiles, base: str, *, rule: str) -> DatasetListing:
    """List FER+ from its two tables.

    Rows whose name is empty, all of them voted "no face" by everyone, are passed over.

    Args:
        files: Where the tables are.
        base: Folder that holds both.
        rule: Label rule of the train split.

    Raises:
        DataError: A table is missing or damaged, or the two do not belong together.
    """
    for name in (PIXELS_FILE, VOTES_FILE):
        if not files.has(join(base, name)):
            raise DataError(
                f"'{files.root}' holds one of the FER+ tables but lacks {name}; "
                f"both {PIXELS_FILE} and {VOTES_FILE} are needed."
            )
    pixel_rows = _rows(files, join(base, PIXELS_FILE), n_fields=3)
    vote_rows = _rows(files, join(base, VOTES_FILE), n_fields=2 + _N_ANSWERS)
    splits: dict[str, list[Sample]] = {}
    pixels: dict[str, NDArray[np.uint8]] = {}
    for number, (picture, votes) in enumerate(_side_by_side(pixel_rows, vote_rows), start=2):
        usage, name = votes[:2]
        where = f"Line {number} of {VOTES_FILE}"
        if picture[2].strip() != usage or usage not in _SPLITS:
            raise DataError(f"{where} is for '{usage}', {PIXELS_FILE} for '{picture[2]}'.")
        if not name:
            continue
        file = f"{number}-{name}"
        pixels[file] = _read_pixels(picture[1], number)
        sample = Sample(
            sample_id=name.rpartition(".")[0] or name,
            file=file,
            votes=read_votes(votes[2 : 2 + len(LABELS)], where),
            ignored_votes=read_votes(votes[2 + len(LABELS) :], where),
        )
        splits.setdefault(_SPLITS[usage], []).append(sample)
    return DatasetListing(
        name="ferplus",
        labels=LABELS,
        rule=rule,
        splits={split: with_distinct_ids(samples) for split, samples in splits.items()},
        files=PixelTable(files.root, pixels),
        ignored_names=IGNORED,
        does_face_fill_picture=True,
        notes=(f"votes from {VOTES_FILE}",),
    )


def _rows(files: SourceFiles, name: str, *, n_fields: int) -> Iterator[list[str]]:
    """Yield the rows below the header."""
    text = io.TextIOWrapper(io.BytesIO(files.read(name)), encoding="utf-8-sig", newline="")
    try:
        for number, row in enumerate(csv.reader(text), start=1):
            if row and len(row) != n_fields:
                raise DataError(
                    f"Line {number} of {name} has {len(row)} fields, expected {n_fields}."
                )
            if row and number > 1:
                yield row
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{name} in '{files.root}' is not a table: {error}.") from error


def _side_by_side(
    pixel_rows: Iterator[list[str]], vote_rows: Iterator[list[str]]
) -> Iterator[tuple[list[str], list[str]]]:
    try:
        yield from zip(pixel_rows, vote_rows, strict=True)
    except ValueError as error:
        raise DataError(
            f"{PIXELS_FILE} and {VOTES_FILE} have different numbers of rows: they do not belong "
            "together, or one is incomplete."
        ) from error


def _read_pixels(text: str, number: int) -> NDArray[np.uint8]:
    try:
        values = np.array(text.split(), dtype=np.int64)
    except ValueError:
        values = np.empty(0, dtype=np.int64)
    if values.shape != (_SIDE * _SIDE,) or values.min() < 0 or values.max() > 255:
        raise DataError(
            f"Line {number} of {PIXELS_FILE} does not hold {_SIDE * _SIDE} grey values of 0 to 255."
        )
    return values.astype(np.uint8).reshape(_SIDE, _SIDE)
