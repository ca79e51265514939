"""The training loop: epochs, steps, validation, checkpoints. It can be read from top to bottom.

The loop owns batches, optimiser, precision, averaged weights and checkpoints; the method owns its
networks, its loss and its per-sample state (`lanet_trainer.methods.base`).
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lanet_trainer import distributed
from lanet_trainer.backbones import compile_backbones
from lanet_trainer.errors import TrainerError
from lanet_trainer.methods.base import Batch, Method, Progress, StepOutput
from lanet_trainer.seeding import seed_torch
from lanet_trainer.training.checkpoint import (
    CHECKPOINT_FILE,
    load_exactly,
    load_optimizer,
    optimizer_tensors,
    read_checkpoint,
    write_checkpoint,
)
from lanet_trainer.training.config import FitConfig
from lanet_trainer.training.history import History
from lanet_trainer.training.optimisation import (
    AveragedWeights,
    build_optimizer,
    learning_rate_factor,
    set_learning_rate,
)
from lanet_trainer.training.precision import Precision

BEST_FILE = "best.safetensors"
LAST_FILE = "last.safetensors"


class TrainBatches(Protocol):
    """Batches of one epoch after another, the same for the same seed, epoch and step."""

    def set_epoch(self, epoch: int, *, first_step: int = 0) -> None:
        """Choose the epoch, and the step to begin with when it was begun before."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


Validate = Callable[[nn.Module], dict[str, float]]
"""Measures an inference network on the validation split."""


