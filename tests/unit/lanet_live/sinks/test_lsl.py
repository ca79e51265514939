"""The LSL streams, received over loopback."""

import csv
import math
import sys
import time
import uuid
from dataclasses import replace

import numpy as np
import pytest

from lanet_live.errors import ConfigError
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.lsl import LslSink, perf_to_lsl_s
from lanet_live.sinks.metadata import RunSetup
from lanet_live.sinks.table import TableLayout
from tests.fakes import LABELS, FakeEngine, FakeTracker, make_facts, make_result, make_spec
from tests.lsl_receiver import connect, find

FPS = 25.0
NO_TEXT = [c.name for c in TableLayout(LABELS).columns() if c.name not in ("expression", "set")]


@pytest.fixture
def setup() -> RunSetup:
    facts = make_facts(source_id=uuid.uuid4().hex, kind="camera", is_live=True, nominal_fps=FPS)
    return RunSetup(facts, make_spec(), FakeEngine().info, FakeTracker().info, 0.4, 0.6)


@pytest.fixture
def sink(loopback_lsl, setup):
    opened = LslSink()
    opened.open(setup)
    yield opened
    opened.close()


def receive(inlet, n_samples):
    pulled = [inlet.pull_sample(timeout=5) for _ in range(n_samples)]
    return np.array([values for values, _ in pulled]), np.array([stamp for _, stamp in pulled])


def frames_at(captured_s, **changes):
    """One result per moment of the performance counter, with two faces, one or none in turn."""
    for index, moment_s in enumerate(captured_s):
        faces = ((0, 1), (0,), ())[index % 3]
        result = make_result(index, face_ids=faces, timestamp_s=index / FPS, **changes)
        yield replace(result, frame=replace(result.frame, captured_at_s=moment_s))


def test_a_receiver_finds_the_channels_of_the_table_rate_and_facts(loopback_lsl, sink, setup):
    info = connect(loopback_lsl, setup.facts.source_id, "Expression").info()
    assert info.name() == "LA-Net Live"
    assert info.get_channel_labels() == NO_TEXT
    assert info.channel_format() == loopback_lsl.cf_double64
    # Irregular: two faces share a moment and frames may be lost.
    assert info.nominal_srate() == loopback_lsl.IRREGULAR_RATE
    acquisition = info.desc().child("acquisition")
    assert float(acquisition.child_value("nominal_frame_rate")) == FPS
    assert acquisition.child_value("model_sha256") == "0" * 64
    units = dict(zip(NO_TEXT, info.get_channel_units(), strict=True))
    assert (units["timestamp"], units["pose_Rx"], units["FaceRectX"]) == (
        "seconds",
        "radians",
        "pixels",
    )
    assert info.desc().child("synchronization").child_value("can_drop_samples") == "true"


def test_samples_are_the_rows_of_the_table_stamped_with_the_moment_of_capture(
    loopback_lsl, sink, setup, tmp_path
):
    inlet = connect(loopback_lsl, setup.facts.source_id, "Expression")
    began_s = time.perf_counter() - 1.0
    captured_s = [began_s + index / FPS for index in range(9)]
    table = CsvSink(tmp_path / "t.csv", TableLayout(LABELS))
    for result in frames_at(captured_s):
        sink.write(result)
        table.write(result)
    table.close()
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = [[row[name] for name in NO_TEXT] for row in csv.DictReader(file)]
    values, stamps = receive(inlet, len(rows))
    expected = np.array([[float(text or "nan") for text in row] for row in rows])
    np.testing.assert_allclose(values, expected, atol=0.006)  # the CSV is rounded
    np.testing.assert_array_equal(np.isnan(values), np.isnan(expected))
    # A frame with two faces is two samples of one moment; the rate is that of the frames.
    assert [round((s - stamps[0]) * FPS) for s in stamps] == [0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8]
    moments = np.unique(stamps.round(6))
    np.testing.assert_allclose(np.diff(moments), 1 / FPS, atol=1e-3)
    offset_s = loopback_lsl.local_clock() - time.perf_counter()
    np.testing.assert_allclose(moments - offset_s, captured_s, atol=2e-3)


def test_a_marker_has_the_stamp_of_its_frame(loopback_lsl, sink, setup):
    source = setup.facts.source_id
    estimates, markers = (connect(loopback_lsl, source, t) for t in ("Expression", "Markers"))
    now_s = time.perf_counter()
    for result in frames_at([now_s - 0.2, now_s - 0.1, now_s]):
        sink.write(result)
    _, stamps = receive(estimates, 4)
    sink.mark("1 film", 1 / FPS)
    (text,), stamp = markers.pull_sample(timeout=5)
    assert text == "1 film"
    assert stamp == pytest.approx(stamps[2], abs=1e-6)


def test_a_closed_stream_is_not_found_and_closing_twice_is_harmless(loopback_lsl, setup):
    sink = LslSink()
    sink.open(setup)
    sink.close()
    sink.close()
    sink.mark("nobody hears it", 0.0)
    assert not find(loopback_lsl, setup.facts.source_id, "Expression", timeout_s=1.2)


def test_pictures_without_time_are_sent_with_an_empty_time(loopback_lsl, sink, setup):
    inlet = connect(loopback_lsl, setup.facts.source_id, "Expression")
    sink.write(make_result(3, timestamp_s=math.nan))
    values, _ = receive(inlet, 1)
    assert values[0][NO_TEXT.index("frame")] == 3
    assert math.isnan(values[0][NO_TEXT.index("timestamp")])


def test_the_clocks_are_compared_at_the_tightest_look():
    readings = iter([100.0, 100.2, 100.2, 100.2, 100.2])
    before_s = time.perf_counter()
    offset_s = perf_to_lsl_s(lambda: next(readings))
    after_s = time.perf_counter()
    assert 100.0 - after_s <= offset_s <= 100.2 - before_s


def test_without_pylsl_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(ConfigError, match=r"pip install 'lanet-live\[lsl\]'"):
        LslSink()
