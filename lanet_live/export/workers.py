"""Several export jobs at the same time, each worker a process of its own.

Processes, not threads: a job already keeps three threads busy, and a crash in a native library ends
one file, not the batch. The parent hands out one job at a time, so that long and short files even
out. A worker whose parent dies ends its job cleanly.
"""

import logging
import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final, Protocol

from lanet_engines.errors import BuildInterrupted, EngineError
from lanet_live.config import LiveConfig
from lanet_live.errors import LanetLiveError
from lanet_live.export.exporter import Exporter
from lanet_live.export.plan import ExportJob
from lanet_live.processors import share_threads, usable_processors
from lanet_live.run_summary import RunProgress, RunSummary

# Windows delivers Ctrl-C to a waiting main thread only when its wait ends.
_MAX_WAIT_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that could not be done.

    Attributes:
        sentence: What is wrong, for the user.
    """

    sentence: str


@dataclass(frozen=True, slots=True)
class Compiling:
    """A job that waits for its engine to be compiled.

    Attributes:
        what: What is being compiled.
        share: Done, 0 to 1.
    """

    what: str
    share: float


class Watcher(Protocol):
    """Called with what the workers do, in the thread that called `run_in_workers`."""

    def advanced(self, job: ExportJob, state: RunProgress | Compiling) -> None:
        """A job is on its way."""
        ...

    def ended(self, job: ExportJob, outcome: RunSummary | Failure) -> None:
        """A job is over."""
        ...


def run_in_workers(
    config: LiveConfig,
    jobs: Sequence[ExportJob],
    watcher: Watcher,
    *,
    is_interrupted: threading.Event,
) -> None:
    """Run jobs in worker processes until all are over, or an interruption ends those under way.

    To be called in the main thread: meanwhile Ctrl-C and `kill` set `is_interrupted`.

    Args:
        config: As for `Exporter`, with the number of processes; without a number of threads, they
            share the cores evenly.
        jobs: What is to be done; begun in this order.
        watcher: Notified of progress and of every end.
        is_interrupted: Once set, no further job is begun; those under way write what they have.
    """
    if config.export is None:
        raise ValueError("config.export must be set")
    waiting = deque(jobs)
    n_workers = min(config.export.n_jobs, len(jobs))
    config = _with_share_of_cores(config, n_workers)
    workers = [_Worker(config) for _ in range(n_workers)]
    try:
        with _noted_signals(is_interrupted):
            while waiting or any(worker.job for worker in workers):
                if is_interrupted.is_set():
                    waiting.clear()
                    for worker in workers:
                        worker.ask_to_end()
                for worker in workers:
                    if waiting and worker.job is None:
                        worker.begin(waiting.popleft())
                busy = [worker for worker in workers if worker.job]
                ready = set(wait([worker.connection for worker in busy], _MAX_WAIT_S))
                for worker in busy:
                    if worker.connection in ready:
                        worker.receive(watcher)
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """The parent's end of one worker process; a process that died is started anew."""

    def __init__(self, config: LiveConfig) -> None:
        self._config = config
        self.job: ExportJob | None = None
        self._is_asked = False
        self._start()

    def _start(self) -> None:
        # Spawned: a forked copy of a process with threads and native libraries is not safe.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(theirs, self._config, logging.getLogger().level), daemon=True
        )
        self._process.start()
        theirs.close()

    def begin(self, job: ExportJob) -> None:
        self.job = job
        if not self._process.is_alive():
            self._start()
        self.connection.send(job)

    def receive(self, watcher: Watcher) -> None:
        """Take one message; the end of the pipe means that the process died."""
        if self.job is None:
            raise ValueError("an idle worker has nothing to say")
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            message = Failure(
                f"{self.job.source.title}: The process that analysed it died "
                f"({_describe_exit(self._process.exitcode)}). The files hold what was analysed."
            )
        if isinstance(message, RunSummary | Failure):
            job, self.job = self.job, None
            watcher.ended(job, message)
        else:
            watcher.advanced(self.job, message)

    def ask_to_end(self) -> None:
        """Ask the process to end its job cleanly, if it has one, and then itself."""
        if not self._is_asked:
            self._is_asked = True
            with suppress(OSError):  # it is gone already
                self.connection.send(None)

    def end(self) -> None:
        """Wait for the end of the process."""
        self.ask_to_end()
        self._process.join()
        self.connection.close()


def _describe_exit(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {-code}"
    return f"exit code {code}"


def _with_share_of_cores(config: LiveConfig, n_workers: int) -> LiveConfig:
    tracker, engine = share_threads(usable_processors() // n_workers)
    return replace(
        config,
        engine=replace(config.engine, threads=config.engine.threads or engine),
        tracker=replace(config.tracker, threads=config.tracker.threads or tracker),
    )


def _serve(connection: Connection, config: LiveConfig, log_level: int) -> None:
    """Run the jobs that come through the pipe. The main function of a worker process."""
    logging.basicConfig(
        level=log_level, format="%(levelname)s %(processName)s %(name)s: %(message)s"
    )
    stop = threading.Event()
    with _noted_signals(stop):
        exporter: Exporter | None = None
        while (job := _next_job(connection)) is not None:
            try:
                exporter = exporter or Exporter(config)
                message = _run(exporter, job, connection, stop)
            except (LanetLiveError, EngineError) as error:
                message = Failure(str(error))
            with suppress(OSError):  # the parent is gone; the files say how far the job came
                connection.send(message)


def _next_job(connection: Connection) -> ExportJob | None:
    try:
        job: ExportJob | None = connection.recv()
    except (EOFError, OSError):
        return None
    return job


def _run(
    exporter: Exporter, job: ExportJob, connection: Connection, stop: threading.Event
) -> RunSummary | Failure:
    has_raised = False

    def is_over() -> bool:
        # While a job is under way, the only message is a request to end; a closed pipe means
        # that the parent died.
        try:
            return stop.is_set() or connection.poll()
        except OSError:
            return True

    def should_stop() -> bool:
        nonlocal has_raised
        if not has_raised and is_over():
            has_raised = True
            # The run ends as with Ctrl-C in the only process, and says so in its metadata.
            raise KeyboardInterrupt
        return False

    def send(state: RunProgress | Compiling) -> None:
        with suppress(OSError):  # the parent is gone; `is_over` sees that
            connection.send(state)

    def send_compiling(what: str, share: float) -> bool:
        send(Compiling(what, share))
        return not is_over()

    try:
        return exporter.run(
            job, should_stop=should_stop, on_progress=send, on_compiling=send_compiling
        )
    except BuildInterrupted:
        return Failure(f"{job.source.title}: Interrupted before the first frame.")


@contextmanager
def _noted_signals(stop: threading.Event) -> Iterator[None]:
    """Note Ctrl-C and `kill` instead of raising: several of them are one wish to stop."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