class Watcher(Protocol):
    """Shows the progress, and may ask the loop to stop."""

    @property
    def wants_stop(self) -> bool:
        """Stop after the current step, keeping a checkpoint."""
        ...

    def on_step(self, progress: Progress, means: Mapping[str, float]) -> None:
        """Show a step; the means are taken over the epoch so far."""
        ...

    def on_epoch(self, row: Mapping[str, float], *, n_epochs: int) -> None:
        """Show a finished epoch."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """Everything a run needs.

    Attributes:
        config: The run's record.
        method: The network with its rule, on the training device.
        batches: Training batches.
        validate: None when there is no validation split to select on.
        folder: Where checkpoints and weights go.
        device: Where it trains.
        max_minutes: Stop at the end of the epoch in which so much time has passed; None: never.
        is_compiled: Let torch compile the backbones: slow to start, then faster.
    """

    config: FitConfig
    method: Method
    batches: TrainBatches
    validate: Validate | None
    folder: Path
    device: torch.device
    max_minutes: float | None = None
    is_compiled: bool = False


@dataclass(slots=True)
class _Position:
    """Where the run stands, and the sums of the epoch under way."""

    epoch: int = 0
    step: int = 0
    elapsed_s: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)


class TrainingLoop:
    """One run, from its start or from its checkpoint, to its end or to a request to stop.

    Attributes:
        history: One row per finished epoch.
        last_predicted: For each training sample the class predicted when it was last trained on,
            (N,); -1 before.
    """

    def __init__(self, job: Job, watcher: Watcher) -> None:
        self._job = job
        self._watcher = watcher
        self._method = job.method
        self._precision = Precision.choose(job.config.precision, job.device)
        self._method.to(memory_format=torch.channels_last)
        self._step_module = _distribute(_StepModule(self._method), job.device)
        self._optimizer = build_optimizer(self._method, job.config)
        self._scaler = self._precision.scaler()
        self._network = self._method.inference_network()
        decay = job.config.ema_decay
        self._average = AveragedWeights(self._network, decay) if decay else None
        if job.is_compiled:
            compile_backbones(self._method)
        self._position = _Position()
        self.history = History()
        self.last_predicted = torch.full_like(self._method.labels, -1)

    @property
    def inference_network(self) -> nn.Module:
        """The network that is validated and exported: the averaged one when averaging is on."""
        return self._network if self._average is None else self._average.network

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done."""
        return self._position.epoch >= self._job.config.epochs

    @property
    def elapsed_s(self) -> float:
        """Seconds spent in this run so far, over all its resumptions."""
        return self._position.elapsed_s

    def run(self) -> None:
        """Train until all epochs are done, a stop is requested, or the time is up."""
        started_s = time.perf_counter()
        already_s = self._position.elapsed_s
        if self._position.epoch == self._position.step == 0:
            seed_torch(self._job.config.seed, "training", distributed.rank())
        while not self.is_finished:
            is_whole = self._train_epoch()
            run_s = time.perf_counter() - started_s
            self._position.elapsed_s = already_s + run_s
            if not is_whole:
                self._save()
                return
            self._finish_epoch()
            limit_s = 60 * (self._job.max_minutes or float("inf"))
            if distributed.any_process(run_s > limit_s, self._job.device):
                return

    def _train_epoch(self) -> bool:
        """Train on the rest of the current epoch; False if asked to stop before its end."""
        position, batches = self._position, self._job.batches
        batches.set_epoch(position.epoch, first_step=position.step)
        self._method.train()
        for batch in batches:
            progress = Progress(
                position.epoch, self._job.config.epochs, position.step, len(batches)
            )
            output = self._step(_move(batch, self._job.device), progress)
            position.step += 1
            self._add_up(batch, output)
            self._watcher.on_step(progress, self._means())
            if distributed.any_process(self._watcher.wants_stop, self._job.device):
                return position.step == len(batches)
        return True

    def _step(self, batch: Batch, progress: Progress) -> StepOutput:
        """Take one step of the optimiser."""
        config = self._job.config
        step = progress.epoch * progress.steps_per_epoch + progress.step_in_epoch
        factor = learning_rate_factor(
            config.schedule,
            step=step,
            steps_per_epoch=progress.steps_per_epoch,
            n_epochs=progress.n_epochs,
        )
        set_learning_rate(self._optimizer, factor)
        with self._precision.autocast():
            output: StepOutput = self._step_module(batch, progress)
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(output.loss).backward()
        if config.clip_norm:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._method.parameters(), config.clip_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update(self._network, step)
        self._method.after_step(batch, output, progress)
        return output

    def _add_up(self, batch: Batch, output: StepOutput) -> None:
        """Add one step to the sums of the epoch, and refuse to go on from a broken loss."""
        index = batch.index.to(self._job.device)
        predicted = output.logits.argmax(dim=1)
        self.last_predicted[index] = predicted
        values = {"loss": output.loss.detach(), **output.parts}
        values["train_accuracy"] = (predicted == self._method.labels[index]).float().mean()
        means = distributed.mean_over_processes(torch.stack([v.float() for v in values.values()]))
        for name, mean in zip(values, means.tolist(), strict=True):
            self._position.sums[name] = self._position.sums.get(name, 0.0) + mean
        loss = means[0].item()
        if not math.isfinite(loss):
            raise TrainerError(
                f"The loss is {loss} in epoch {self._position.epoch + 1}, step "
                f"{self._position.step}: lower --lr, or take --precision fp32."
            )

    def _means(self) -> dict[str, float]:
        return {name: total / self._position.step for name, total in self._position.sums.items()}

    def _finish_epoch(self) -> None:
        """Validate, note the epoch down, save the weights and the checkpoint."""
        rates = [group["lr"] for group in self._optimizer.param_groups]
        row = {"epoch": self._position.epoch + 1, "learning_rate": max(rates), **self._means()}
        if self._job.validate is not None and distributed.is_main():
            self._method.eval()
            # Compiled code is for the one batch size of training.
            eager = torch.compiler.set_stance("force_eager")
            with eager, torch.inference_mode(), self._precision.autocast():
                row |= self._job.validate(self.inference_network)
        row["elapsed_s"] = self._position.elapsed_s
        self.history.add(row)
        self._position = _Position(self._position.epoch + 1, 0, self._position.elapsed_s)
        if distributed.is_main():
            self._write_weights()
            self.history.write_csv(self._job.folder)
            self._watcher.on_epoch(row, n_epochs=self._job.config.epochs)
        self._save()

    def _write_weights(self) -> None:
        """Save the inference network as the last one, and as the best one if it is."""
        weights = self.inference_network.state_dict()
        state = {"epoch": self._position.epoch, "metrics": self.history.last}
        write_checkpoint(self._job.folder / LAST_FILE, weights, state)
        best = self.history.best(self._job.config.selection)
        if self._job.validate is not None and best is self.history.last:
            write_checkpoint(self._job.folder / BEST_FILE, weights, state)

    def _save(self) -> None:
        """Write everything the run needs to go on as if it had never stopped."""
        random_states = distributed.gather_constants(_random_state(self._job.device)[None])
        predicted = distributed.gather_constants(self.last_predicted[None]).max(dim=0).values
        if not distributed.is_main():
            return
        tensors = {f"method/{k}": v for k, v in self._method.state_dict().items()}
        if self._average is not None:
            average = self._average.network.state_dict()
            tensors |= {f"average/{k}": v for k, v in average.items()}
        moments = optimizer_tensors(self._optimizer, self._parameter_names())
        tensors |= {f"optimizer/{k}": v for k, v in moments.items()}
        tensors |= {"random_states": random_states, "last_predicted": predicted}
        state: dict[str, Any] = {
            "position": {f.name: getattr(self._position, f.name) for f in fields(_Position)},
            "history": self.history.rows,
            "scaler": self._scaler.state_dict(),
        }
        write_checkpoint(self._job.folder / CHECKPOINT_FILE, tensors, state)

    def restore(self) -> None:
        """Go on from the checkpoint in the run's folder.

        Raises:
            CheckpointError: It is missing, damaged, or does not fit the run.
        """
        checkpoint = read_checkpoint(self._job.folder / CHECKPOINT_FILE)
        load_exactly(self._method, checkpoint.part("method/"), what=self._job.config.method)
        if self._average is not None:
            load_exactly(
                self._average.network, checkpoint.part("average/"), what="averaged weights"
            )
        load_optimizer(self._optimizer, checkpoint.part("optimizer/"), self._parameter_names())
        self._scaler.load_state_dict(checkpoint.state["scaler"])
        self._position = _Position(**checkpoint.state["position"])
        self.history = History(checkpoint.state["history"])
        self.last_predicted.copy_(checkpoint.tensors["last_predicted"])
        states = checkpoint.tensors["random_states"]
        if len(states) == distributed.world_size():
            _set_random_state(states[distributed.rank()], self._job.device)

    def _parameter_names(self) -> dict[Tensor, str]:
        return {parameter: name for name, parameter in self._method.named_parameters()}


