"""Compose a run from its record: data, noise, network, loop; and write down what came out."""

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.layers import convert_sync_batchnorm
from torch import nn

from lanet_engines.preprocessing import preprocess
from lanet_engines.spec import ModelSpec
from lanet_live.expression.uncertainty import softmax
from lanet_live.face.template import TEMPLATE_ID
from lanet_trainer import distributed
from lanet_trainer.datasets.prepared import PreparedDataset, PreparedSplit
from lanet_trainer.errors import CheckpointError, ConfigError
from lanet_trainer.methods.base import Method
from lanet_trainer.methods.registry import method_class
from lanet_trainer.metrics import Judged, class_recall, metrics_for
from lanet_trainer.pretrained import is_exported
from lanet_trainer.seeding import seed_torch
from lanet_trainer.training.checkpoint import CHECKPOINT_FILE
from lanet_trainer.training.config import CONFIG_FILE, FitConfig, check_resumable
from lanet_trainer.training.loader import EvalLoader, LoaderConfig, TrainLoader
from lanet_trainer.training.loop import Job, TrainingLoop, Validate, Watcher
from lanet_trainer.training.progress import TensorBoardWatcher
from lanet_trainer.training.run_folder import (
    RESULT_FILE,
    RunFacts,
    build_method,
    describe_model,
    library_versions,
    source_commit,
    write_json,
)
from lanet_trainer.training.samplers import EpochSampler
from lanet_trainer.training.torch_engine import TorchEngine
from lanet_trainer.training.training_data import (
    TrainingData,
    choose_training_data,
    open_for_training,
    vote_shares,
)
from lanet_trainer.transforms import named_augmentation

