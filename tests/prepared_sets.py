"""Tiny prepared data sets on disk, written in the real layout, without MediaPipe."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.alignment import N_LANDMARKS, estimate_frame_to_crop
from lanet_live.face.template import TEMPLATE_ID, TEMPLATE_INDICES, TEMPLATE_UNIT
from lanet_trainer.datasets.base import Sample
from lanet_trainer.datasets.layout import (
    ALIGNMENT_FILE,
    CHIPS_FILE,
    LANDMARKS_FILE,
    OFFSETS_FILE,
    SCHEMA_VERSION,
    write_record,
    write_samples,
)

LABELS = ("neutral", "happiness", "surprise", "sadness")
CHIP_SIDE_PX = 48


def write_prepared(
    folder: Path,
    *,
    sizes: dict[str, int] | None = None,
    labels: Sequence[str] = LABELS,
    is_color: bool = False,
    seed: int = 0,
) -> Path:
    """Write a data set whose class is easy to see: a bright bar at a height of its own.

    Every fifth sample has no face. Each sample has ten votes, seven of them for its class.
    """
    sizes = sizes or {"train": 24, "valid": 12}
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for split, size in sizes.items():
        _write_split(folder / split, split, size, tuple(labels), is_color, generator)
    write_record(
        folder,
        {
            "schema_version": SCHEMA_VERSION,
            "name": "tiny",
            "labels": list(labels),
            "ignored_names": ["unknown"],
            "rule": "majority",
            "has_votes": True,
            "template_id": TEMPLATE_ID,
            "landmark_model_sha256": "",
            "inputs_sha256": "",
            "notes": [],
            "counts": {
                s: {"pictures": n, "without_face": n // 5, "damaged": 0} for s, n in sizes.items()
            },
        },
    )
    return folder


def face_landmarks(*, centre_px: float, side_px: float) -> NDArray[np.float32]:
    """Landmarks of an upright face whose crop is a square of this side about the centre."""
    unit = np.full((N_LANDMARKS, 2), 0.5)
    unit[TEMPLATE_INDICES] = TEMPLATE_UNIT
    return ((unit - 0.5) * side_px + centre_px).astype(np.float32)


def _write_split(
    folder: Path,
    split: str,
    size: int,
    labels: tuple[str, ...],
    is_color: bool,
    generator: np.random.Generator,
) -> None:
    folder.mkdir()
    landmarks = np.full((size, N_LANDMARKS, 2), np.nan, dtype=np.float32)
    alignment = np.empty((size, 2, 3))
    rows, chips = [], []
    for i in range(size):
        label, has_face = i % len(labels), i % 5 != 4
        face = face_landmarks(centre_px=CHIP_SIDE_PX / 2, side_px=CHIP_SIDE_PX * 0.9)
        alignment[i] = estimate_frame_to_crop(face, size_px=1)
        if has_face:
            landmarks[i] = face
        votes = [1] * len(labels)
        votes[label] = 7
        sample = Sample(f"{split}{i:03d}", f"{split}/{i}.png", -1, tuple(votes), (0,))
        rows.append((sample, has_face))
        chips.append(_encode(_draw_chip(label, len(labels), generator), is_color))
    write_samples(folder, rows, labels=labels, ignored_names=("unknown",))
    np.save(folder / LANDMARKS_FILE, landmarks)
    np.save(folder / ALIGNMENT_FILE, alignment)
    np.save(folder / OFFSETS_FILE, np.cumsum([0, *map(len, chips)], dtype=np.int64))
    (folder / CHIPS_FILE).write_bytes(b"".join(chips))


def _draw_chip(label: int, n_classes: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    chip = generator.integers(0, 90, size=(CHIP_SIDE_PX, CHIP_SIDE_PX), dtype=np.uint8)
    top = 4 + label * (CHIP_SIDE_PX - 8) // n_classes
    chip[top : top + 6] = 220
    return chip


def _encode(chip: NDArray[np.uint8], is_color: bool) -> bytes:
    picture = np.stack([chip, chip // 2, 255 - chip], axis=2) if is_color else chip
    is_done, data = cv2.imencode(".png", picture)
    assert is_done
    return bytes(data.tobytes())