class _StepModule(nn.Module):
    """Turns a training step into a forward pass, which is what torch's data parallelism wraps."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        return self.method.training_step(batch, progress)


def _distribute(module: nn.Module, device: torch.device) -> nn.Module:
    """Average gradients over the processes; per-sample buffers are left to the method."""
    if distributed.world_size() == 1:
        return module
    return DistributedDataParallel(
        module,
        device_ids=[device.index] if device.type == "cuda" else None,
        broadcast_buffers=False,
        find_unused_parameters=True,
    )


def _move(batch: Batch, device: torch.device) -> Batch:
    """Bring a batch to the device, images in channels-last order."""

    def images(tensor: Tensor | None) -> Tensor | None:
        if tensor is None:
            return None
        return tensor.to(device, non_blocking=True, memory_format=torch.channels_last)

    image = images(batch.image)
    assert image is not None
    return replace(
        batch,
        index=batch.index.to(device, non_blocking=True),
        image=image,
        second_view=images(batch.second_view),
        landmarks_px=batch.landmarks_px.to(device, non_blocking=True),
        has_landmarks=batch.has_landmarks.to(device, non_blocking=True),
    )


def _random_state(device: torch.device) -> Tensor:
    """Return the state of torch's generators as one row of bytes."""
    state = torch.get_rng_state()
    if device.type == "cuda":
        state = torch.cat([state, torch.cuda.get_rng_state(device)])
    return state.to(device)


def _set_random_state(state: Tensor, device: torch.device) -> None:
    state = state.cpu().contiguous()
    n_cpu = len(torch.get_rng_state())
    torch.set_rng_state(state[:n_cpu].clone())
    if device.type == "cuda" and len(state) > n_cpu:
        torch.cuda.set_rng_state(state[n_cpu:].clone(), device)
