"""Analyse every source of a command line: one after the other, or several at a time."""

import sys
import threading
from dataclasses import dataclass

from lanet_engines.errors import BuildInterrupted, EngineError
from lanet_live.command.progress import ProgressDisplay
from lanet_live.command.speech import complain, say
from lanet_live.config import LiveConfig
from lanet_live.errors import LanetLiveError
from lanet_live.export.exporter import Exporter
from lanet_live.export.plan import ExportJob, plan_jobs
from lanet_live.export.workers import Compiling, Failure, run_in_workers
from lanet_live.expression.shares import describe_shares
from lanet_live.run_summary import RunProgress, RunSummary


@dataclass(slots=True)
class BatchEnd:
    """How a batch ended.

    Attributes:
        n_failed: Sources that could not be analysed to their end.
        is_interrupted: It was ended before its time.
    """

    n_failed: int = 0
    is_interrupted: bool = False


def export_all(config: LiveConfig, is_interrupted: threading.Event, *, is_quiet: bool) -> BatchEnd:
    """Analyse every source; one that fails does not stop the others.

    Args:
        config: With `export` set.
        is_interrupted: Set when the user wants an end.
        is_quiet: No progress, no summaries; problems are still reported.

    Raises:
        LanetLiveError: Nothing can be analysed like this.
        EngineError: The model is not usable.
    """
    if config.export is None:
        raise ValueError("config.export must be set")
    all_jobs = plan_jobs(config.sources, config.export)
    exporter = Exporter(config)
    jobs = list(all_jobs)
    if config.export.resume:
        jobs, done = exporter.split_done(all_jobs)
        if done and not is_quiet:
            n_files = "1 source was" if len(done) == 1 else f"{len(done)} sources were"
            say(f"{n_files} analysed before; {len(jobs)} left.")
    if config.export.n_jobs > 1 and len(jobs) > 1:
        end = _export_in_workers(config, jobs, is_interrupted, is_quiet=is_quiet)
    else:
        end = _export_in_turn(exporter, jobs, is_interrupted, is_quiet=is_quiet)
    if end.n_failed and len(all_jobs) > 1 and not end.is_interrupted:
        complain(f"{end.n_failed} of {len(all_jobs)} sources could not be analysed to their end.")
    return end


def _export_in_turn(
    exporter: Exporter, jobs: list[ExportJob], is_interrupted: threading.Event, *, is_quiet: bool
) -> BatchEnd:
    end = BatchEnd()
    for job in jobs:
        try:
            summary = _export_one(exporter, job, is_interrupted, is_quiet=is_quiet)
        except BuildInterrupted as error:
            raise KeyboardInterrupt from error
        except (LanetLiveError, EngineError) as error:
            complain(str(error))
            end.n_failed += 1
            continue
        if summary.is_interrupted:
            end.is_interrupted = True
            break
        end.n_failed += summary.is_partial
    return end


def _export_one(
    exporter: Exporter, job: ExportJob, is_interrupted: threading.Event, *, is_quiet: bool
) -> RunSummary:
    with ProgressDisplay(is_shown=not is_quiet and sys.stderr.isatty()) as display:
        bar = display.bar(job.name)

        def show_compiling(what: str, share: float) -> bool:
            bar.show_compiling(what, share)
            return not is_interrupted.is_set()

        summary = exporter.run(job, on_progress=bar.update, on_compiling=show_compiling)
    _report(job, summary, is_quiet=is_quiet)
    return summary


def _export_in_workers(
    config: LiveConfig, jobs: list[ExportJob], is_interrupted: threading.Event, *, is_quiet: bool
) -> BatchEnd:
    with ProgressDisplay(len(jobs), is_shown=not is_quiet and sys.stderr.isatty()) as bars:
        display = _Display(bars, is_quiet=is_quiet)
        run_in_workers(config, jobs, display, is_interrupted=is_interrupted)
    if is_interrupted.is_set():
        complain("Interrupted. The files hold what was analysed; --resume goes on from there.")
        display.end.is_interrupted = True
    return display.end


class _Display:
    """Shows what workers do. Meets `lanet_live.export.workers.Watcher`."""

    def __init__(self, bars: ProgressDisplay, *, is_quiet: bool) -> None:
        self.end = BatchEnd()
        self._bars = bars
        self._is_quiet = is_quiet

    def advanced(self, job: ExportJob, state: RunProgress | Compiling) -> None:
        bar = self._bars.bar(job.name)
        if isinstance(state, Compiling):
            bar.show_compiling(state.what, state.share)
        else:
            bar.update(state)

    def ended(self, job: ExportJob, outcome: RunSummary | Failure) -> None:
        self._bars.finish(job.name)
        if isinstance(outcome, Failure):
            complain(outcome.sentence)
            self.end.n_failed += 1
        else:
            _report(job, outcome, is_quiet=self._is_quiet)
            self.end.n_failed += outcome.is_partial


def _report(job: ExportJob, summary: RunSummary, *, is_quiet: bool) -> None:
    """Say what one run did and what it wrote."""
    title = job.source.title
    for warning in summary.warnings:
        complain(warning)
    if summary.partial_reason:
        complain(f"{title}: {summary.partial_reason} The files hold what was analysed.")
    if not is_quiet:
        rate_hz = summary.n_analysed / summary.elapsed_s
        say(
            f"{title}: {summary.n_analysed} frames, {summary.n_with_face} with a face, "
            f"in {summary.elapsed_s:.1f} s ({rate_hz:.0f} fps)"
        )
        for path in job.paths:
            say(f"  {path}")
        if summary.shares is not None:
            say(f"  {describe_shares(summary.shares)}; only --prior FILE would apply them")
