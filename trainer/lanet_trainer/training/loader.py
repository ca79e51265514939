"""Batches of a prepared split: augmented ones for training, plain crops for measuring.

What a sample looks like is decided by (seed, epoch, sample, repetition in the epoch) and nothing
else, so that neither workers nor processes nor a resumed run change it.
"""

import dataclasses
import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from lanet_engines.preprocessing import LUMA_BGR, preprocess
from lanet_engines.spec import ModelSpec
from lanet_live.face.alignment import cut_crop
from lanet_trainer.datasets.chips import to_bgr
from lanet_trainer.datasets.prepared import PreparedSplit
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch
from lanet_trainer.seeding import derive_seed
from lanet_trainer.training.prefetch import Prefetcher
from lanet_trainer.training.samplers import EpochSampler, count_repetitions
from lanet_trainer.transforms import Drawing, cut_view, erase, move_points, named_augmentation

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]
I64Array = NDArray[np.int64]

SECOND_VIEWS: Final = ("none", "mirror_independent", "mirror_exact")
# Distinguishes the generator of the second view from that of the first.
_SECOND_VIEW_STREAM: Final = 1


@dataclass(frozen=True, slots=True)
class LoaderConfig:
    """How training batches are made.

    Attributes:
        batch_size: Of this process.
        augmentation: Preset of `lanet_trainer.transforms`.
        second_view: One of `SECOND_VIEWS`, see `lanet_trainer.methods.base.Method`.
        seed: Of the run.
        workers: Processes that prepare batches; 0 prepares them in a thread.
        rank: This process among those that train together.
        world_size: How many train together.
    """

    batch_size: int
    augmentation: str = "standard"
    second_view: str = "none"
    seed: int = 0
    workers: int = 0
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        if self.second_view not in SECOND_VIEWS:
            raise ValueError(f"second_view must be one of {SECOND_VIEWS}, got {self.second_view}")
        if self.batch_size < 1 or self.workers < 0 or not 0 <= self.rank < self.world_size:
            raise ValueError("batch_size, workers, rank or world_size is out of range")


