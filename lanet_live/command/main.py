"""`lanet-live`: the window, or headless exports; options in `lanet_live.command.arguments`.

Exit codes: 0 done; 2 something the user can mend, told in one line; 130 interrupted. Anything else
is a bug and keeps its traceback.
"""

import argparse
import contextlib
import logging
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from lanet_engines.errors import BuildInterrupted, EngineError
from lanet_live.command.arguments import parse_arguments, parse_config
from lanet_live.config import EngineConfig, LiveConfig
from lanet_live.errors import LanetLiveError

if TYPE_CHECKING:
    from lanet_live.export.exporter import Exporter
    from lanet_live.export.plan import ExportJob
    from lanet_live.run_summary import RunSummary


class ExitCode(IntEnum):
    """What the shell is told."""

    OK = 0
    USER_ERROR = 2
    INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run `lanet-live`.

    Args:
        argv: Arguments after the program's name; None takes those of the process.

    Returns:
        An `ExitCode`.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        return _run(arguments)
    except (LanetLiveError, EngineError) as error:
        _complain(str(error))
        return ExitCode.USER_ERROR
    except KeyboardInterrupt:
        _complain("Interrupted.")
        return ExitCode.INTERRUPTED


def _run(arguments: list[str]) -> int:
    namespace = parse_arguments(arguments)
    logging.basicConfig(
        level=namespace.log_level.upper(),
        format="%(levelname)s %(threadName)s %(name)s: %(message)s",
    )
    if namespace.list_cameras:
        return _list_cameras()
    if namespace.doctor:
        return _examine(namespace)
    if namespace.clear_cache:
        return _clear_cache()
    config = parse_config(namespace, command=shlex.join(["lanet-live", *arguments]))
    if config.export is None:
        return _open_window(config)
    with _noted_interrupts() as is_interrupted:
        return _export_all(config, is_interrupted, is_quiet=namespace.quiet)


def _open_window(config: LiveConfig) -> int:
    # Imported here: only the window needs Qt.
    try:
        from lanet_live.gui.app import run_gui
    except ImportError as error:
        raise LanetLiveError(
            f"The window cannot open: {error}. With --export everything works without it."
        ) from error
    return run_gui(config)


def _list_cameras() -> int:
    from lanet_live.capture.camera_list import list_cameras

    cameras = list_cameras()
    for camera in cameras:
        _say(f"{camera.index}  {camera.name}")
    if not cameras:
        _say("No camera was found.")
    return ExitCode.OK


def _examine(namespace: argparse.Namespace) -> int:
    from lanet_live.command.doctor import examine, format_json, format_text

    findings = examine(EngineConfig(model_path=namespace.model))
    _say(format_json(findings) if namespace.json else format_text(findings))
    return ExitCode.OK if findings.is_healthy else ExitCode.USER_ERROR


def _clear_cache() -> int:
    from lanet_engines.storage.cache import EngineCache

    _say(EngineCache().clear_and_tell())
    return ExitCode.OK


def _export_all(config: LiveConfig, is_interrupted: threading.Event, *, is_quiet: bool) -> int:
    """Analyse every source; one that fails does not stop the others."""
    from lanet_live.export.exporter import Exporter
    from lanet_live.export.plan import plan_jobs

    if config.export is None:
        raise ValueError("config.export must be set")
    jobs = plan_jobs(config.sources, config.export)
    exporter = Exporter(config)
    n_failed = 0
    for job in jobs:
        try:
            summary = _export_one(exporter, job, is_interrupted, is_quiet=is_quiet)
        except BuildInterrupted as error:
            raise KeyboardInterrupt from error
        except (LanetLiveError, EngineError) as error:
            _complain(str(error))
            n_failed += 1
            continue
        if summary.is_interrupted:
            return ExitCode.INTERRUPTED
        n_failed += summary.is_partial
    if n_failed and len(jobs) > 1:
        _complain(f"{n_failed} of {len(jobs)} sources could not be analysed to their end.")
    return ExitCode.USER_ERROR if n_failed else ExitCode.OK


def _export_one(
    exporter: "Exporter", job: "ExportJob", is_interrupted: threading.Event, *, is_quiet: bool
) -> "RunSummary":
    from lanet_live.command.progress import ProgressBar

    title = job.source.title
    name = title if job.source.path is None else job.source.path.name
    with ProgressBar(name, is_shown=not is_quiet and sys.stderr.isatty()) as bar:

        def show_compiling(what: str, share: float) -> bool:
            bar.show_compiling(what, share)
            return not is_interrupted.is_set()

        summary = exporter.run(job, on_progress=bar.update, on_compiling=show_compiling)
    for warning in summary.warnings:
        _complain(warning)
    if summary.partial_reason:
        _complain(f"{title}: {summary.partial_reason} The files hold what was analysed.")
    if not is_quiet:
        rate_hz = summary.n_analysed / summary.elapsed_s
        _say(
            f"{title}: {summary.n_analysed} frames, {summary.n_with_face} with a face, "
            f"in {summary.elapsed_s:.1f} s ({rate_hz:.0f} fps)"
        )
        for path in job.paths:
            _say(f"  {path}")
    return summary


@contextlib.contextmanager
def _noted_interrupts() -> Iterator[threading.Event]:
    """Let `kill` end a run in the same good order as Ctrl-C, and note both for other threads."""
    is_interrupted = threading.Event()

    def interrupt(_number: int, _frame: object) -> None:
        is_interrupted.set()
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield is_interrupted
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _complain(sentence: str) -> None:
    sys.stderr.write(f"lanet-live: {sentence}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
