import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from lanet_engines.preprocessing import preprocess
from lanet_engines.spec import ModelSpec
from lanet_live.face.alignment import align_face
from lanet_live.face.template import TEMPLATE_ID
from lanet_trainer.datasets.prepared import PreparedSplit, open_prepared
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch
from lanet_trainer.training.loader import EvalLoader, LoaderConfig, Normaliser, TrainLoader
from lanet_trainer.training.samplers import EpochSampler
from tests.prepared_sets import LABELS, write_prepared

SIDE = 32


def _spec(color: str = "gray") -> ModelSpec:
    mean, std = (0.5412, 0.4324, 0.3795), (0.2485, 0.2182, 0.2066)
    return ModelSpec("tiny", LABELS, SIDE, color, mean, std, TEMPLATE_ID)


@pytest.fixture
def split(tmp_path: Path) -> PreparedSplit:
    return open_prepared(write_prepared(tmp_path / "tiny")).split("train")


def _loader(split: PreparedSplit, *, kind: str = "shuffle", **changes: object) -> TrainLoader:
    values = {"batch_size": 8, "augmentation": "live", "seed": 3, **changes}
    config = LoaderConfig(**values)  # type: ignore[arg-type]
    sampler = EpochSampler(kind, split.label, 4, seed=3)
    return TrainLoader(split, _spec(), sampler=sampler, config=config)


def _join(batches: list[Batch]) -> dict[str, np.ndarray]:
    names = ("index", "image", "landmarks_px", "has_landmarks")
    return {name: torch.cat([getattr(b, name) for b in batches]).numpy() for name in names}


def _epoch(loader: TrainLoader, epoch: int = 0, first_step: int = 0) -> dict[str, np.ndarray]:
    loader.set_epoch(epoch, first_step=first_step)
    return _join(list(loader))


def _assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    for name, values in a.items():
        np.testing.assert_array_equal(values, b[name], err_msg=name)


def test_batches_have_the_shapes_the_methods_take(split: PreparedSplit) -> None:
    loader = _loader(split)
    batch = next(iter(loader))
    assert len(loader) == 3
    assert batch.image.shape == (8, 3, SIDE, SIDE)
    assert batch.image.dtype == torch.float32
    assert batch.index.dtype == torch.int64
    assert batch.landmarks_px.shape == (8, 19, 2)
    assert batch.second_view is None
    np.testing.assert_array_equal(batch.has_landmarks, split.has_face[batch.index])
    assert torch.isfinite(batch.landmarks_px).all()


@pytest.mark.slow
def test_batches_do_not_depend_on_the_number_of_workers(split: PreparedSplit) -> None:
    in_thread = _epoch(_loader(split), epoch=2)
    _assert_same(in_thread, _epoch(_loader(split, workers=1), epoch=2))
    _assert_same(in_thread, _epoch(_loader(split, workers=2), epoch=2))


def test_seed_and_epoch_change_the_batches(split: PreparedSplit) -> None:
    first = _epoch(_loader(split))
    assert (first["image"] != _epoch(_loader(split), epoch=1)["image"]).any()
    assert (first["image"] != _epoch(_loader(split, seed=4))["image"]).any()


def test_a_resumed_epoch_goes_on_with_the_same_batches(split: PreparedSplit) -> None:
    whole = _epoch(_loader(split), epoch=1)
    rest = _epoch(_loader(split), epoch=1, first_step=2)
    _assert_same({name: values[16:] for name, values in whole.items()}, rest)


@pytest.mark.parametrize("kind", ["shuffle", "progressive"])
def test_processes_together_see_the_batches_of_one(split: PreparedSplit, kind: str) -> None:
    alone = _epoch(_loader(split, kind=kind), epoch=3)
    parts = []
    for rank in range(2):
        loader = _loader(split, kind=kind, batch_size=4, rank=rank, world_size=2)
        loader.set_epoch(3)
        parts.append(list(loader))
    together = _join([batch for step in zip(*parts, strict=True) for batch in step])
    _assert_same(alone, together)


