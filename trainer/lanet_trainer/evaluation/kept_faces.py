"""Find the faces of a data set with the app's face search, or read those that were kept."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from lanet_trainer.datasets.prepared import open_prepared
from lanet_trainer.evaluation.evaluate import draw_sample
from lanet_trainer.evaluation.found_faces import FoundFaces, find_faces


def find_or_read(
    folder: str,
    *,
    split: str,
    size_px: int,
    persons: Mapping[str, str],
    keep_in: Path | None,
    n_degraded: int = 0,
    seed: int = 0,
) -> FoundFaces:
    """Return the largest face of every labelled picture of a prepared data set.

    Args:
        folder: The prepared data set.
        split: "valid", "test" or "train".
        size_px: Side of the crops.
        persons: Name of the picture -> person.
        keep_in: Folder of kept faces, one file for each data set, split, way and size; None keeps
            none. A face search of another version finds other faces: empty the folder then.
        n_degraded: 0 takes all pictures clean; otherwise so many are drawn, or all there are, and
            each is degraded in one way.
        seed: Of the draw and the degrading.
    """
    way = f"-degraded{n_degraded}-{seed}" if n_degraded else ""
    kept = None if keep_in is None else keep_in / f"{Path(folder).name}-{split}{way}-{size_px}.npz"
    if kept is not None and kept.exists():
        return FoundFaces.read(kept)
    pictures = open_prepared(folder).split(split)
    n_labelled = int((pictures.label >= 0).sum())
    pictures = draw_sample(pictures, min(n_degraded, n_labelled) or None, seed=seed)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"Faces of {Path(folder).name}{way}", total=len(pictures))
        faces = find_faces(
            pictures,
            size_px=size_px,
            persons=persons,
            is_degraded=n_degraded > 0,
            seed=seed,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        faces.write(kept)
    return faces
