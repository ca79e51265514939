"""Tables of predictions: `image,<class>,…`, one row an image, from any model.

Images are called by their file names, as data sets list them. A picture that is listed twice has
two rows of one name, in the order of the split.
"""

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from lanet_trainer.errors import DataError
from lanet_trainer.evaluation.predictions import Predictions, from_probabilities

F64Array = NDArray[np.float64]

_IMAGE_COLUMN = "image"
_SUM_TOLERANCE = 1e-2


def image_names(source_files: Sequence[str]) -> tuple[str, ...]:
    """Return what tables call images: the plain file name, with folders where names repeat."""
    plain = [PurePosixPath(file).name for file in source_files]
    is_ambiguous = len(set(plain)) < len(set(source_files))
    return tuple(source_files) if is_ambiguous else tuple(plain)


def write_predictions(path: Path, predictions: Predictions, names: Sequence[str]) -> None:
    """Write a row for every image; a missed face leaves its cells empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([_IMAGE_COLUMN, *predictions.labels])
        for name, row in zip(names, predictions.probabilities, strict=True):
            writer.writerow([name, *("" if np.isnan(p) else f"{p:.6f}" for p in row)])


def read_predictions(
    path: Path, *, sample_ids: Sequence[str], names: Sequence[str], labels: Sequence[str]
) -> Predictions:
    """Read a table of predictions for the images of a split.

    Args:
        path: A CSV with the column `image` and one column per class, in any order.
        sample_ids: The split's; each needs a row. Rows of other images are left aside.
        names: What tables call these images; the sample id and the name without folder or suffix
            will do as well.
        labels: The split's class names; each needs a column.

    Raises:
        DataError: A column or a row is missing, an image has a row too many, or a row is no
            distribution.
    """
    positions = _positions(sample_ids, names)
    probabilities = np.full((len(sample_ids), len(labels)), np.nan)
    is_read = np.zeros(len(sample_ids), dtype=bool)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check_columns(path, reader.fieldnames or (), labels)
            for row in reader:
                known = positions.get(_key(row[_IMAGE_COLUMN] or ""))
                if known is not None:
                    position = _first_open(path, row[_IMAGE_COLUMN], known, is_read)
                    is_read[position] = True
                    probabilities[position] = _read_row(path, reader.line_num, row, labels)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"The predictions in {path} cannot be read: {error}") from error
    if not is_read.all():
        first = names[int(np.flatnonzero(~is_read)[0])]
        raise DataError(
            f"{path} has no row for {int((~is_read).sum())} of the split's {len(sample_ids)} "
            f"images, e.g. '{first}'."
        )
    return from_probabilities(sample_ids, labels, probabilities, model=path.name)


def _positions(sample_ids: Sequence[str], names: Sequence[str]) -> dict[str, list[int]]:
    """List, for every way to write an image's name, where it stands in the split."""
    positions: dict[str, list[int]] = defaultdict(list)
    for position, pair in enumerate(zip(sample_ids, names, strict=True)):
        for key in dict.fromkeys(map(_key, pair)):
            positions[key].append(position)
    return positions


def _first_open(
    path: Path, name: str | None, positions: list[int], is_read: NDArray[np.bool_]
) -> int:
    for position in positions:
        if not is_read[position]:
            return position
    raise DataError(f"{path} has a row too many for the image '{name}'.")


def _key(name: str) -> str:
    """Drop what writers of tables add or leave out: the suffix of the picture."""
    plain = PurePosixPath(name.strip().replace("\\", "/"))
    is_picture = plain.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp", ".webp")
    return str(plain.with_suffix("")) if is_picture else str(plain)


def _check_columns(path: Path, columns: Sequence[str], labels: Sequence[str]) -> None:
    missing = [name for name in (_IMAGE_COLUMN, *labels) if name not in columns]
    if missing:
        raise DataError(f"{path} has no column '{missing[0]}'; it needs image,{','.join(labels)}.")


def _read_row(path: Path, line: int, row: dict[str, str | None], labels: Sequence[str]) -> F64Array:
    """Read one distribution; a row of empty cells is a missed face."""
    cells = [(row[label] or "").strip() for label in labels]
    if not any(cells):
        return np.full(len(labels), np.nan)
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError as error:
        raise DataError(f"{path}, line {line}: '{row[_IMAGE_COLUMN]}' has no number.") from error
    if not np.isfinite(values).all() or values.min() < 0 or abs(values.sum() - 1) > _SUM_TOLERANCE:
        raise DataError(
            f"{path}, line {line}: the row of '{row[_IMAGE_COLUMN]}' must be non-negative and sum "
            f"to 1, it sums to {values.sum():.3f}."
        )
    normalised: F64Array = values / values.sum()
    return normalised