def test_a_repeated_sample_looks_different_each_time(tmp_path: Path) -> None:
    split = open_prepared(write_prepared(tmp_path / "tiny")).split("train")
    few = split.select(np.array([0, 1, 2, 3, 4, 8, 12, 16]))  # class 0 prevails
    batch = _epoch(_loader(few, kind="balanced"))
    index, counts = np.unique(batch["index"], return_counts=True)
    repeated = index[counts > 1][0]
    views = batch["image"][batch["index"] == repeated]
    assert (views[0] != views[1]).any()


def test_exact_second_view_mirrors_the_first_with_its_erasing(split: PreparedSplit) -> None:
    batch = next(iter(_loader(split, augmentation="eac", second_view="mirror_exact")))
    assert batch.second_view is not None
    torch.testing.assert_close(batch.second_view, batch.image.flip(3), rtol=0, atol=0)


def test_independent_second_view_is_erased_on_its_own_and_free_of_noise(
    split: PreparedSplit,
) -> None:
    noisy = next(iter(_loader(split, augmentation="eac", second_view="mirror_independent")))
    plain = next(iter(_loader(split, augmentation="none")))
    assert noisy.second_view is not None
    mirrored = plain.image.flip(3)
    is_erased = noisy.second_view == 0
    torch.testing.assert_close(noisy.second_view[~is_erased], mirrored[~is_erased])
    erased = [(view == 0).flatten(1).any(1) for view in (noisy.image, noisy.second_view)]
    assert (erased[0] != erased[1]).any()
    assert erased[1].any()
    assert not torch.equal(noisy.image.flip(3), noisy.second_view)


def test_training_crops_without_augmentation_are_what_an_engine_gets(
    split: PreparedSplit,
) -> None:
    batch = _epoch(_loader(split, augmentation="none"))
    for row, position in enumerate(batch["index"]):
        if not split.has_face[position]:
            continue
        crop, _ = align_face(split.image(int(position)), split.landmarks_px[position], size_px=SIDE)
        expected = preprocess(crop[None, :, :, None].repeat(3, axis=3), _spec())[0]
        np.testing.assert_allclose(batch["image"][row], expected, atol=1e-6)


@pytest.mark.parametrize("color", ["gray", "rgb"])
@pytest.mark.parametrize("shape", [(SIDE, SIDE), (SIDE, SIDE, 3)])
def test_normalisation_equals_the_engines(color: str, shape: tuple[int, ...]) -> None:
    crop = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    planes = np.empty((3, SIDE, SIDE), dtype=np.float32)
    Normaliser(_spec(color)).write(crop, planes)
    bgr = crop if crop.ndim == 3 else crop[:, :, None].repeat(3, axis=2)
    np.testing.assert_allclose(planes, preprocess(bgr[None], _spec(color))[0], atol=2e-6)


@pytest.mark.parametrize("is_color", [False, True])
def test_eval_loader_yields_every_sample_once_as_the_app_cuts_it(
    tmp_path: Path, is_color: bool
) -> None:
    split = open_prepared(write_prepared(tmp_path / "t", is_color=is_color)).split("valid")
    loader = EvalLoader(split, size_px=SIDE, batch_size=5)
    batches = list(loader)
    assert len(batches) == len(loader) == 3
    assert np.concatenate([i for i, _ in batches]).tolist() == list(range(12))
    crops = np.concatenate([c for _, c in batches])
    assert crops.shape == (12, SIDE, SIDE, 3)
    crop, _ = align_face(split.image(0), split.landmarks_px[0], size_px=SIDE)
    np.testing.assert_array_equal(crops[0][:, :, 0], crop if crop.ndim == 2 else crop[:, :, 0])


def test_leaving_an_epoch_early_ends_the_thread(split: PreparedSplit) -> None:
    batches = iter(_loader(split))
    next(batches)
    assert any(t.name.startswith("lanet-loader") for t in threading.enumerate())
    batches.close()  # type: ignore[attr-defined]
    assert not any(t.name.startswith("lanet-loader") for t in threading.enumerate())


def test_an_error_in_the_thread_reaches_the_reader(split: PreparedSplit) -> None:
    loader = _loader(split)
    loader._maker._points_px = np.empty((0, 19, 2), dtype=np.float32)
    with pytest.raises(IndexError):
        list(loader)


def test_a_batch_larger_than_the_training_set_is_refused(split: PreparedSplit) -> None:
    with pytest.raises(ConfigError, match="lower --batch-size"):
        _loader(split, batch_size=16, world_size=2)