_EVAL_BATCH = 256
# Enough for the mean and variance of every channel.
_N_IMAGES = 512


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How a run is carried out; changes no number in it.

    Attributes:
        should_resume: Go on from the checkpoint in the folder.
        max_minutes: Stop at the end of the epoch in which so much time has passed.
        has_tensorboard: Write TensorBoard logs beside the table.
        is_compiled: Let torch compile the backbones.
    """

    should_resume: bool = False
    max_minutes: float | None = None
    has_tensorboard: bool = False
    is_compiled: bool = False


@dataclass(frozen=True, slots=True)
class FitResult:
    """How a run ended.

    Attributes:
        is_finished: All epochs are done.
        is_interrupted: The user asked for a stop before the end.
        summary: The chosen epoch's figures in a few words.
    """

    is_finished: bool
    is_interrupted: bool
    summary: str


def fit(
    config: FitConfig,
    folder: Path,
    *,
    device: torch.device,
    watcher: Watcher,
    options: FitOptions,
) -> FitResult:
    """Train a network and leave weights, history and result in a folder.

    Args:
        config: The run's record.
        folder: Of the run; made if it is missing.
        device: Of this process.
        watcher: Shows the progress.
        options: How to carry it out.

    Raises:
        ConfigError: An option cannot be used, or the folder holds another run.
        DataError: The data set is not as expected.
        CheckpointError: The run cannot be resumed with these options.
    """
    check_method(config)
    can_resume = _open_folder(config, folder, should_resume=options.should_resume)
    dataset = open_for_training(config)
    data = choose_training_data(dataset, config)
    distributed.check_same("the labels", data.noise["hash"])
    seed_torch(config.seed, "weights")
    labels, targets = torch.from_numpy(data.labels), torch.from_numpy(data.targets)
    images = _first_images(config, data.split) if is_exported(config.pretrained) else None
    method = build_method(config, labels=labels, targets=targets, images=images).to(device)
    if device.type == "cuda" and distributed.world_size() > 1:
        method = share_batch_statistics(method)
    facts = _facts(config, dataset, data, method.inference_network())
    batches = _training_batches(config, facts, data, second_view=method.second_view)
    validate = _validation(config, facts, data)
    job = Job(
        config,
        method,
        batches,
        validate,
        folder,
        device,
        max_minutes=options.max_minutes,
        is_compiled=options.is_compiled,
    )
    if options.has_tensorboard and distributed.is_main():
        watcher = TensorBoardWatcher(watcher, folder)
    loop = TrainingLoop(job, watcher)
    _begin(loop, job, facts, can_resume=can_resume)
    loop.run()
    return _finish(loop, job, data, was_stopped=watcher.wants_stop)


def _first_images(config: FitConfig, split: PreparedSplit) -> torch.Tensor:
    """Return evenly spaced training crops, normalised, for the statistics of batch norm."""
    positions = np.linspace(0, len(split) - 1, min(_N_IMAGES, len(split))).astype(np.int64)
    batches = EvalLoader(split.select(positions), size_px=config.size_px, batch_size=_N_IMAGES)
    spec = ModelSpec(
        name="first images",
        labels=split.class_names,
        input_size_px=config.size_px,
        color=config.color,
        mean=config.mean,
        std=config.std,
        alignment=TEMPLATE_ID,
    )
    return torch.from_numpy(np.concatenate([preprocess(crops, spec) for _, crops in batches]))


def check_method(config: FitConfig) -> None:
    """Raise `ConfigError` if the method makes no sense with the other options."""
    method_class(config.method).check_augmentation(named_augmentation(config.augment))


def share_batch_statistics(method: Method) -> Method:
    """Let batch norm use the statistics of the global batch; torch can do so on GPUs only."""
    shared: Method = convert_sync_batchnorm(method)
    return shared


def _begin(loop: TrainingLoop, job: Job, facts: RunFacts, *, can_resume: bool) -> None:
    """Go on from the checkpoint, or write down what the run is."""
    if can_resume:
        _check_same_samples(RunFacts.read(job.folder), facts)
        loop.restore()
    elif distributed.is_main():
        job.config.write(job.folder)
        facts.write(job.folder)


def _finish(loop: TrainingLoop, job: Job, data: TrainingData, *, was_stopped: bool) -> FitResult:
    """Write down what came out."""
    result = _result(job.config, loop, data) if loop.history.rows else {}
    if result and distributed.is_main():
        write_json(job.folder / RESULT_FILE, result)
    return FitResult(
        is_finished=loop.is_finished,
        is_interrupted=was_stopped and not loop.is_finished,
        summary=_summary(result),
    )


def _open_folder(config: FitConfig, folder: Path, *, should_resume: bool) -> bool:
    """Make the run's folder; return whether there is a checkpoint to go on from."""
    has_run = (folder / CONFIG_FILE).is_file()
    if has_run and not should_resume:
        raise ConfigError(
            f"'{folder}' holds a run already: add --resume to go on with it, or choose another "
            "--out."
        )
    if has_run:
        check_resumable(FitConfig.read(folder), config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The folder '{folder}' cannot be made: {error}") from error
    distributed.wait_for_all()
    return has_run and (folder / CHECKPOINT_FILE).is_file()


def _check_same_samples(saved: RunFacts, given: RunFacts) -> None:
    if saved.noise["hash"] != given.noise["hash"]:
        raise CheckpointError(
            f"The run was started on other samples or labels of {saved.dataset} than the ones "
            "here; give the data set it was started with, or another --out for a new run."
        )


def _facts(
    config: FitConfig, dataset: PreparedDataset, data: TrainingData, network: nn.Module
) -> RunFacts:
    return RunFacts(
        dataset="+".join([dataset.name, *(Path(path).name for path in config.more_data)]),
        labels=dataset.labels,
        n_train=len(data.labels),
        n_valid=0 if data.valid is None else len(data.valid),
        initialisation=_initialisation(network),
        noise=data.noise,
        is_trained_on_valid=config.include_valid,
        n_processes=distributed.world_size(),
        command=plain_command(sys.argv),
        libraries=library_versions(),
        commit=source_commit(),
    )


def _initialisation(network: nn.Module) -> str:
    """Read where the first weights came from off the backbone inside a network."""
    names = [getattr(module, "initialisation", None) for module in network.modules()]
    return next((name for name in names if isinstance(name, str)), "random")


def plain_command(arguments: list[str]) -> str:
    """Return a command without the folders in it, which are private."""
    words = [Path(word).name if "/" in word or "\\" in word else word for word in arguments]
    return shlex.join(["lanet-train", *words[1:]])


def _training_batches(
    config: FitConfig, facts: RunFacts, data: TrainingData, *, second_view: str
) -> TrainLoader:
    n_processes = distributed.world_size()
    if config.batch_size % n_processes:
        raise ConfigError(
            f"--batch-size {config.batch_size} cannot be shared by {n_processes} processes; take a "
            "multiple."
        )
    sampler = EpochSampler(
        config.sampler, data.labels, config.epochs, config.seed, domains=data.domains
    )
    loader_config = LoaderConfig(
        batch_size=config.batch_size // n_processes,
        augmentation=config.augment,
        second_view=second_view,
        seed=config.seed,
        workers=config.workers,
        rank=distributed.rank(),
        world_size=n_processes,
    )
    spec = describe_model(config, facts)
    return TrainLoader(data.split, spec, sampler=sampler, config=loader_config)


def _validation(config: FitConfig, facts: RunFacts, data: TrainingData) -> Validate | None:
    """Return what measures a network after every epoch; None where there is nothing to measure."""
    if data.valid is None and not data.measured:
        return None
    on_valid = None if data.valid is None else _measuring(config, facts, data.valid)
    others = {name: _measuring(config, facts, split) for name, split in data.measured.items()}

    def validate(network: nn.Module) -> dict[str, float]:
        row = {} if on_valid is None else _figures(on_valid(network), "valid")
        for prefix, measure in others.items():
            judged = measure(network)
            row |= _figures(judged, prefix)
            recalls = zip(facts.labels, class_recall(judged), strict=True)
            row |= {f"{prefix}_recall_{n}": float(recall) for n, recall in recalls if recall >= 0}
        return row

    return validate


def _measuring(
    config: FitConfig, facts: RunFacts, split: PreparedSplit
) -> Callable[[nn.Module], Judged]:
    """Return what asks a network about labelled samples it is not trained on."""
    spec = describe_model(config, facts)
    batches = EvalLoader(split, size_px=config.size_px, batch_size=_EVAL_BATCH)
    votes = None if split.votes is None else vote_shares(split)

    def measure(network: nn.Module) -> Judged:
        engine = TorchEngine(network, spec)
        logits = np.concatenate([engine.infer(crops) for _, crops in batches])
        return Judged(softmax(logits), split.label, votes)

    return measure


def _figures(judged: Judged, prefix: str) -> dict[str, float]:
    return {f"{prefix}_{name}": metric(judged) for name, metric in metrics_for(judged).items()}


def _result(config: FitConfig, loop: TrainingLoop, data: TrainingData) -> dict[str, Any]:
    """Write down last, mean of the last epochs and best, each by its name."""
    best = loop.history.best(config.selection)
    result: dict[str, Any] = {
        "is_finished": loop.is_finished,
        "epochs_done": len(loop.history.rows),
        "elapsed_s": loop.elapsed_s,
        "last": loop.history.last,
        "mean_of_last_5": loop.history.mean_of_last(),
        "best": best,
        "best_chosen_by": None if best is None else f"valid_{config.selection}",
        "noise": data.noise,
    }
    is_flipped = data.labels != data.clean_labels
    predicted = loop.last_predicted.cpu().numpy()
    is_judged = is_flipped & (predicted >= 0)
    if is_judged.any():
        result["on_flipped_labels"] = {
            "n_samples": int(is_judged.sum()),
            "memorised": float((predicted == data.labels)[is_judged].mean()),
            "corrected": float((predicted == data.clean_labels)[is_judged].mean()),
            "measured_on": "predictions of each sample's last training step",
        }
    return result


def _summary(result: Mapping[str, Any]) -> str:
    row = result.get("best") or result.get("last")
    if row is None:
        return "no epoch was finished"
    kind = "best" if result.get("best") else "last"
    names = [name for name in row if name.startswith("valid_")] or ["loss"]
    figures = ", ".join(f"{name} {row[name]:.4f}" for name in names)
    return f"{kind} epoch {int(row['epoch'])}: {figures}"
