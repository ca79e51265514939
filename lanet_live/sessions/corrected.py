"""Probabilities corrected by neutral baselines, beside the raw ones in the frames' table.

Columns: ``frame, face_id, timestamp, baseline``, one ``<class>_bc`` per class, ``expression_bc``
and ``uncertainty_bc``. There is one row for every frame in which a corrected face was seen; joined
with the frames' table on ``frame`` and ``face_id`` it gives both values side by side.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lanet_live.expression.baseline import BaselineProfile
from lanet_live.expression.uncertainty import normalised_entropy
from lanet_live.records import FrameResult
from lanet_live.sinks.output_file import AppendFile


class CorrectedTable:
    """Appends the corrected rows of results; the file appears with the first one."""

    def __init__(self, path: Path, labels: tuple[str, ...]) -> None:
        self._path = path
        self._labels = labels
        self._file: AppendFile | None = None

    def write(self, result: FrameResult, profiles: Mapping[int, BaselineProfile]) -> None:
        """Append one row per corrected face of a frame.

        Args:
            result: What was measured.
            profiles: The baselines in force, by face id.

        Raises:
            SinkError: The rows cannot be written.
        """
        rows = []
        for estimate in result.estimates:
            profile = profiles.get(estimate.face_id)
            if profile is not None:
                corrected = profile.correct(estimate.probabilities)
                rows.append(
                    [
                        str(result.frame.index),
                        str(estimate.face_id),
                        f"{result.frame.timestamp_s:.6f}",
                        profile.name,
                        *(f"{value:.6f}" for value in corrected),
                        self._labels[int(np.argmax(corrected))],
                        f"{float(normalised_entropy(corrected)):.6f}",
                    ]
                )
        if rows:
            self._append(rows)

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._file is not None:
            self._file.close()

    def _append(self, rows: list[list[str]]) -> None:
        if self._file is None:
            self._file = AppendFile(self._path, overwrite=False)
            names = [f"{label}_bc" for label in self._labels]
            head = ["frame", "face_id", "timestamp", "baseline", *names]
            rows = [[*head, "expression_bc", "uncertainty_bc"], *rows]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._file.append(text.getvalue().encode())
