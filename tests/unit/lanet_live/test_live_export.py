import signal
import threading
from collections.abc import Callable

import pytest

from lanet_live.capture.base import FrameSource
from lanet_live.capture.selected import FrameSelection, SelectedSource
from lanet_live.capture.synthetic import SyntheticSource
from lanet_live.config import PipelineConfig
from lanet_live.errors import LanetLiveError, SinkError, SourceUnavailable
from lanet_live.export.camera import run_live
from lanet_live.records import FrameResult
from lanet_live.run.pipeline import Pipeline
from lanet_live.run_summary import RunEnd, RunProgress
from tests.fakes import FakeEngine, FakeSource, FakeTracker, ListSink, make_track


def make_pipeline(facts: object) -> Pipeline:
    track = make_track(center_xy=(60.0, 40.0), side_px=40.0)
    return Pipeline(FakeTracker((track,)), FakeEngine(), PipelineConfig())


def live(n_frames: int | None = None, *, end_s: float | None = None) -> Callable[[], FrameSource]:
    def create() -> FrameSource:
        source = SyntheticSource(n_frames, size_wh=(128, 96), fps=100.0, is_live=True)
        return SelectedSource(source, FrameSelection(end_s=end_s)) if end_s else source

    return create


def test_a_run_that_reaches_its_end_is_complete_and_counts_what_it_lost() -> None:
    sink, told = ListSink(), list[RunProgress]()
    summary = run_live(live(end_s=0.4), make_pipeline, [sink], on_progress=told.append)
    assert summary.end is RunEnd.COMPLETED
    assert not summary.is_partial
    assert summary.n_analysed == len(sink.results) == summary.n_with_face > 0
    assert summary.n_analysed + summary.n_dropped <= 40
    assert sink.is_closed
    assert told


def test_a_stop_on_request_is_partial() -> None:
    sink = ListSink()
    summary = run_live(live(), make_pipeline, [sink], should_stop=lambda: len(sink.results) >= 3)
    assert summary.end is RunEnd.STOPPED
    assert summary.partial_reason == "The analysis was stopped on request."
    assert sink.is_closed


def test_ctrl_c_ends_the_run_in_good_order() -> None:
    class InterruptingSink(ListSink):
        def write(self, result: FrameResult) -> None:
            super().write(result)
            if len(self.results) == 3:
                signal.raise_signal(signal.SIGINT)

    sink = InterruptingSink()
    assert threading.current_thread() is threading.main_thread()
    summary = run_live(live(), make_pipeline, [sink])
    assert summary.is_interrupted
    assert summary.end is RunEnd.INTERRUPTED
    assert sink.is_closed


def test_a_source_that_cannot_be_opened_is_an_error() -> None:
    class NoSource(FakeSource):
        def open(self):
            raise SourceUnavailable("There is no camera 7.")

    with pytest.raises(LanetLiveError, match="There is no camera 7"):
        run_live(NoSource, make_pipeline, [])


def test_a_sink_that_fails_ends_the_run() -> None:
    class FullSink(ListSink):
        def write(self, result: FrameResult) -> None:
            raise SinkError("The disk is full.")

    other = ListSink()
    with pytest.raises(SinkError, match="The disk is full"):
        run_live(live(), make_pipeline, [FullSink(), other])
    assert other.is_closed
