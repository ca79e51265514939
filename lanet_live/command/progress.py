"""The progress bar of the command line."""

from types import TracebackType
from typing import TYPE_CHECKING, Any

from lanet_live.run_summary import RunProgress

if TYPE_CHECKING:
    from rich.progress import TaskID


class ProgressBar:
    """Shows frames, rate and time left on standard error, where that is a terminal.

    Args:
        title: What is being analysed.
        is_shown: Show nothing when False.
    """

    def __init__(self, title: str, *, is_shown: bool) -> None:
        self._title = title
        self._is_shown = is_shown
        self._bar: Any = None
        self._task: TaskID | None = None

    def __enter__(self) -> "ProgressBar":
        if self._is_shown:
            # Imported here: the command line's help must not wait for it.
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(compact=True),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=None, rate="opening")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show_compiling(self, what: str, share: float) -> None:
        """Show how far the engine is that must be compiled first; called in any thread."""
        if self._bar is not None:
            words = f"{what[:1].lower()}{what[1:]}, once: {share:.0%}"
            self._bar.update(self._task, rate=words, refresh=True)

    def update(self, progress: RunProgress) -> None:
        """Show how far the run is."""
        if self._bar is None:
            return
        rate = progress.n_analysed / progress.elapsed_s if progress.elapsed_s > 0 else 0.0
        self._bar.update(
            self._task,
            completed=progress.n_analysed,
            total=progress.n_expected,
            rate=f"{rate:.0f} fps",
        )
