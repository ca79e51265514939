"""Prepare a data set: find every face once, write down what training reads."""

import csv
import hashlib
import json
import shutil
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.alignment import N_LANDMARKS
from lanet_live.face.model_file import FACE_MODEL_SHA256
from lanet_live.face.template import TEMPLATE_ID
from lanet_trainer.datasets.base import DatasetListing, Sample
from lanet_trainer.datasets.blocks import (
    Block,
    BlockResult,
    OnProgress,
    cut_into_blocks,
    run_blocks,
)
from lanet_trainer.datasets.framing import Geometry, fill_missing_alignments
from lanet_trainer.datasets.layout import (
    ALIGNMENT_FILE,
    CHIPS_FILE,
    DATASET_FILE,
    LANDMARKS_FILE,
    OFFSETS_FILE,
    SCHEMA_VERSION,
    WITHOUT_FACE_FILE,
    read_record,
    write_record,
    write_samples,
)
from lanet_trainer.errors import DataError

F64Array = NDArray[np.float64]
Counts = dict[str, dict[str, int]]

# Part of the digest of the inputs: raise it when the same pictures give other results.
_PREPARATION_VERSION: Final = 2
_WORK_FOLDER: Final = ".work"
_INPUTS_FILE: Final = "inputs.txt"


@dataclass(frozen=True, slots=True)
class PreparationOptions:
    """How to prepare.

    Attributes:
        n_processes: Workers.
        skip_damaged: Leave out pictures that cannot be decoded, instead of stopping.
    """

    n_processes: int = 2
    skip_damaged: bool = False


@dataclass(frozen=True, slots=True)
class PreparationSummary:
    """What a preparation did.

    Attributes:
        was_up_to_date: Nothing had to be done.
        n_resumed: Pictures taken over from an interrupted preparation.
        counts: Split -> {"pictures", "without_face", "damaged"}.
    """

    was_up_to_date: bool
    n_resumed: int
    counts: Counts


def prepare(
    listing: DatasetListing,
    out: Path,
    *,
    options: PreparationOptions | None = None,
    on_progress: OnProgress = lambda _done, _total: None,
) -> PreparationSummary:
    """Prepare a data set; a second call with the same inputs does nothing.

    Raises:
        DataError: A picture is missing or damaged, or `out` holds something else.
    """
    options = options or PreparationOptions()
    digest = _digest_inputs(listing)
    existing = _read_existing(out)
    if existing.get("inputs_sha256") == digest:
        if existing["rule"] != listing.rule:
            write_record(out, {**existing, "rule": listing.rule})
        return PreparationSummary(True, 0, existing["counts"])
    work = _open_work_folder(out, digest)
    blocks = cut_into_blocks(listing)
    n_resumed = run_blocks(
        blocks, listing, work, n_processes=options.n_processes, on_progress=on_progress
    )
    counts = _assemble(listing, blocks, out, skip_damaged=options.skip_damaged)
    write_record(out, _record(listing, digest, counts))
    shutil.rmtree(work)
    return PreparationSummary(False, n_resumed, counts)


def _digest_inputs(listing: DatasetListing) -> str:
    """Digest what the result depends on; not the rule, which is applied when it is read."""
    digest = hashlib.sha256()
    program = (_PREPARATION_VERSION, SCHEMA_VERSION, TEMPLATE_ID, FACE_MODEL_SHA256)
    facts = (listing.name, listing.labels, listing.ignored_names, listing.does_face_fill_picture)
    digest.update(json.dumps([program, facts, listing.notes]).encode())
    for split, samples in listing.splits.items():
        digest.update(json.dumps([split, [astuple(sample) for sample in samples]]).encode())
        names = sorted({sample.file for sample in samples})
        digest.update(listing.files.fingerprint(names).encode())
    return digest.hexdigest()


def _read_existing(out: Path) -> dict[str, Any]:
    """Read the record of an earlier preparation; empty when there is none."""
    if (out / DATASET_FILE).is_file():
        try:
            return read_record(out)
        except DataError:  # Damaged or of another version: made again.
            return {}
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not _is_ours(out)):
        raise DataError(f"'{out}' holds other files; choose an empty folder for --out.")
    return {}


def _is_ours(out: Path) -> bool:
    return (out / _WORK_FOLDER / _INPUTS_FILE).is_file()


def _open_work_folder(out: Path, digest: str) -> Path:
    """Return the folder of finished blocks, emptied when they belong to other inputs."""
    work = out / _WORK_FOLDER
    inputs = work / _INPUTS_FILE
    if not inputs.is_file() or inputs.read_text(encoding="utf-8") != digest:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        inputs.write_text(digest, encoding="utf-8")
    return work


