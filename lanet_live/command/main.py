"""`lanet-live`: the window, or headless exports; options in `lanet_live.command.arguments`.

Exit codes: 0 done; 2 an error the user can fix, reported in one line; 130 interrupted. Anything
else is a bug and keeps its traceback.
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

from lanet_engines.errors import EngineError
from lanet_live.command.arguments import parse_arguments, parse_config
from lanet_live.command.speech import complain, say
from lanet_live.config import EngineConfig, LiveConfig
from lanet_live.errors import LanetLiveError


class ExitCode(IntEnum):
    """The exit status of the process."""

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
        complain(str(error))
        return ExitCode.USER_ERROR
    except KeyboardInterrupt:
        complain("Interrupted.")
        return ExitCode.INTERRUPTED


def _run(arguments: list[str]) -> int:
    namespace = parse_arguments(arguments)
    logging.basicConfig(
        level=namespace.log_level.upper(),
        format="%(levelname)s %(threadName)s %(name)s: %(message)s",
    )
    # Imported here: help needs no folders.
    from lanet_engines.storage.library_caches import keep_library_caches_together

    keep_library_caches_together()
    if namespace.list_cameras:
        return _list_cameras()
    if namespace.doctor:
        return _examine(namespace)
    if namespace.clear_cache:
        return _clear_cache()
    config = parse_config(namespace, command=shlex.join(["lanet-live", *arguments]))
    if config.export is None:
        return _open_window(config)
    from lanet_live.command.batch import export_all

    with _noted_interrupts() as is_interrupted:
        end = export_all(config, is_interrupted, is_quiet=namespace.quiet)
    if end.is_interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.USER_ERROR if end.n_failed else ExitCode.OK


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
        say(f"{camera.index}  {camera.name}")
    if not cameras:
        say("No camera was found.")
    return ExitCode.OK


def _examine(namespace: argparse.Namespace) -> int:
    from lanet_live.command.doctor import examine, format_json, format_text

    findings = examine(EngineConfig(model_path=namespace.model))
    say(format_json(findings) if namespace.json else format_text(findings))
    return ExitCode.OK if findings.is_healthy else ExitCode.USER_ERROR


def _clear_cache() -> int:
    from lanet_engines.storage.cache import EngineCache

    say(EngineCache().clear_and_tell())
    return ExitCode.OK


@contextlib.contextmanager
def _noted_interrupts() -> Iterator[threading.Event]:
    """Let `kill` end a run as cleanly as Ctrl-C, and note both for other threads."""
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
