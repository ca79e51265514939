import pytest

from lanet_live.errors import ConfigError
from lanet_live.review.edits import EditHistory, Edits, Limits
from lanet_live.review.edits_file import read_edits, write_edits
from lanet_live.sessions.events import SessionEvent


def make_history(edits=None):
    seen = []
    return EditHistory(edits or Edits(), seen.append), seen


def test_events_stay_in_the_order_of_time():
    edits = Edits().with_event(SessionEvent(3.0)).with_event(SessionEvent(1.0))
    assert [event.timestamp_s for event in edits.events] == [1.0, 3.0]
    moved = edits.with_event_changed(0, SessionEvent(5.0, name="late"))
    assert [event.name for event in moved.events] == ["", "late"]
    assert moved.without_event(0).events[0].name == "late"


def test_overlapping_excluded_ranges_are_joined():
    edits = Edits().with_excluded(5, 2).with_excluded(4, 6).with_excluded(8, 9)
    assert edits.excluded_s == ((2, 6), (8, 9))


def test_merged_faces_can_be_merged_again():
    edits = Edits().with_faces_merged(3, 2).with_faces_merged(3, 1)
    assert [edits.face_of(i) for i in (1, 2, 3)] == [1, 1, 1]
    with pytest.raises(ValueError, match="one face"):
        edits.with_faces_merged(1, 3)


def test_an_empty_name_gives_the_default_one_back():
    edits = Edits().with_name(0, "  Ada \n L ")
    assert edits.name_of(0) == "Ada L"
    assert edits.with_name(0, " ").name_of(0) == "Face 0"


def test_undo_and_redo_go_through_every_step():
    history, seen = make_history()
    history.change("name", Edits().with_name(0, "Ada"))
    history.change("exclude", history.edits.with_excluded(1, 2))
    assert history.undo_caption == "exclude"
    history.undo()
    assert history.edits.events == ()
    assert history.redo_caption == "exclude"
    history.undo()
    history.undo()
    assert history.edits == Edits()
    history.redo()
    history.redo()
    history.redo()
    assert history.edits.excluded_s == ((1, 2),)
    assert len(seen) == 6


def test_a_new_change_ends_the_way_forth():
    history, _ = make_history()
    history.change("name", Edits().with_name(0, "Ada"))
    history.undo()
    history.change("name", Edits().with_name(0, "Bob"))
    assert history.redo_caption == ""


def test_dragging_a_slider_is_one_step():
    history, _ = make_history()
    for value in (0.9, 0.8, 0.7):
        edits = history.edits.with_limits(Limits(max_uncertainty=value))
        history.change("limits", edits, joins_last=True)
    history.undo()
    assert history.edits == Edits()
    assert history.undo_caption == ""


def test_edits_come_back_from_their_file(tmp_path):
    edits = (
        Edits(limits=Limits(0.6, 0.4))
        .with_event(SessionEvent(1.5, number=3, name="ü", note="a\nb"))
        .with_excluded(2, 3)
        .with_name(4, "Ada")
        .with_faces_merged(2, 1)
    )
    path = tmp_path / "review.json"
    assert read_edits(path) is None
    write_edits(path, edits)
    assert read_edits(path) == edits
    assert [p.name for p in tmp_path.iterdir()] == ["review.json"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"schema_version": 9}',
        '{"schema_version": 1, "events": [], "names": {}, "merged_into": {"1": 2, "2": 1}, '
        '"limits": {}}',
        '{"schema_version": 1, "events": [], "names": {}, "merged_into": {}, '
        '"limits": {"max_uncertainty": NaN}}',
    ],
)
def test_a_broken_file_of_edits_says_so(tmp_path, text):
    path = tmp_path / "review.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="review afresh"):
        read_edits(path)