def _assemble(
    listing: DatasetListing, blocks: list[Block], out: Path, *, skip_damaged: bool
) -> Counts:
    """Join the blocks into the files of each split.

    The files take the place of earlier ones only when all are there, and as new files: a training
    run that has the earlier ones open goes on reading those.
    """
    work = out / _WORK_FOLDER
    by_split: dict[str, list[Block]] = {split: [] for split in listing.splits}
    for block in blocks:
        by_split[block.split].append(block)
    geometry = {split: _read_geometry(part, work) for split, part in by_split.items()}
    alignment = fill_missing_alignments(geometry)
    counts: Counts = {}
    without_face: list[tuple[str, Sample]] = []
    for split, part in by_split.items():
        staged = work / split
        staged.mkdir(exist_ok=True)
        rows = _write_arrays(part, alignment[split], work=work, is_strict=not skip_damaged)
        write_samples(staged, rows, labels=listing.labels, ignored_names=listing.ignored_names)
        lost = [(split, sample) for sample, has_face in rows if not has_face]
        without_face += lost
        counts[split] = {
            "pictures": len(rows),
            "without_face": len(lost),
            "damaged": len(listing.splits[split]) - len(rows),
        }
    (out / DATASET_FILE).unlink(missing_ok=True)
    for split in by_split:
        _publish(work / split, out / split)
    _write_without_face(out, without_face)
    return counts


def _publish(staged: Path, folder: Path) -> None:
    """Move finished files to their place."""
    folder.mkdir(exist_ok=True)
    for path in staged.iterdir():
        path.replace(folder / path.name)


def _read_geometry(blocks: list[Block], work: Path) -> Geometry:
    results = [BlockResult.read(block.path(work)) for block in blocks]
    return Geometry(
        alignment=np.concatenate([r.alignment for r in results]),
        size_wh=np.concatenate([r.size_wh for r in results]),
        is_whole=np.concatenate([r.is_whole for r in results]),
    )


def _write_arrays(
    blocks: list[Block], alignment: F64Array, *, work: Path, is_strict: bool
) -> list[tuple[Sample, bool]]:
    """Write landmarks, alignments and chips of one split, block by block.

    Returns:
        The samples kept and whether each has a face.
    """
    staged = work / blocks[0].split
    rows: list[tuple[Sample, bool]] = []
    kept_alignment, lengths = [], []
    landmarks = np.lib.format.open_memmap(
        work / LANDMARKS_FILE,
        "w+",
        np.float32,
        (sum(len(block.samples) for block in blocks), N_LANDMARKS, 2),
    )
    with (staged / CHIPS_FILE).open("wb") as chips:
        for block in blocks:
            result = BlockResult.read(block.path(work))
            chosen = np.flatnonzero(_has_chip(block, result, is_strict=is_strict))
            landmarks[len(rows) : len(rows) + len(chosen)] = result.landmarks[chosen]
            chips.write(result.chips.tobytes())
            lengths.append(result.lengths[chosen])
            kept_alignment.append(alignment[block.start + chosen])
            has_face = np.isfinite(result.landmarks[:, 0, 0])
            rows += [(block.samples[i], bool(has_face[i])) for i in chosen]
    np.save(staged / LANDMARKS_FILE, landmarks[: len(rows)])
    np.save(staged / ALIGNMENT_FILE, np.concatenate(kept_alignment))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    np.save(staged / OFFSETS_FILE, offsets.astype(np.int64))
    return rows


def _has_chip(block: Block, result: BlockResult, *, is_strict: bool) -> NDArray[np.bool_]:
    """Return which samples have a chip; refuse when one has none and that is not allowed."""
    is_kept = result.lengths > 0
    if is_strict and not is_kept.all():
        name = block.samples[int(np.argmin(is_kept))].file
        raise DataError(
            f"The picture {name} is damaged or of an unknown format. Replace it, or add "
            "--skip-damaged to go on without such pictures; the work done so far is kept."
        )
    return is_kept


def _write_without_face(out: Path, samples: list[tuple[str, Sample]]) -> None:
    """List the pictures without a face, for the user to look at."""
    with (out / WITHOUT_FACE_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["split", "id", "file"])
        writer.writerows([split, sample.sample_id, sample.file] for split, sample in samples)


def _record(listing: DatasetListing, digest: str, counts: Counts) -> dict[str, Any]:
    samples = [sample for part in listing.splits.values() for sample in part]
    return {
        "schema_version": SCHEMA_VERSION,
        "name": listing.name,
        "labels": list(listing.labels),
        "ignored_names": list(listing.ignored_names),
        "rule": listing.rule,
        "has_votes": any(sample.votes is not None for sample in samples),
        "template_id": TEMPLATE_ID,
        "landmark_model_sha256": FACE_MODEL_SHA256,
        "inputs_sha256": digest,
        "notes": list(listing.notes),
        "counts": counts,
    }
