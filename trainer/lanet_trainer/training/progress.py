"""What a user sees of a run, and how they stop it."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
)
from rich.progress import (
    Progress as RichProgress,
)

from lanet_trainer.methods.base import Progress
from lanet_trainer.training.loop import Watcher

_SHOWN_FIRST = ("loss", "train_accuracy")
# Where there is no terminal to draw a bar on, a line is printed as often as this.
_LINE_EVERY_S = 60.0


class ConsoleWatcher:
    """Shows loss parts and time left while a run goes on; Ctrl-C asks it to stop.

    The first Ctrl-C (or SIGTERM) lets the current step end and its checkpoint be written; a second
    one interrupts at once. Use it as a context manager, in the main thread.

    Attributes:
        wants_stop: Whether a stop was asked for.
    """

    def __init__(self, *, is_quiet: bool = False, log_every: int = 20) -> None:
        self.wants_stop = False
        self._console = Console(stderr=True, quiet=is_quiet)
        self._log_every = log_every
        self._bar = RichProgress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            disable=is_quiet or not self._console.is_terminal,
            transient=True,
        )
        self._task: Any = None
        self._started_s = time.perf_counter()
        self._last_line_s = self._started_s
        self._first_step: int | None = None
        self._old_handlers: dict[int, Any] = {}

    def __enter__(self) -> "ConsoleWatcher":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._old_handlers[number] = signal.signal(number, self._on_signal)
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.wants_stop:
            raise KeyboardInterrupt
        self.wants_stop = True

    def on_step(self, progress: Progress, means: Mapping[str, float]) -> None:
        """Show a step."""
        done = progress.epoch * progress.steps_per_epoch + progress.step_in_epoch
        if self._first_step is None:
            self._first_step = done
            self._started_s = time.perf_counter()
        if progress.step_in_epoch % self._log_every:
            return
        left = self._time_left(done, progress.n_epochs * progress.steps_per_epoch)
        if not self._console.is_terminal:
            self._print_step(progress, means, left)
            return
        if self._task is None:
            self._task = self._bar.add_task("", epoch="", figures="", left="")
        self._bar.update(
            self._task,
            total=progress.steps_per_epoch,
            completed=progress.step_in_epoch + 1,
            epoch=f"{progress.epoch + 1}/{progress.n_epochs}",
            figures=_figures(means),
            left=left,
        )

    def _print_step(self, progress: Progress, means: Mapping[str, float], left: str) -> None:
        now_s = time.perf_counter()
        if now_s - self._last_line_s < _LINE_EVERY_S:
            return
        self._last_line_s = now_s
        self._console.print(
            f"epoch {progress.epoch + 1}/{progress.n_epochs}  step {progress.step_in_epoch + 1}/"
            f"{progress.steps_per_epoch}  {_figures(means)}  {left}",
            highlight=False,
            soft_wrap=True,
        )

    def _time_left(self, done: int, total: int) -> str:
        """Estimate from the steps taken since this process began, validation included."""
        n_timed = done - (self._first_step or 0)
        if n_timed < 1:
            return ""
        left_s = (time.perf_counter() - self._started_s) / n_timed * (total - done)
        return f"{_duration(left_s)} left"

    def on_epoch(self, row: Mapping[str, float], *, n_epochs: int) -> None:
        """Print one line per finished epoch."""
        figures = {
            key: value
            for key, value in row.items()
            if key not in ("epoch", "learning_rate", "elapsed_s")
        }
        self._console.print(
            f"epoch {int(row['epoch'])}/{n_epochs}  {_figures(figures)}  "
            f"{_duration(row['elapsed_s'])}",
            highlight=False,
            soft_wrap=True,
        )


class TensorBoardWatcher:
    """Passes everything on to another watcher and logs every finished epoch."""

    def __init__(self, watcher: Watcher, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._watcher = watcher
        self._writer = SummaryWriter(str(folder / "tensorboard"))

    @property
    def wants_stop(self) -> bool:
        """Whether a stop was asked for."""
        return self._watcher.wants_stop

    def on_step(self, progress: Progress, means: Mapping[str, float]) -> None:
        """Pass a step on."""
        self._watcher.on_step(progress, means)

    def on_epoch(self, row: Mapping[str, float], *, n_epochs: int) -> None:
        """Log a finished epoch."""
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name.replace("valid_", "valid/"), value, int(row["epoch"]))
        self._writer.flush()
        self._watcher.on_epoch(row, n_epochs=n_epochs)


def _figures(values: Mapping[str, float]) -> str:
    first = [name for name in _SHOWN_FIRST if name in values]
    rest = [name for name in values if name not in first]
    return " ".join(f"{name} {values[name]:.4g}" for name in first + rest)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
