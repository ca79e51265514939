"""Baseline-corrected values in the Review workspace."""

import pytest

from lanet_live.gui.main_window import MainWindow
from lanet_live.gui.review.workspace import ReviewWorkspace
from lanet_live.gui.settings import Settings
from lanet_live.gui.theme import ThemeController
from tests.corrected_session import CORRECTED, MEASURED, SADNESS, record_corrected_session
from tests.fakes import make_result
from tests.review_tables import write_table

pytestmark = pytest.mark.gui


@pytest.fixture
def review(qtbot, qapp, settings_path):
    workspace = ReviewWorkspace()
    window = MainWindow([workspace], Settings(settings_path), ThemeController(qapp, "light"))
    window.show()
    yield workspace
    window.close()
    window.deleteLater()


def open_it(qtbot, review, path):
    before = review.document.recording
    review.open_path(path)
    qtbot.waitUntil(lambda: review.document.recording is not before, timeout=10_000)


def test_plot_cards_and_summary_follow_the_choice_and_the_edits_are_untouched(
    qtbot, review, tmp_path
):
    folder = record_corrected_session(tmp_path)
    open_it(qtbot, review, folder)
    action = review.actions_by_key["corrected"]
    assert action.isEnabled()
    assert not action.isChecked()
    review.player.seek(1.6)

    def sadness():
        stretch = review.document.series[0].stretch(1.6, 1.6, max_points=100)
        return float(stretch.shown[1, SADNESS])

    assert sadness() == pytest.approx(MEASURED[SADNESS], abs=1e-5)
    action.trigger()
    assert sadness() == pytest.approx(CORRECTED[SADNESS], abs=1e-5)
    reading = review.document.readings_at(1.6)[0][1]
    assert reading.note == "baseline-corrected"
    assert reading.estimate.probabilities[SADNESS] == pytest.approx(MEASURED[SADNESS], abs=1e-5)
    assert reading.top == ("sadness", pytest.approx(CORRECTED[SADNESS], abs=1e-5))
    assert review.document.readings_at(0.4)[0][1].note == ""
    qtbot.waitUntil(lambda: "corrected" in review.summary.text, timeout=10_000)
    mean = float(review.summary.table.item(SADNESS, 1).text())
    assert mean == pytest.approx((MEASURED[SADNESS] + CORRECTED[SADNESS]) / 2, abs=1e-3)
    action.trigger()
    assert sadness() == pytest.approx(MEASURED[SADNESS], abs=1e-5)
    assert not (folder / "review.json").exists()


def test_a_recording_without_them_offers_no_choice(qtbot, review, tmp_path):
    open_it(qtbot, review, record_corrected_session(tmp_path))
    review.actions_by_key["corrected"].trigger()
    open_it(qtbot, review, write_table(tmp_path / "t.csv", [make_result(0)]))
    action = review.actions_by_key["corrected"]
    assert not action.isEnabled()
    assert not action.isChecked()


def test_a_comparison_shows_both_corrected(qtbot, review, tmp_path):
    folder = record_corrected_session(tmp_path)
    open_it(qtbot, review, folder)
    review.comparing.open_path(folder)
    qtbot.waitUntil(lambda: review.comparing.is_on, timeout=10_000)
    review.actions_by_key["corrected"].trigger()
    mean = f"{(MEASURED[SADNESS] + CORRECTED[SADNESS]) / 2:.3f}"
    table = review.comparing.panel.table

    def texts():
        items = [table.item(SADNESS, column) for column in (1, 2)]
        return [item.text().split()[0] for item in items if item]

    qtbot.waitUntil(lambda: texts() == [mean, mean], timeout=10_000)
