"""Label distributions as the finished network sees them.

The bank of a run is a mean over its history: each visit asks the network of the moment about one
augmented view, and for neighbours within one batch. Here the same estimator asks the finished
network about several views, and every training image may be a neighbour.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from lanet_engines.preprocessing import preprocess
from lanet_engines.spec import ModelSpec
from lanet_trainer.errors import ConfigError
from lanet_trainer.labels.mined import MinedLabels
from lanet_trainer.methods.label_distribution import SampleFeatures, blend_with_bank
from lanet_trainer.methods.lanet import LANet
from lanet_trainer.training.checkpoint import CHECKPOINT_FILE, load_exactly, read_checkpoint
from lanet_trainer.training.config import FitConfig
from lanet_trainer.training.loader import EvalLoader, LoaderConfig, TrainLoader
from lanet_trainer.training.run_folder import build_method, load_network
from lanet_trainer.training.samplers import EpochSampler

# Augmented views of every image, besides the plain crop; what they add falls with one over their
# number.
N_PASSES: Final = 12
_BATCH: Final = 64
# Samples whose neighbours are looked for at once: a row of cosines each.
_CHUNK: Final = 512

# Shows progress over so many items.
Track = Callable[[Iterable[Any], int], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run whose network can be asked once more.

    Attributes:
        mined: What the run's bank holds.
        config: Of the run.
        method: As it was at the end of the run, with the weights it is used with.
        spec: What the network takes.
        label_weight: Share of the estimate that stays with what the sample was trained on.
    """

    mined: MinedLabels
    config: FitConfig
    method: LANet
    spec: ModelSpec
    label_weight: float


def open_finished_run(mined: MinedLabels, run: Path) -> FinishedRun:
    """Load a run's network; a mismatch is reported here, before the long work.

    Args:
        mined: What the run's bank holds.
        run: The run's folder; of LA-Net.

    Raises:
        ConfigError: The method has no such estimator, or the bank was never filled.
        CheckpointError: The checkpoint is damaged.
    """
    config = FitConfig.read(run)
    method, spec = _load_method(run, config, mined)
    n_visits = mined.runs[0].epochs_done - method.settings.warmup_epochs
    if n_visits < 1:
        raise ConfigError(f"'{run}' has not mined yet: its warm-up is not over.")
    return FinishedRun(mined, config, method, spec, method.settings.bank_momentum**n_visits)


def estimate_again(finished: FinishedRun, *, track: Track) -> MinedLabels:
    """Put one last estimate in the place of the bank.

    It is m^n H + (1 - m^n) t, with H what the sample was trained on, m the bank's momentum and n
    the epochs the bank was filled for: as if the finished network had made every visit. Features
    and probabilities are averages over the plain crop and `N_PASSES` views augmented as in
    training.

    Args:
        finished: The run.
        track: Shows progress over batches; called with the batches and their number.
    """
    mined, method = finished.mined, finished.method
    samples = _look_at_all(method, finished.config, mined, finished.spec, track)
    estimates = _ask_neighbours(method, samples, track)
    blended = blend_with_bank(method.targets, estimates, momentum=finished.label_weight)
    final = blended.double().numpy()
    final = final / final.sum(axis=1, keepdims=True)
    return replace(mined, distributions=final, is_from_finished_network=True)


def _load_method(run: Path, config: FitConfig, mined: MinedLabels) -> tuple[LANet, ModelSpec]:
    """Build the method as it was at the end of the run, with the weights it is used with."""
    labels = torch.from_numpy(mined.labels)
    method = build_method(
        # Every weight comes from the checkpoint; the initial ones need not be there any more.
        replace(config, pretrained=None),
        labels=labels,
        targets=functional.one_hot(labels, len(mined.split.class_names)).float(),
    )
    if not isinstance(method, LANet):
        raise ConfigError(f"{config.method} does not ask neighbours; this is for lanet.")
    load_exactly(method, read_checkpoint(run / CHECKPOINT_FILE).part("method/"), what="lanet")
    network, spec = load_network(run, weights="last")
    method.encoder.network.load_state_dict(network.state_dict())
    return method.eval(), spec


@torch.inference_mode()
def _look_at_all(
    method: LANet, config: FitConfig, mined: MinedLabels, spec: ModelSpec, track: Track
) -> SampleFeatures:
    """Encode every image in all its views and average them."""
    n_samples = len(mined.labels)
    sums: list[Tensor] = []
    counts = torch.zeros(n_samples, 1)
    batches, n_batches = _views(config, mined, spec)
    for index, images in track(batches, n_batches):
        rows = _encode(method, images)
        sums = sums or [torch.zeros(n_samples, row.shape[1]) for row in rows]
        for total, row in zip(sums, rows, strict=True):
            total.index_add_(0, index, row)
        counts.index_add_(0, index, torch.ones(len(index), 1))
    probabilities, expression, landmark = (total / counts for total in sums)
    return SampleFeatures(
        ids=torch.arange(n_samples),
        probabilities=probabilities,
        expression=expression,
        landmark=landmark if method.settings.use_landmarks else None,
        has_landmarks=torch.from_numpy(mined.split.has_face),
    )


def _views(
    config: FitConfig, mined: MinedLabels, spec: ModelSpec
) -> tuple[Iterator[tuple[Tensor, Tensor]], int]:
    """Return positions and images of every view, and how many batches that is.

    An augmented pass leaves out what does not fill a batch; the plain crops see all.
    """
    plain = EvalLoader(mined.split, size_px=spec.input_size_px, batch_size=_BATCH)
    augmented = TrainLoader(
        mined.split,
        spec,
        sampler=EpochSampler("shuffle", mined.labels, N_PASSES, config.seed),
        config=LoaderConfig(
            batch_size=min(_BATCH, len(mined.labels)),
            augmentation=config.augment,
            seed=config.seed,
        ),
    )

    def draw() -> Iterator[tuple[Tensor, Tensor]]:
        for index, crops in plain:
            yield torch.from_numpy(index), torch.from_numpy(preprocess(crops, spec))
        for epoch in range(N_PASSES):
            augmented.set_epoch(epoch)
            for batch in augmented:
                yield batch.index, batch.image

    return draw(), len(plain) + N_PASSES * len(augmented)


def _encode(method: LANet, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return probabilities, expression and landmark features; the last empty without a branch."""
    encoded = method.encoder(images)
    logits = method.encoder.network.fc(encoded.expression)
    landmark = encoded.expression[:, :0] if encoded.landmark is None else encoded.landmark
    return logits.softmax(dim=1), encoded.expression, landmark


@torch.inference_mode()
def _ask_neighbours(method: LANet, everyone: SampleFeatures, track: Track) -> Tensor:
    """Estimate each sample from its neighbours among all, (N, C)."""
    starts = range(0, len(everyone.ids), _CHUNK)
    parts = []
    for start in track(starts, len(starts)):
        rows = slice(start, start + _CHUNK)
        some = SampleFeatures(
            ids=everyone.ids[rows],
            probabilities=everyone.probabilities[rows],
            expression=everyone.expression[rows],
            landmark=None if everyone.landmark is None else everyone.landmark[rows],
            has_landmarks=everyone.has_landmarks[rows],
        )
        parts.append(method.estimator(some, everyone))
    return torch.cat(parts)
