"""The progress bars of the command line: frames, rate and time left, on standard error."""

from types import TracebackType
from typing import TYPE_CHECKING, Any

from lanet_live.run_summary import RunProgress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """One line: how far one source is."""

    def __init__(self, progress: "Progress | None", title: str) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        if progress is not None:
            self._task = progress.add_task(title, total=None, rate="opening")

    def show_compiling(self, what: str, share: float) -> None:
        """Show how far the engine is that must be compiled first; called in any thread."""
        if self._progress is not None and self._task is not None:
            words = f"{what[:1].lower()}{what[1:]}, once: {share:.0%}"
            self._progress.update(self._task, rate=words, refresh=True)

    def update(self, state: RunProgress) -> None:
        """Show how far the run is."""
        if self._progress is None or self._task is None:
            return
        rate = state.n_analysed / state.elapsed_s if state.elapsed_s > 0 else 0.0
        self._progress.update(
            self._task,
            completed=state.n_analysed,
            total=state.n_expected,
            rate=f"{rate:.0f} fps",
        )

    def remove(self) -> None:
        """Remove the line."""
        if self._progress is not None and self._task is not None:
            self._progress.remove_task(self._task)


class ProgressDisplay:
    """The lines of all sources under way; the first one counts sources when there are several.

    Args:
        n_sources: How many sources there are in all.
        is_shown: Show nothing when False.
    """

    def __init__(self, n_sources: int = 1, *, is_shown: bool) -> None:
        self._n_sources = n_sources
        self._progress: Any = None
        self._is_shown = is_shown
        self._overall: TaskID | None = None
        self._bars: dict[str, Bar] = {}

    def __enter__(self) -> "ProgressDisplay":
        if self._is_shown:
            self._progress = _make_progress()
            self._progress.start()
            if self._n_sources > 1:
                self._overall = self._progress.add_task("all", total=self._n_sources, rate="files")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def bar(self, title: str) -> Bar:
        """Return the line of a source, a new one if it has none."""
        if title not in self._bars:
            self._bars[title] = Bar(self._progress, title)
        return self._bars[title]

    def finish(self, title: str) -> None:
        """Remove the line of a source and count it."""
        bar = self._bars.pop(title, None)
        if bar is not None:
            bar.remove()
        if self._overall is not None:
            self._progress.advance(self._overall)


def _make_progress() -> "Progress":
    # Imported here: the command line's help must not wait for it.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
