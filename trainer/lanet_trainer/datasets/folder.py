"""People's own data: one folder a class, or a table of paths and labels.

ROOT/<class>/…                      everything is for training
ROOT/{train,val,test}/<class>/…     also with folders between, as SFEW 2.0 has them
ROOT/labels.csv                     columns path, label, and optionally split, person, votes:<class>
"""

import csv
import io
from typing import Final

from lanet_trainer.class_names import EXPRESSIONS, canonical_name
from lanet_trainer.datasets.base import DatasetListing, Sample, with_distinct_ids
from lanet_trainer.datasets.ferplus import read_votes
from lanet_trainer.datasets.files import SourceFiles, join
from lanet_trainer.errors import DataError

TABLE_FILE: Final = "labels.csv"
PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_SPLIT_NAMES: Final = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
}
_VOTES: Final = "votes:"
_IGNORED: Final = ("unknown", "no face")
_MAX_DEPTH: Final = 3


def read_folder(files: SourceFiles, *, name: str, rule: str | None = None) -> DatasetListing:
    """List a data set of one's own.

    Args:
        files: Its root.
        name: Its name in results.
        rule: How votes become labels; None takes the given labels, or without them "plurality".

    Raises:
        DataError: There is neither a table nor a folder a class, or it is damaged.
    """
    if files.has(TABLE_FILE):
        return _read_table(files, name=name, rule=rule)
    if rule not in (None, "given"):
        raise DataError(f"A label rule needs votes: a {TABLE_FILE} with {_VOTES}… columns.")
    by_split = _find_splits(files)
    found = {split: _class_pictures(files, folder) for split, folder in by_split.items()}
    labels = _order_classes({name for classes in found.values() for name, _ in classes})
    splits = {
        split: tuple(
            Sample(picture, picture, labels.index(name))
            for name, pictures in classes
            for picture in pictures
        )
        for split, classes in found.items()
    }
    return DatasetListing(name, labels, "given", splits, files, notes=("one folder a class",))


def _find_splits(files: SourceFiles) -> dict[str, str]:
    """Return the folder that holds the class folders of each split."""
    folders = files.children("")[0]
    named = {_SPLIT_NAMES[f.lower()]: f for f in folders if f.lower() in _SPLIT_NAMES}
    if not named:
        return {"train": _find_classes(files, "")}
    return {split: _find_classes(files, folder) for split, folder in named.items()}


def _find_classes(files: SourceFiles, folder: str) -> str:
    """Go down to the folder whose folders hold pictures."""
    level = [folder]
    for _ in range(_MAX_DEPTH):
        holding = [f for f in level if any(_pictures(files, c) for c in _subfolders(files, f))]
        if len(holding) == 1:
            return holding[0]
        if holding:
            raise DataError(
                f"'{files.root}' has several folders of classes ({', '.join(holding)}); "
                "keep the one that is meant, or list the pictures in labels.csv."
            )
        level = [c for f in level for c in _subfolders(files, f)]
    where = join(files.root, folder)
    raise DataError(f"'{where}' holds neither {TABLE_FILE} nor folders of pictures, one a class.")


def _class_pictures(files: SourceFiles, folder: str) -> list[tuple[str, list[str]]]:
    """Return the class names below a folder with their pictures."""
    classes = []
    for subfolder in _subfolders(files, folder):
        pictures = _pictures(files, subfolder)
        if not pictures:
            raise DataError(f"The class folder {join(files.root, subfolder)} holds no picture.")
        classes.append((canonical_name(subfolder.rpartition("/")[2]), pictures))
    names = [name for name, _ in classes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"Two folders in '{join(files.root, folder)}' name the class {twice}.")
    return classes


def _subfolders(files: SourceFiles, folder: str) -> list[str]:
    return [join(folder, name) for name in files.children(folder)[0]]


def _pictures(files: SourceFiles, folder: str) -> list[str]:
    names = files.children(folder)[1]
    return [join(folder, n) for n in names if n.lower().endswith(PICTURE_SUFFIXES)]


def _order_classes(names: set[str]) -> tuple[str, ...]:
    """Put the known expressions first, in FER+'s order, then the others by name."""
    if len(names) < 2:
        raise DataError("A data set needs at least two classes.")
    known = [name for name in EXPRESSIONS if name in names]
    return (*known, *sorted(names - set(known)))


def _read_table(files: SourceFiles, *, name: str, rule: str | None) -> DatasetListing:
    try:
        text = files.read(TABLE_FILE).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{TABLE_FILE} in '{files.root}' is not a table: {error}.") from error
    if not rows:
        raise DataError(f"{TABLE_FILE} in '{files.root}' has no rows.")
    columns = _check_columns(list(rows[0]))
    voted = tuple(canonical_name(c.removeprefix(_VOTES)) for c in columns)
    has_labels = "label" in rows[0]
    given = {canonical_name((row["label"] or "").strip()) for row in rows} if has_labels else set()
    labels = _order_classes((set(voted) | given) - {"", *_IGNORED})
    splits: dict[str, list[Sample]] = {}
    for number, row in enumerate(rows, start=2):
        split, sample = _read_row(row, columns, labels, f"Line {number} of {TABLE_FILE}")
        splits.setdefault(split, []).append(sample)
    rule = rule or ("given" if has_labels else "plurality")
    if rule == "given" and not has_labels:
        raise DataError(f"{TABLE_FILE} has no column 'label'; take another --rule.")
    if rule != "given" and not columns:
        raise DataError(f"A label rule needs votes: columns {_VOTES}<class> in {TABLE_FILE}.")
    return DatasetListing(
        name,
        labels,
        rule,
        {split: with_distinct_ids(samples) for split, samples in splits.items()},
        files,
        ignored_names=tuple(v for v in voted if v in _IGNORED),
        notes=(TABLE_FILE,),
    )


def _check_columns(header: list[str]) -> list[str]:
    """Return the vote columns; refuse columns that mean nothing here."""
    if "path" not in header or not any(c == "label" or c.startswith(_VOTES) for c in header):
        raise DataError(
            f"{TABLE_FILE} needs the columns path and label (or {_VOTES}<class>), "
            f"it has {', '.join(header)}."
        )
    for column in header:
        if column not in ("path", "label", "split", "person") and not column.startswith(_VOTES):
            raise DataError(
                f"{TABLE_FILE} has the column '{column}'; expected path, label, split, person and "
                f"{_VOTES}<class>."
            )
    return [column for column in header if column.startswith(_VOTES)]


def _read_row(
    row: dict[str, str], columns: list[str], labels: tuple[str, ...], where: str
) -> tuple[str, Sample]:
    path, label = row["path"], canonical_name((row.get("label") or "").strip())
    if not path or None in row.values() or None in row:
        raise DataError(f"{where} has too few or too many fields.")
    split = (row.get("split") or "train").lower()
    if split not in _SPLIT_NAMES:
        raise DataError(f"{where} names the split '{split}', expected train, valid or test.")
    counts = dict(
        zip(
            (canonical_name(c.removeprefix(_VOTES)) for c in columns),
            read_votes([row[c] or "0" for c in columns], where) if columns else (),
            strict=True,
        )
    )
    sample = Sample(
        sample_id=path,
        file=path,
        label=labels.index(label) if label else -1,
        votes=tuple(counts.get(name, 0) for name in labels) if columns else None,
        ignored_votes=tuple(counts[name] for name in counts if name in _IGNORED),
        person=(row.get("person") or "").strip(),
    )
    return _SPLIT_NAMES[split], sample
