"""Recorded tables for the tests of the review: written by the real sinks."""

from pathlib import Path

import numpy as np

from lanet_live.review.table import FrameTable, read_frame_table
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.table import TableLayout
from tests.fakes import LABELS, make_result


def write_table(path: Path, results) -> Path:
    """Write results as the recorder does."""
    sink = CsvSink(path, TableLayout(LABELS))
    for result in results:
        sink.write(result)
    sink.close()
    return path


def distribution(best: int, share: float = 0.65) -> np.ndarray:
    """A distribution over the 8 classes with one on top."""
    probabilities = np.full(len(LABELS), (1 - share) / (len(LABELS) - 1))
    probabilities[best] = share
    return probabilities


def make_table(path: Path, n_frames: int = 20, **changes) -> FrameTable:
    """A table of one face in every frame."""
    write_table(path, [make_result(i, **changes) for i in range(n_frames)])
    return read_frame_table(path)
