"""How a prepared data set lies on disk. No pickle; everything is checked when it is read.

dataset.json            what it is, from what it was made; written last
without_face.csv        pictures in which no face was found
<split>/samples.csv     one row a sample: id, file, label, votes, flags
<split>/landmarks.npy   (N, 478, 2) float32, chip pixels, NaN without a face
<split>/alignment.npy   (N, 2, 3) float64, chip -> crop of side 1
<split>/chips.bin       encoded chips, one after the other
<split>/chip_offsets.npy  (N + 1,) int64
"""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from lanet_trainer.datasets.base import Sample
from lanet_trainer.errors import DataError

SCHEMA_VERSION: Final = 1
DATASET_FILE: Final = "dataset.json"
WITHOUT_FACE_FILE: Final = "without_face.csv"
SAMPLES_FILE: Final = "samples.csv"
LANDMARKS_FILE: Final = "landmarks.npy"
ALIGNMENT_FILE: Final = "alignment.npy"
CHIPS_FILE: Final = "chips.bin"
OFFSETS_FILE: Final = "chip_offsets.npy"
_FIXED_COLUMNS: Final = ("id", "file", "label", "has_face")
_VOTES_PREFIX: Final = "votes:"
_IGNORED_PREFIX: Final = "ignored:"


def write_samples(
    folder: Path,
    rows: Iterable[tuple[Sample, bool]],
    *,
    labels: tuple[str, ...],
    ignored_names: tuple[str, ...],
) -> None:
    """Write the samples of a split with whether a face was found in each."""
    columns = [_VOTES_PREFIX + name for name in labels]
    columns += [_IGNORED_PREFIX + name for name in ignored_names]
    with (folder / SAMPLES_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_FIXED_COLUMNS, *columns])
        for sample, has_face in rows:
            label = "" if sample.label < 0 else labels[sample.label]
            votes: list[object] = [""] * len(columns)
            if sample.votes is not None:
                votes = [*sample.votes, *sample.ignored_votes]
            writer.writerow([sample.sample_id, sample.file, label, int(has_face), *votes])


def read_samples(
    folder: Path, *, labels: tuple[str, ...], ignored_names: tuple[str, ...]
) -> list[tuple[Sample, bool]]:
    """Read what `write_samples` wrote.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / SAMPLES_FILE
    columns = [*_FIXED_COLUMNS, *(_VOTES_PREFIX + name for name in labels)]
    columns += [_IGNORED_PREFIX + name for name in ignored_names]
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            if next(reader, None) != columns:
                raise ValueError("its columns are others")  # noqa: TRY301
            return [_to_sample(row, labels) for row in reader]
    except OSError as error:
        raise DataError(f"{path} is missing; prepare the data set again.") from error
    except (ValueError, IndexError, csv.Error) as error:
        raise DataError(f"{path} is damaged ({error}); prepare the data set again.") from error


def _to_sample(row: list[str], labels: tuple[str, ...]) -> tuple[Sample, bool]:
    sample_id, file, label, has_face, *counts = row
    votes = tuple(int(count) for count in counts) if counts and counts[0] else None
    sample = Sample(
        sample_id,
        file,
        label=labels.index(label) if label else -1,
        votes=None if votes is None else votes[: len(labels)],
        ignored_votes=() if votes is None else votes[len(labels) :],
    )
    return sample, has_face == "1"


def write_record(out: Path, record: dict[str, Any]) -> None:
    """Write the record in one step: its presence says that everything else is there."""
    partial = out / f".{DATASET_FILE}.partial"
    partial.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    partial.replace(out / DATASET_FILE)


def read_record(out: Path) -> dict[str, Any]:
    """Read the record of a prepared data set.

    Raises:
        DataError: It is missing, damaged or of another version.
    """
    path = out / DATASET_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"'{out}' holds no prepared data set ({DATASET_FILE} is missing); "
            "make one with 'lanet-train prepare'."
        ) from error
    except ValueError as error:
        raise DataError(f"{path} is damaged; prepare the data set again.") from error
    if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"{path} was written by another version of lanet-train; prepare the data set again."
        )
    return record
