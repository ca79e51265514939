"""What a data set is before it is prepared: samples in splits, and the files they come from."""

import hashlib
from dataclasses import dataclass, replace

from lanet_trainer.datasets.files import SourceFiles
from lanet_trainer.errors import ConfigError

SPLIT_NAMES = ("train", "valid", "test")
LABEL_RULES = ("given", "majority", "distribution", "plurality")


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of a data set, as its distribution lists it.

    Attributes:
        sample_id: Unique in its split and the same on every machine.
        file: Name of the picture inside `DatasetListing.files`.
        label: Position of the class it was given, or -1 where only votes decide.
        votes: How many annotators chose each class, (C,); None without votes.
        ignored_votes: Votes for answers that are no class, such as "unknown".
        box_xyxy_px: Where the data set says the face is, in picture pixels; None if it does not.
        person: Who is shown, as the data set names them; empty where it does not.
    """

    sample_id: str
    file: str
    label: int = -1
    votes: tuple[int, ...] | None = None
    ignored_votes: tuple[int, ...] = ()
    box_xyxy_px: tuple[float, float, float, float] | None = None
    person: str = ""


@dataclass(frozen=True, slots=True)
class DatasetListing:
    """A data set found on disk.

    Attributes:
        name: E.g. "ferplus".
        labels: Class names; a sample's label counts in them.
        rule: How labels follow from the samples of the train split, one of `LABEL_RULES`.
        splits: Samples by split name, in the order of the distribution.
        files: Where the pictures are.
        ignored_names: Names of the answers counted in `Sample.ignored_votes`.
        does_face_fill_picture: The pictures are face crops, as in FER+, not photographs.
        notes: What the reader decided, for the record.
    """

    name: str
    labels: tuple[str, ...]
    rule: str
    splits: dict[str, tuple[Sample, ...]]
    files: SourceFiles
    ignored_names: tuple[str, ...] = ()
    does_face_fill_picture: bool = False
    notes: tuple[str, ...] = ()


def with_distinct_ids(samples: list[Sample]) -> tuple[Sample, ...]:
    """Number the repetitions of an id: some data sets list a few pictures twice."""
    seen: dict[str, int] = {}
    distinct = []
    for sample in samples:
        count = seen[sample.sample_id] = seen.get(sample.sample_id, 0) + 1
        name = sample.sample_id if count == 1 else f"{sample.sample_id}#{count}"
        distinct.append(replace(sample, sample_id=name))
    return tuple(distinct)


def hold_out(listing: DatasetListing, share: float) -> DatasetListing:
    """Move a share of the train split into a new validation split.

    The digest of a sample's id decides, so the choice is the same everywhere and does not change
    when samples are added. Each class gives its share. Where persons are known the digest of the
    person decides instead: all pictures of a person stay together.

    Raises:
        ConfigError: The share is out of range, or the data set has a validation split.
    """
    if not 0 < share < 1:
        raise ConfigError(f"--valid-share must lie between 0 and 1, got {share}.")
    if "valid" in listing.splits or "train" not in listing.splits:
        raise ConfigError("--valid-share needs a data set with a train and without a valid split.")
    train = listing.splits["train"]
    held = {s.sample_id for s in train if s.person and _fraction(s.person) < share}
    ordered = sorted(
        (s for s in train if not s.person),
        key=lambda s: hashlib.sha256(s.sample_id.encode()).digest(),
    )
    for label in {sample.label for sample in ordered}:
        of_class = [sample.sample_id for sample in ordered if sample.label == label]
        held.update(of_class[: round(share * len(of_class))])
    splits = {
        **listing.splits,
        "train": tuple(s for s in train if s.sample_id not in held),
        "valid": tuple(s for s in train if s.sample_id in held),
    }
    note = f"{share:g} of the training pictures held out as validation split"
    return replace(listing, splits=splits, notes=(*listing.notes, note))


def _fraction(name: str) -> float:
    """Return a number from 0 to 1 that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
