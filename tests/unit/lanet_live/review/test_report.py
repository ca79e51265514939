import re

import pytest

from lanet_live.errors import ConfigError
from lanet_live.review.plot import draw_review
from lanet_live.review.recording import open_recording
from lanet_live.review.report import ReportOptions, write_report
from lanet_live.sessions.events import SessionEvent
from tests.fakes import make_result
from tests.review_tables import write_table


@pytest.fixture
def recording(tmp_path):
    return open_recording(
        write_table(tmp_path / "t.csv", [make_result(i, face_ids=(0, 1)) for i in range(60)])
    )


def test_the_report_needs_nothing_else_and_escapes_what_it_is_given(tmp_path, recording):
    edits = (
        recording.edits.with_name(0, "<script>alert(1)</script>")
        .with_event(SessionEvent(1.0, name="a & b", note='<img src="http://x">'))
        .with_excluded(0.2, 0.4)
    )
    path = tmp_path / "r.html"
    write_report(path, recording, edits, ReportOptions())
    text = path.read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "a &amp; b" in text
    assert "http" not in re.sub(r"&lt;img.*?&gt;|http-equiv", "", text)
    assert re.findall(r'<img[^>]*src="([^"]{20})', text) == ["data:image/png;base6"]
    assert "excluded" in text
    assert "t.csv" in text


def test_a_report_without_anything_reliable_says_so(tmp_path):
    results = [make_result(0, is_reliable=False)]
    recording = open_recording(write_table(tmp_path / "t.csv", results))
    path = tmp_path / "r.html"
    write_report(path, recording, recording.edits, ReportOptions(only_reliable=True))
    assert "Nothing here is reliable" in path.read_text()


def test_plots_come_as_png_or_svg(tmp_path, recording):
    draw_review(tmp_path / "p.svg", recording, recording.edits.with_excluded(0, 9))
    assert "<svg" in (tmp_path / "p.svg").read_text()[:600]
    draw_review(tmp_path / "p.png", recording, recording.edits)
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ConfigError, match="must end with"):
        draw_review(tmp_path / "p.gif", recording, recording.edits)
