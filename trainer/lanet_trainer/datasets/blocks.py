"""The work of a preparation cut into blocks: faces found and chips cut by worker processes.

A finished block is one file in a work folder, so that an interrupted preparation goes on with the
first block that lacks.
"""

import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.alignment import N_LANDMARKS, estimate_frame_to_crop, transform_points
from lanet_trainer.datasets.base import DatasetListing, Sample
from lanet_trainer.datasets.chips import decode_picture, make_chip, to_bgr
from lanet_trainer.datasets.files import SourceFiles
from lanet_trainer.datasets.framing import alignment_from_box
from lanet_trainer.errors import DataError
from lanet_trainer.landmarks import TrainingFaceFinder

F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]
U8Array = NDArray[np.uint8]

# Small enough that Ctrl-C, which waits for the blocks under way, ends within seconds.
BLOCK_SIZE: Final = 64

OnProgress = Callable[[int, int], None]
"""Called with the number of pictures done and their total."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples of one split, done by one worker."""

    split: str
    start: int
    samples: tuple[Sample, ...]

    def path(self, work: Path) -> Path:
        """Return its file in the work folder."""
        return work / f"{self.split}-{self.start:08d}-{len(self.samples)}.npz"


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What was found in a block of n samples.

    Attributes:
        landmarks: Chip pixels, (n, 478, 2) float32; NaN without a face.
        alignment: Chip -> crop of side 1, (n, 2, 3); NaN where nothing says where the face is.
        size_wh: Width and height of the chips, (n, 2).
        is_whole: The chip shows the whole picture, (n,) bool.
        lengths: Bytes of each chip, (n,); 0 for a picture that cannot be decoded.
        chips: The encoded chips, one after the other.
    """

    landmarks: F32Array
    alignment: F64Array
    size_wh: NDArray[np.int64]
    is_whole: NDArray[np.bool_]
    lengths: NDArray[np.int64]
    chips: U8Array

    def write(self, path: Path) -> None:
        """Write the file in one step."""
        partial = path.with_suffix(".partial")
        arrays = {name: getattr(self, name) for name in self.__slots__}
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> "BlockResult":
        """Read a file this program wrote a moment ago."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in cls.__slots__})


def cut_into_blocks(listing: DatasetListing) -> list[Block]:
    """Cut every split into blocks."""
    return [
        Block(split, start, samples[start : start + BLOCK_SIZE])
        for split, samples in listing.splits.items()
        for start in range(0, len(samples), BLOCK_SIZE)
    ]


def run_blocks(
    blocks: list[Block],
    listing: DatasetListing,
    work: Path,
    *,
    n_processes: int,
    on_progress: OnProgress,
) -> int:
    """Do the blocks whose file is missing, a few at a time, so that Ctrl-C ends soon.

    Returns:
        How many pictures were done before.
    """
    missing = [block for block in blocks if not block.path(work).is_file()]
    total = sum(len(block.samples) for block in blocks)
    n_before = done = total - sum(len(block.samples) for block in missing)
    on_progress(done, total)
    if not missing:
        return n_before
    # "spawn": MediaPipe's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        min(n_processes, len(missing)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(listing.files, listing.does_face_fill_picture),
    )
    running: dict[Future[None], Block] = {}
    try:
        for block in missing:
            if len(running) == n_processes + 1:
                done += _collect(running)
                on_progress(done, total)
            running[pool.submit(_run_block, block, work)] = block
        while running:
            done += _collect(running)
            on_progress(done, total)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return n_before


def _collect(running: dict[Future[None], Block]) -> int:
    """Wait for a block; return how many pictures were done."""
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    n_done = 0
    for future in finished:
        n_done += len(running.pop(future).samples)
        future.result()
    return n_done


_worker: dict[str, Any] = {}


def _start_worker(files: SourceFiles, is_face_crop: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to handle.
    cv2.setNumThreads(1)
    _worker.update(files=files, finder=TrainingFaceFinder(), is_face_crop=is_face_crop)


def _run_block(block: Block, work: Path) -> None:
    """Find the faces of a block, cut its chips and write both to the work folder."""
    n = len(block.samples)
    landmarks = np.full((n, N_LANDMARKS, 2), np.nan, dtype=np.float32)
    alignment = np.full((n, 2, 3), np.nan)
    size_wh = np.ones((n, 2), dtype=np.int64)
    is_whole = np.zeros(n, dtype=bool)
    chips = [b""] * n
    for row, sample in enumerate(block.samples):
        data = _worker["files"].read(sample.file)
        try:
            picture = decode_picture(data, sample.file)
        except DataError:
            continue  # The parent names it: it knows whether to go on without.
        found = _worker["finder"].find(
            to_bgr(picture),
            is_face_crop=_worker["is_face_crop"],
            box_xyxy_px=sample.box_xyxy_px,
        )
        to_crop = _picture_to_unit_crop(found, sample)
        chip = make_chip(data, picture, picture_to_unit_crop=to_crop)
        chips[row], size_wh[row], is_whole[row] = chip.data, chip.size_wh, chip.is_whole
        if found is not None:
            landmarks[row] = transform_points(chip.picture_to_chip, found)
            alignment[row] = estimate_frame_to_crop(landmarks[row], size_px=1)
        elif to_crop is not None:
            alignment[row] = _chip_to_unit_crop(to_crop, chip.picture_to_chip)
    lengths = np.array([len(chip) for chip in chips], dtype=np.int64)
    joined = np.frombuffer(b"".join(chips), dtype=np.uint8)
    BlockResult(landmarks, alignment, size_wh, is_whole, lengths, joined).write(block.path(work))


def _picture_to_unit_crop(found: F32Array | None, sample: Sample) -> F64Array | None:
    """Frame the face by its landmarks, else by the box the data set gives, else not at all."""
    if found is not None:
        return estimate_frame_to_crop(found, size_px=1)
    if sample.box_xyxy_px is not None:
        return alignment_from_box(sample.box_xyxy_px)
    return None


def _chip_to_unit_crop(picture_to_crop: F64Array, picture_to_chip: F64Array) -> F64Array:
    chip_to_picture = np.asarray(cv2.invertAffineTransform(picture_to_chip), dtype=np.float64)
    linear = picture_to_crop[:, :2] @ chip_to_picture[:, :2]
    offset = picture_to_crop[:, :2] @ chip_to_picture[:, 2] + picture_to_crop[:, 2]
    return np.column_stack([linear, offset])