class TrainLoader:
    """Batches of one epoch after another; the last, incomplete one is dropped.

    The batches of all processes, put together in rank order, are those of one process with the
    global batch.
    """

    def __init__(
        self,
        split: PreparedSplit,
        spec: ModelSpec,
        *,
        sampler: EpochSampler,
        config: LoaderConfig,
    ) -> None:
        """Set up.

        Args:
            split: The samples trained on; `Batch.index` counts in it.
            spec: Size, colour and normalisation of the crops.
            sampler: Draws the order of each epoch.
            config: See there.

        Raises:
            ConfigError: The samples do not fill one batch, or there is no such preset.
        """
        self._config = config
        self._sampler = sampler
        self._global_batch = config.batch_size * config.world_size
        if len(split) < self._global_batch:
            raise ConfigError(
                f"A batch of {self._global_batch} is larger than the training set of "
                f"{len(split)} images; lower --batch-size."
            )
        self._maker = _BatchMaker(split, spec, config)
        self._epoch = 0
        self._first_step = 0

    def set_epoch(self, epoch: int, *, first_step: int = 0) -> None:
        """Choose the epoch, and the step to begin with when it was begun before."""
        self._epoch, self._first_step = epoch, first_step

    def __len__(self) -> int:
        """Return the steps of a whole epoch."""
        return len(self._maker.split) // self._global_batch

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the epoch, from its first step on, on the CPU."""
        keys = self._keys()
        if self._config.workers == 0:
            with Prefetcher(self._maker[key] for key in keys) as batches:
                yield from batches
            return
        loader = DataLoader(
            self._maker,
            batch_size=None,
            sampler=keys,
            num_workers=self._config.workers,
            worker_init_fn=_start_worker,
            collate_fn=_as_is,
            # Forked workers share the mapped files and start at once; torch's own default.
            multiprocessing_context=multiprocessing.get_context(),
        )
        yield from loader

    def _keys(self) -> list["_BatchKey"]:
        """Name what each step of this process is made of."""
        order = self._sampler.order(self._epoch)
        repetition = count_repetitions(order)
        size, rank = self._config.batch_size, self._config.rank
        keys = []
        for step in range(self._first_step, len(self)):
            start = step * self._global_batch + rank * size
            part = slice(start, start + size)
            keys.append(_BatchKey(self._epoch, order[part], repetition[part]))
        return keys


class EvalLoader:
    """Plain crops of every sample of a split, in order, as the app would cut them."""

    def __init__(self, split: PreparedSplit, *, size_px: int, batch_size: int = 64) -> None:
        self._split = split
        self._size_px = size_px
        self._batch_size = batch_size

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-len(self._split) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[I64Array, U8Array]]:
        """Yield positions in the split, (B,), and their crops, (B, S, S, 3) uint8 BGR."""
        for start in range(0, len(self._split), self._batch_size):
            index = np.arange(start, min(start + self._batch_size, len(self._split)))
            yield index, np.stack([self._crop(int(i)) for i in index])

    def _crop(self, position: int) -> U8Array:
        affine = self._split.alignment[position] * self._size_px
        return to_bgr(cut_crop(self._split.image(position), affine, size_px=self._size_px))


@dataclass(frozen=True, slots=True)
class _BatchKey:
    """What a batch is made of: positions and how often each was shown before in the epoch."""

    epoch: int
    index: I64Array
    repetition: I64Array


class _BatchMaker(Dataset[Batch]):
    """Turns a key into a batch, in whatever process."""

    def __init__(self, split: PreparedSplit, spec: ModelSpec, config: LoaderConfig) -> None:
        self.split = split
        self._points_px = np.nan_to_num(split.points_px)
        self._normaliser = Normaliser(spec)
        self._size_px = spec.input_size_px
        self._drawing = Drawing(named_augmentation(config.augmentation), size_px=self._size_px)
        self._second_view = config.second_view
        self._seed = derive_seed(config.seed, "augmentation")

    def __getitem__(self, key: _BatchKey) -> Batch:
        n, side = len(key.index), self._size_px
        arrays: dict[str, NDArray[Any]] = {
            "index": key.index,
            "image": np.empty((n, 3, side, side), dtype=np.float32),
            "landmarks_px": np.empty((n, *self._points_px.shape[1:]), dtype=np.float32),
            "has_landmarks": self.split.has_face[key.index],
        }
        if self._second_view != "none":
            arrays["second_view"] = np.empty_like(arrays["image"])
        for row, (position, repetition) in enumerate(
            zip(key.index.tolist(), key.repetition.tolist(), strict=True)
        ):
            self._make_sample(arrays, row, (key.epoch, position, repetition))
        return _to_batch(arrays)

    def _make_sample(
        self, arrays: dict[str, NDArray[Any]], row: int, key: tuple[int, int, int]
    ) -> None:
        position = key[1]
        generator = np.random.default_rng((self._seed, *key))
        draw = self._drawing.draw(self.split.alignment[position], generator)
        chip = self.split.image(position)
        image = arrays["image"][row]
        crop = cut_view(chip, draw, size_px=self._size_px)
        self._normaliser.write(crop, image)
        arrays["landmarks_px"][row] = move_points(
            self._points_px[position], draw, size_px=self._size_px
        )
        if self._second_view == "mirror_independent":
            second = arrays["second_view"][row]
            if draw.noise is not None:  # It belongs to the first view alone.
                crop = cut_view(chip, dataclasses.replace(draw, noise=None), size_px=self._size_px)
            self._normaliser.write(crop[:, ::-1], second)
            own = np.random.default_rng((self._seed, *key, _SECOND_VIEW_STREAM))
            erase(second, self._drawing.draw_erased(own))
        erase(image, draw.erased)
        if self._second_view == "mirror_exact":
            arrays["second_view"][row] = image[:, :, ::-1]


class Normaliser:
    """`lanet_engines.preprocessing` for one crop: by table where each pixel decides alone.

    The tables are made by the engines' own function, so the two cannot drift apart.
    """

    def __init__(self, spec: ModelSpec) -> None:
        grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
        small = dataclasses.replace(spec, input_size_px=16)
        self._tables = preprocess(grey, small).reshape(3, 256)
        self._is_grey = spec.color == "gray"
        self._luma_weights = (LUMA_BGR / np.float32(255)).reshape(1, 3)
        self._mean = np.array(spec.mean, dtype=np.float32)[:, None, None]
        self._std = np.array(spec.std, dtype=np.float32)[:, None, None]

    def write(self, crop: U8Array, planes: F32Array) -> None:
        """Normalise a crop, (S, S) or (S, S, 3) BGR, into planes, (3, S, S)."""
        if crop.ndim == 2:
            for plane, table in zip(planes, self._tables, strict=True):
                np.take(table, crop, out=plane, mode="clip")
        elif self._is_grey:
            luma = cv2.transform(crop.astype(np.float32), self._luma_weights)
            np.divide(luma - self._mean, self._std, out=planes)
        else:
            for channel, (plane, table) in enumerate(zip(planes, self._tables, strict=True)):
                np.take(table, crop[:, :, 2 - channel], out=plane, mode="clip")


def _to_batch(arrays: dict[str, NDArray[Any]]) -> Batch:
    second = arrays.get("second_view")
    return Batch(
        index=torch.from_numpy(arrays["index"]),
        image=torch.from_numpy(arrays["image"]),
        second_view=None if second is None else torch.from_numpy(second),
        landmarks_px=torch.from_numpy(arrays["landmarks_px"]),
        has_landmarks=torch.from_numpy(arrays["has_landmarks"]),
    )


def _as_is(batch: Any) -> Any:
    return batch


def _start_worker(_number: int) -> None:
    # Ctrl-C reaches every process of the terminal, and a batch system ends a whole group: only the
    # training process acts on it, and ends its workers once the checkpoint is written.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(0)
