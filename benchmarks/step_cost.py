"""Compare one training step of the methods with one of the baseline: time and memory.

    python benchmarks/step_cost.py --backbone resnet18 --size 64 --batch-size 128

Times are medians over rounds in which the methods take turns. On the CPU they are the processor
time of one thread, which other load on the machine hardly changes; on a GPU they are wall time.
Memory is the growth of a fresh process's peak over three steps (on a GPU the peak of the
allocator): weights, gradients, moments and everything kept for the backward pass.
"""

import argparse
import multiprocessing
import resource
import statistics
import sys
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from lanet_trainer.backbones import build_backbone
from lanet_trainer.methods.base import Batch, Method, Progress
from lanet_trainer.methods.registry import METHODS, method_class
from lanet_trainer.training.precision import Precision

N_CLASSES = 8
N_SAMPLES = 25_000


@dataclass(frozen=True, slots=True)
class Setup:
    """What a step is measured on."""

    backbone: str
    size_px: int
    batch_size: int
    precision: str
    device: str


class Stepper:
    """A method with its optimiser and one fixed batch."""

    def __init__(self, name: str, setup: Setup) -> None:
        torch.manual_seed(0)
        self._device = torch.device(setup.device)
        self._precision = Precision.choose(setup.precision, self._device)
        labels = torch.randint(N_CLASSES, (N_SAMPLES,))
        kind = method_class(name)
        self._method: Method = kind(
            build_backbone(setup.backbone),
            labels=labels,
            targets=torch.nn.functional.one_hot(labels, N_CLASSES).float(),
            size_px=setup.size_px,
            settings=kind.Settings(),
        )
        self._method.to(self._device, memory_format=torch.channels_last).train()
        trainable = [p for p in self._method.parameters() if p.requires_grad]
        self._optimizer = torch.optim.Adam(trainable, 1e-4)
        self._batch = self._make_batch(setup)

    def _make_batch(self, setup: Setup) -> Batch:
        n, side = setup.batch_size, setup.size_px

        def image() -> Tensor:
            pixels = torch.randn(n, 3, side, side, device=self._device)
            return pixels.to(memory_format=torch.channels_last)

        return Batch(
            index=torch.arange(n, device=self._device),
            image=image(),
            second_view=image(),
            landmarks_px=torch.rand(n, 19, 2, device=self._device) * side,
            has_landmarks=torch.ones(n, dtype=torch.bool, device=self._device),
        )

    def step(self) -> float:
        """Take one step; return what it took in seconds."""
        clock = time.process_time if self._device.type == "cpu" else time.perf_counter
        started_s = clock()
        progress = Progress(0, 1, 0, 1)
        with self._precision.autocast():
            output = self._method.training_step(self._batch, progress)
        self._optimizer.zero_grad(set_to_none=True)
        output.loss.backward()
        self._optimizer.step()
        self._method.after_step(self._batch, output, progress)
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return clock() - started_s


def median_times_s(names: list[str], setup: Setup, *, n_rounds: int) -> dict[str, float]:
    """Let the methods take turns; return each one's median step time."""
    steppers = {name: Stepper(name, setup) for name in names}
    for stepper in steppers.values():
        stepper.step()
        stepper.step()
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(n_rounds):
        for name, stepper in steppers.items():
            times[name].append(stepper.step())
    return {name: statistics.median(values) for name, values in times.items()}


def peak_mb(name: str, setup: Setup) -> float:
    """Measure the peak memory of three steps in a fresh process, in MB."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_peak_here_mb, (name, setup))


def _peak_here_mb(name: str, setup: Setup) -> float:
    tiny = Setup("resnet18", 32, 2 * 8, setup.precision, setup.device)
    Stepper("baseline", tiny).step()  # libraries and kernels are loaded before the count begins
    before = _peak_so_far_mb(setup)
    stepper = Stepper(name, setup)
    for _ in range(3):
        stepper.step()
    return _peak_so_far_mb(setup) - before


def _peak_so_far_mb(setup: Setup) -> float:
    if setup.device != "cpu":
        return torch.cuda.max_memory_allocated() / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """Print one row a method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    setup = Setup(
        arguments.backbone, arguments.size, arguments.batch_size, arguments.precision, device
    )
    names = ["baseline", *(n for n in arguments.methods if n != "baseline")]
    # A new process inherits its parent's peak, so memory comes first, while the parent is small.
    peaks = {name: peak_mb(name, setup) for name in names}
    times = median_times_s(names, setup, n_rounds=arguments.rounds)
    print(f"{setup}, {arguments.rounds} rounds, torch {torch.__version__}")
    print(f"{'method':10} {'step s':>8} {'x time':>7} {'peak MB':>8} {'x memory':>9}")
    for name in names:
        print(
            f"{name:10} {times[name]:8.3f} {times[name] / times['baseline']:7.2f} "
            f"{peaks[name]:8.0f} {peaks[name] / peaks['baseline']:9.2f}"
        )


if __name__ == "__main__":
    main()
