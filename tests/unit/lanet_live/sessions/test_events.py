import pytest

from lanet_live.errors import ConfigError, SinkError
from lanet_live.sessions.events import EventLog, SessionEvent, read_events, write_events


def test_written_events_come_back_in_order(tmp_path):
    events = [
        SessionEvent(2.0, number=1, name="ünïcode", note="a,b"),
        SessionEvent(1.0, kind="excluded", end_timestamp_s=1.5),
    ]
    path = tmp_path / "events.csv"
    write_events(path, events)
    assert read_events(path) == (events[1], events[0])


def test_a_line_cut_off_by_a_crash_is_left_out(tmp_path):
    path = tmp_path / "events.csv"
    log = EventLog(path)
    log.append(SessionEvent(1.0, name="whole"))
    log.close()
    with path.open("a") as file:
        file.write("2.0x")
    assert [event.name for event in read_events(path)] == ["whole"]


def test_another_table_is_refused(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="no table of events"):
        read_events(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_events(tmp_path / "missing.csv")


def test_log_never_replaces_a_file(tmp_path):
    EventLog(tmp_path / "events.csv").close()
    with pytest.raises(SinkError, match="already there"):
        EventLog(tmp_path / "events.csv")


def test_long_captions_are_shortened():
    assert len(SessionEvent(0.0, number=3, note="x" * 100).caption) < 30
    assert SessionEvent(0.0, number=3).caption == "3"
