"""What a run over a source did: while it runs, and when it is over."""

import time
from dataclasses import dataclass, replace
from enum import Enum

from lanet_live.capture.base import SourceFacts, SourceReport
from lanet_live.errors import SourceLost
from lanet_live.records import FrameResult, SharesEstimate


class RunEnd(Enum):
    """Why a run ended."""

    COMPLETED = "completed"
    STOPPED = "stopped on request"
    INTERRUPTED = "interrupted with Ctrl-C"
    SOURCE_LOST = "ended because the source broke off"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is.

    Attributes:
        n_analysed: Frames analysed and written.
        n_with_face: Of these, frames with at least one face.
        n_expected: Frames the source expects to deliver; None when unknown.
        elapsed_s: Since source and pipeline were ready.
    """

    n_analysed: int
    n_with_face: int
    n_expected: int | None
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did, for the metadata.

    Attributes:
        facts: Of the source, with the details known only after reading.
        warnings: What was lost or made up on the way, one sentence each.
        n_decoded: Frames decoded, analysed or passed over.
        n_analysed: Frames analysed and written.
        n_with_face: Of these, frames with at least one face.
        n_dropped: Frames lost because they were not read in time; 0 in a run over a file.
        end: Why it ended.
        partial_reason: One sentence if the source was not read to its end, else None.
        is_interrupted: Ctrl-C was pressed, perhaps too late to change anything; the caller should
            begin nothing more.
        elapsed_s: From opening the source to closing the sinks.
        shares: Estimate of how frequent the classes were; None when there is none.
    """

    facts: SourceFacts
    warnings: tuple[str, ...]
    n_decoded: int
    n_analysed: int
    n_with_face: int
    n_dropped: int
    end: RunEnd
    partial_reason: str | None
    is_interrupted: bool
    elapsed_s: float
    shares: SharesEstimate | None = None

    @property
    def is_partial(self) -> bool:
        """The source was not read to its end."""
        return self.end is not RunEnd.COMPLETED


class RunTally:
    """Counts a run while it goes on. Each value is written by one thread only.

    Attributes:
        report: Of the source, once it is read.
        end: How it ended, once it has.
        is_interrupted: As in the summary.
    """

    def __init__(self) -> None:
        self.report = SourceReport(n_decoded=0)
        self.end = RunEnd.STOPPED
        self.is_interrupted = False
        self._facts: SourceFacts | None = None
        self._lost_reason: str | None = None
        self._n_analysed = 0
        self._n_with_face = 0
        self._began_s = self._ready_s = time.perf_counter()

    def begin(self, facts: SourceFacts) -> None:
        """Note that source and pipeline are ready."""
        self._facts = facts
        self._ready_s = time.perf_counter()

    def add(self, result: FrameResult) -> None:
        """Count a result that was written."""
        self._n_analysed += 1
        self._n_with_face += bool(result.tracks)

    def lose(self, error: SourceLost) -> None:
        """Note that the source broke off."""
        self.end = RunEnd.SOURCE_LOST
        self._lost_reason = str(error)

    def progress(self) -> RunProgress:
        """Return how far the run is."""
        return RunProgress(
            n_analysed=self._n_analysed,
            n_with_face=self._n_with_face,
            n_expected=self._begun_facts().n_frames_expected,
            elapsed_s=time.perf_counter() - self._ready_s,
        )

    def summary(self) -> RunSummary:
        """Return what the run did."""
        facts = self._begun_facts()
        partial_reason = None
        if self.end is not RunEnd.COMPLETED:
            partial_reason = self._lost_reason or f"The analysis was {self.end.value}."
        return RunSummary(
            facts=replace(facts, details={**facts.details, **self.report.details}),
            warnings=self.report.warnings,
            n_decoded=self.report.n_decoded,
            n_analysed=self._n_analysed,
            n_with_face=self._n_with_face,
            n_dropped=0,
            end=self.end,
            partial_reason=partial_reason,
            is_interrupted=self.is_interrupted,
            elapsed_s=time.perf_counter() - self._began_s,
        )

    def _begun_facts(self) -> SourceFacts:
        if self._facts is None:
            raise RuntimeError("the run has not begun")
        return self._facts
