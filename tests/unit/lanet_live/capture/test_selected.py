import pytest

from lanet_live.capture.selected import FrameSelection, SelectedSource
from lanet_live.errors import ConfigError
from tests.fakes import FakeSource, make_facts


def select(n_frames=50, **limits):
    source = SelectedSource(FakeSource(n_frames, fps=10), FrameSelection(**limits))
    facts = source.open()
    indices = []
    while (frame := source.read()) is not None:
        assert frame.timestamp_s == frame.index / 10
        indices.append(frame.index)
    source.close()
    return indices, facts, source.report()


@pytest.mark.parametrize(
    ("limits", "expected", "n_decoded"),
    [
        ({}, range(50), 50),
        ({"every_n": 7}, range(0, 50, 7), 50),
        ({"start_s": 1.0}, range(10, 50), 50),
        ({"end_s": 1.0}, range(10), 11),
        ({"start_s": 1.05, "end_s": 2.0, "every_n": 3}, (11, 14, 17), 21),
        ({"start_s": 90.0}, (), 50),
    ],
)
def test_selected_frames_keep_their_index_and_all_are_counted(limits, expected, n_decoded):
    indices, _, report = select(**limits)
    assert indices == list(expected)
    assert report.n_decoded == n_decoded


def test_end_is_not_read_past():
    source = FakeSource(50, fps=10)
    selected = SelectedSource(source, FrameSelection(end_s=1.0))
    selected.open()
    while selected.read() is not None:
        pass
    assert selected.read() is None
    assert selected.report().n_decoded == 11


@pytest.mark.parametrize(
    ("limits", "expected"),
    [({}, 100), ({"every_n": 3}, 34), ({"start_s": 2.0, "end_s": 6.0}, 40), ({"end_s": 99.0}, 100)],
)
def test_expected_number_is_estimated(limits, expected):
    class LongSource(FakeSource):
        def open(self):
            return make_facts(n_frames_expected=100, duration_s=10.0)

    facts = SelectedSource(LongSource(), FrameSelection(**limits)).open()
    assert facts.n_frames_expected == expected


def test_pictures_have_no_span_of_time():
    class Pictures(FakeSource):
        def open(self):
            return make_facts(has_independent_frames=True)

    source = Pictures()
    with pytest.raises(ConfigError, match="No time runs"):
        SelectedSource(source, FrameSelection(end_s=1.0)).open()
    assert source.is_closed
    SelectedSource(Pictures(), FrameSelection(every_n=2)).open()


@pytest.mark.parametrize(
    "limits", [{"every_n": 0}, {"start_s": 2.0, "end_s": 1.0}, {"start_s": float("nan")}]
)
def test_impossible_selections_are_refused(limits):
    with pytest.raises(ConfigError):
        FrameSelection(**limits)
