from lanet_live.capture.limited import LimitedSource
from tests.fakes import FakeSource


def read_all(source: LimitedSource) -> list[int]:
    source.open()
    return [frame.index for frame in iter(source.read, None)]


def test_frames_up_to_the_duration_are_delivered() -> None:
    source = LimitedSource(FakeSource(100, fps=10), 2.0)
    assert read_all(source) == list(range(20))
    assert source.report().n_decoded == 20


def test_the_end_stays_the_end() -> None:
    source = LimitedSource(FakeSource(100, fps=10), 0.5)
    read_all(source)
    assert source.read() is None
    assert source.report().n_decoded == 5


def test_a_shorter_source_ends_by_itself() -> None:
    source = LimitedSource(FakeSource(3), 60.0)
    assert read_all(source) == [0, 1, 2]
    assert source.report().n_decoded == 3
    source.close()
    assert source._source.is_closed
