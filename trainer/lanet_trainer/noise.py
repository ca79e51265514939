"""Synthetic label noise: applied once, before training, to training labels only.

symmetric:R     with probability R another class, each equally likely
asymmetric:R    with probability R the class it is most easily mistaken for
...:exact       flip exactly R of the samples instead of tossing a coin for each
list:FILE       labels from a file: a name and a label a line, numbers counting from 1
list0:FILE      likewise, numbers counting from 0
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_trainer.class_names import canonical_name
from lanet_trainer.errors import ConfigError, DataError

I64Array = NDArray[np.int64]

# What each expression is mistaken for (LA-Net; its supplement adds contempt).
CONFUSED_WITH: Final = {
    "anger": "disgust",
    "disgust": "anger",
    "fear": "surprise",
    "happiness": "neutral",
    "sadness": "neutral",
    "surprise": "anger",
    "neutral": "sadness",
    "contempt": "neutral",
}
_RATED_KINDS: Final = ("symmetric", "asymmetric")
_LIST_KINDS: Final = {"list": 1, "list0": 0}
_PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_MAX_LIST_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class NoiseSpec:
    """Which noise.

    Attributes:
        kind: "none", "symmetric", "asymmetric", "list" or "list0".
        rate: Share of labels that flip, 0 to 1; 0 for the other kinds.
        is_exact: Flip that share exactly, not in expectation.
        path: Of the list.
    """

    kind: str
    rate: float = 0.0
    is_exact: bool = False
    path: Path | None = None


def parse_noise(text: str) -> NoiseSpec:
    """Read a noise option such as "asymmetric:0.2".

    Raises:
        ConfigError: It is not one; the message shows the forms there are.
    """
    kind, _, rest = text.partition(":")
    if text == "none":
        return NoiseSpec("none")
    if kind in _LIST_KINDS and rest:
        return NoiseSpec(kind, path=Path(rest))
    rate_text, _, mode = rest.partition(":")
    try:
        rate = float(rate_text)
    except ValueError:
        rate = math.nan
    if kind not in _RATED_KINDS or mode not in ("", "exact") or not 0 <= rate <= 1:
        raise ConfigError(
            f"--noise '{text}' is not known: take none, symmetric:RATE, asymmetric:RATE (a rate "
            "from 0 to 1, with :exact behind it for an exact count), list:FILE or list0:FILE."
        )
    return NoiseSpec(kind, rate, mode == "exact")


def apply_noise(
    labels: I64Array,
    spec: NoiseSpec,
    *,
    class_names: Sequence[str],
    seed: int,
    sample_ids: Sequence[str] = (),
) -> tuple[I64Array, dict[str, Any]]:
    """Make labels noisy.

    Args:
        labels: Clean labels, (N,), each at least 0.
        spec: Which noise.
        class_names: The C classes.
        seed: Of the noise's own generator.
        sample_ids: (N,); needed for a list.

    Returns:
        The noisy labels, (N,), and a record for the result: what was asked for, flips realised,
        how often each class became each other, and a hash of the noisy labels.

    Raises:
        ConfigError: The classes have no asymmetric counterpart.
        DataError: The list cannot be read or lacks a sample.
    """
    if spec.kind == "none":
        noisy = labels.copy()
    elif spec.kind in _LIST_KINDS:
        noisy = _labels_from_list(spec, class_names, sample_ids)
    else:
        generator = np.random.default_rng(seed)
        is_chosen = _choose(len(labels), spec, generator)
        other = _OTHER_CLASS[spec.kind](labels, class_names, generator)
        noisy = np.where(is_chosen, other, labels)
    return noisy, _describe(spec, labels, noisy, seed=seed, n_classes=len(class_names))


def confusion_map(class_names: Sequence[str]) -> I64Array:
    """Return for each class the position of the one it is mistaken for, (C,).

    Raises:
        ConfigError: A class, or the one it is mistaken for, is not among the eight expressions.
    """
    names = [canonical_name(name) for name in class_names]
    for name in names:
        if name not in CONFUSED_WITH:
            raise ConfigError(
                f"Asymmetric noise is defined for {', '.join(CONFUSED_WITH)}; not for '{name}'."
            )
        if CONFUSED_WITH[name] not in names:
            raise ConfigError(
                f"Asymmetric noise turns {name} into {CONFUSED_WITH[name]}, which the data lacks."
            )
    return np.array([names.index(CONFUSED_WITH[name]) for name in names], dtype=np.int64)


def hash_labels(labels: I64Array) -> str:
    """Return the SHA-256 of labels, the same on every machine."""
    return hashlib.sha256(np.ascontiguousarray(labels, dtype="<i8").tobytes()).hexdigest()


def _choose(n: int, spec: NoiseSpec, generator: np.random.Generator) -> NDArray[np.bool_]:
    if not spec.is_exact:
        return generator.random(n) < spec.rate
    is_chosen = np.zeros(n, dtype=bool)
    is_chosen[generator.permutation(n)[: round(spec.rate * n)]] = True
    return is_chosen


def _any_other(
    labels: I64Array, class_names: Sequence[str], generator: np.random.Generator
) -> I64Array:
    n_classes = len(class_names)
    return (labels + generator.integers(1, n_classes, size=len(labels))) % n_classes


def _confused(
    labels: I64Array, class_names: Sequence[str], _generator: np.random.Generator
) -> I64Array:
    return confusion_map(class_names)[labels]


_OTHER_CLASS: Final[
    dict[str, Callable[[I64Array, Sequence[str], np.random.Generator], I64Array]]
] = {"symmetric": _any_other, "asymmetric": _confused}


def _describe(
    spec: NoiseSpec, clean: I64Array, noisy: I64Array, *, seed: int, n_classes: int
) -> dict[str, Any]:
    matrix = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(matrix, (clean, noisy), 1)
    n_flipped = int((clean != noisy).sum())
    return {
        "kind": spec.kind,
        "rate": spec.rate,
        "is_exact": spec.is_exact,
        "seed": seed if spec.kind in _RATED_KINDS else None,
        "n_samples": len(clean),
        "n_flipped": n_flipped,
        "realised_rate": n_flipped / max(1, len(clean)),
        "matrix": matrix.tolist(),
        "hash": hash_labels(noisy),
    }


def _labels_from_list(
    spec: NoiseSpec, class_names: Sequence[str], sample_ids: Sequence[str]
) -> I64Array:
    """Look every sample up in a list file."""
    by_name = _read_list(spec, class_names)
    labels = np.empty(len(sample_ids), dtype=np.int64)
    for position, sample_id in enumerate(sample_ids):
        label = by_name.get(_plain_name(sample_id))
        if label is None:
            raise DataError(f"The noise list {spec.path} has no label for {sample_id}.")
        labels[position] = label
    return labels


def _read_list(spec: NoiseSpec, class_names: Sequence[str]) -> dict[str, int]:
    path = spec.path or Path()
    try:
        if path.stat().st_size > _MAX_LIST_BYTES:
            raise DataError(f"The noise list {path} is too large to be one.")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The noise list {path} cannot be read: {error}.") from error
    names = [canonical_name(name) for name in class_names]
    labels = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, _, label = line.strip().replace(",", " ").rpartition(" ")
        where = f"Line {number} of the noise list {path}"
        labels[_plain_name(name.strip())] = _read_label(label, names, _LIST_KINDS[spec.kind], where)
    return labels


def _read_label(text: str, names: list[str], first: int, where: str) -> int:
    if canonical_name(text) in names:
        return names.index(canonical_name(text))
    try:
        label = int(text) - first
    except ValueError:
        label = -1
    if not 0 <= label < len(names):
        raise DataError(
            f"{where} has the label '{text}', expected a class name or a number from {first} "
            f"to {first + len(names) - 1}."
        )
    return label


def _plain_name(name: str) -> str:
    """Reduce a path or id to what data sets and lists agree on."""
    leaf = PurePosixPath(name.replace("\\", "/"))
    stem = leaf.stem if leaf.suffix.lower() in _PICTURE_SUFFIXES else leaf.name
    return stem.removesuffix("_aligned")
