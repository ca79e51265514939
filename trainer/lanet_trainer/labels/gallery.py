"""A picture of training samples with the distributions mined for them: wrong, ambiguous, agreed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.expression.uncertainty import entropy_nats
from lanet_live.face.alignment import cut_crop
from lanet_trainer.labels.mined import MinedLabels
from lanet_trainer.labels.suspects import Suspects

I64Array = NDArray[np.int64]

PER_GROUP: Final = 8
_CROP_PX: Final = 96
# Colours that colour-blind eyes keep apart (Okabe and Ito).
_MINED_COLOR: Final = "#0072b2"
_VOTES_COLOR: Final = "#e69f00"


@dataclass(frozen=True, slots=True)
class Group:
    """Samples shown in one row."""

    title: str
    positions: I64Array


def choose_groups(mined: MinedLabels, suspects: Suspects) -> tuple[Group, ...]:
    """Choose the clearest examples of each kind, among pictures in which a face was found."""
    has_face = mined.split.has_face
    ranked = suspects.order[has_face[suspects.order]]
    wrong = ranked[suspects.evidence[ranked] > 0][:PER_GROUP]
    entropy = np.where(has_face, entropy_nats(mined.distributions), -np.inf)
    ambiguous = np.argsort(-entropy, kind="stable")[:PER_GROUP]
    return (
        Group("label contradicted", wrong),
        Group("ambiguous", ambiguous),
        Group("label agreed with", _agreed(mined, suspects, ranked)),
    )


def _agreed(mined: MinedLabels, suspects: Suspects, ranked: I64Array) -> I64Array:
    """Take the least suspect sample of each class, then the second, until the row is full."""
    least_first = ranked[::-1]
    least_first = least_first[suspects.evidence[least_first] < 0]
    place_in_class = np.zeros(len(least_first), dtype=np.int64)
    for label in range(len(mined.split.class_names)):
        of_class = np.flatnonzero(mined.labels[least_first] == label)
        place_in_class[of_class] = np.arange(len(of_class))
    return least_first[np.argsort(place_in_class, kind="stable")][:PER_GROUP]


def draw_gallery(mined: MinedLabels, suspects: Suspects, path: Path) -> None:
    """Draw each chosen sample with its mined distribution, and its votes where there are any."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = [group for group in choose_groups(mined, suspects) if len(group.positions)]
    figure = Figure(figsize=(1.5 * PER_GROUP + 1, 3.2 * len(groups)))
    FigureCanvasAgg(figure)
    # A row of pictures, a row of bars and a gap for each group.
    grid = figure.add_gridspec(
        3 * len(groups),
        PER_GROUP,
        height_ratios=[1.2, 1, 0.5] * len(groups),
        left=0.06,
        right=0.99,
        top=1 - 0.65 / (3.2 * len(groups)),
        bottom=0,
        wspace=0.1,
        hspace=0.08,
    )
    for row, group in enumerate(groups):
        for column, position in enumerate(group.positions.tolist()):
            picture = figure.add_subplot(grid[3 * row, column])
            bars = figure.add_subplot(grid[3 * row + 1, column])
            _draw_sample((picture, bars), mined, position)
            if column == 0:
                picture.text(0, 1.26, group.title, fontsize=11, transform=picture.transAxes)
                _name_classes(bars, mined.split.class_names)
    if mined.votes is not None:
        figure.legend(*_legend_entries(), loc="upper right", ncols=2, fontsize=8)
    figure.savefig(path, dpi=100)


def _draw_sample(axes: tuple[Any, Any], mined: MinedLabels, position: int) -> None:
    picture, bars = axes
    names = mined.split.class_names
    affine = mined.split.alignment[position] * _CROP_PX
    crop = cut_crop(mined.split.image(position), affine, size_px=_CROP_PX)
    picture.imshow(crop if crop.ndim == 2 else crop[:, :, ::-1], cmap="gray", vmin=0, vmax=255)
    most_probable = names[int(mined.distributions[position].argmax())]
    picture.set_title(
        f"label: {names[mined.labels[position]]}\nmined: {most_probable}", fontsize=7, pad=2
    )
    picture.axis("off")
    places = np.arange(len(names))
    has_votes = mined.votes is not None
    height = 0.4 if has_votes else 0.8
    bars.barh(places - has_votes * 0.2, mined.distributions[position], height, color=_MINED_COLOR)
    if mined.votes is not None:
        bars.barh(places + 0.2, mined.votes[position], height, color=_VOTES_COLOR)
    bars.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5), xticks=[], yticks=[])


def _name_classes(bars: Any, names: tuple[str, ...]) -> None:
    bars.set_yticks(range(len(names)), names, fontsize=6)


def _legend_entries() -> tuple[list[Any], list[str]]:
    from matplotlib.patches import Patch

    return [Patch(color=_MINED_COLOR), Patch(color=_VOTES_COLOR)], ["mined", "votes"]
