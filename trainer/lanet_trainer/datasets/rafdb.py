"""RAF-DB basic: one list file and the aligned faces.

The list names `train_00001.jpg`, the picture on disk is `train_00001_aligned.jpg`. Labels count
from 1. The file order is partly sorted by class, and there is no validation split.
"""

from typing import Final

from lanet_trainer.datasets.base import DatasetListing, Sample
from lanet_trainer.datasets.files import SourceFiles, find_base, join
from lanet_trainer.errors import DataError

LABELS: Final = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
# The distribution spells it "patition".
_LISTS: Final = ("EmoLabel/list_patition_label.txt", "EmoLabel/list_partition_label.txt")
_PICTURES: Final = "Image/aligned"


def read_rafdb(files: SourceFiles) -> DatasetListing:
    """List RAF-DB basic.

    Args:
        files: The folder `basic`, or one or two above it.

    Raises:
        DataError: The layout is another, the list is damaged, or the pictures are missing.
    """
    base = find_base(files, _LISTS)
    if base is None:
        raise DataError(f"'{files.root}' holds no RAF-DB basic: {_LISTS[0]} is missing below it.")
    name = next(name for name in _LISTS if files.has(join(base, name)))
    lines = files.read(join(base, name)).decode("utf-8", "replace").splitlines()
    splits: dict[str, list[Sample]] = {"train": [], "test": []}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            split, sample = _read_line(line, base, f"Line {number} of {name}")
            splits[split].append(sample)
    first = next((s for samples in splits.values() for s in samples), None)
    if first is None:
        raise DataError(f"{name} in '{files.root}' is empty.")
    if not files.has(first.file):
        raise DataError(
            f"'{files.root}' lacks the picture {first.file}; unpack the aligned faces "
            f"(aligned.zip) to {join(base, _PICTURES)}."
        )
    return DatasetListing(
        name="rafdb",
        labels=LABELS,
        rule="given",
        splits={split: tuple(samples) for split, samples in splits.items() if samples},
        files=files,
        does_face_fill_picture=True,
        notes=("basic, aligned faces",),
    )


def _read_line(line: str, base: str, where: str) -> tuple[str, Sample]:
    name, _, text = line.strip().rpartition(" ")
    split = name.partition("_")[0]
    if split not in ("train", "test"):
        raise DataError(f"{where} names '{name}', expected train_… or test_….")
    if text not in ("1", "2", "3", "4", "5", "6", "7"):
        raise DataError(f"{where} has the label '{text}', expected 1 to 7.")
    stem, _, suffix = name.rpartition(".")
    file = join(base, f"{_PICTURES}/{stem}_aligned.{suffix}")
    return split, Sample(stem, file, label=int(text) - 1)
