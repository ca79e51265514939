"""Pictures and lists for tiny data sets in the layouts they are distributed in."""

from pathlib import Path

import cv2
import numpy as np

from lanet_trainer.datasets.base import DatasetListing


def write_picture(path: Path, side: int = 48) -> None:
    """Write a grey square."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((side, side), 128, dtype=np.uint8))


def write_lines(path: Path, *lines: str, end: str = "\n") -> None:
    """Write a text file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + end, encoding="utf-8")


def sample_ids(listing: DatasetListing, split: str) -> list[str]:
    """Return the ids of a split, in order."""
    return [sample.sample_id for sample in listing.splits[split]]
