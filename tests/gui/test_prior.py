"""Class shares and prediction sets in the window."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from lanet_engines.spec import PredictionSets
from lanet_live.analysis.options import AnalysisOptions
from lanet_live.config import PipelineConfig, PriorConfig
from lanet_live.expression.prior import Prior
from lanet_live.gui.analyze.options_form import OptionsForm
from lanet_live.gui.live.face_book import FaceBook
from lanet_live.gui.readings import FaceReading
from lanet_live.gui.widgets.face_card import FaceCard
from lanet_live.run.live import LiveRunner
from lanet_live.run.pipeline import Pipeline
from tests.fakes import LABELS, FakeEngine, FakeTracker, make_estimate, make_spec, make_track
from tests.gui.live_window import LiveWindow, SimulatedCamera

SHARES = (0.37, 0.27, 0.13, 0.11, 0.09, 0.01, 0.015, 0.005)
BALANCED = PriorConfig("balanced", "balanced")


class PriorWindow(LiveWindow):
    """A live window whose model declares its class shares, unless a test says otherwise."""

    spec = make_spec(class_shares=SHARES, prediction_sets=PredictionSets(0.9, (0.1,) * 8))

    def _make_runner(self, source, bridge):
        return LiveRunner(
            lambda: SimulatedCamera(self.pulled),
            lambda facts: Pipeline(
                FakeTracker((make_track(0),)), FakeEngine(self.spec), PipelineConfig()
            ),
            [bridge],
            on_event=bridge.post,
        )


@pytest.fixture
def live_window(qtbot, settings_path, tmp_path, request):
    kind = type("Window", (PriorWindow,), getattr(request, "param", {}))
    window = kind(qtbot, settings_path, tmp_path)
    yield window
    window.close()


def choose(window, text):
    box = window.live.prior.dialog.box
    place = box.findText(text)
    box.setCurrentIndex(place)
    box.activated.emit(place)


def read(folder):
    return json.loads((folder / "session.json").read_text())


def test_the_choice_corrects_what_is_shown_and_says_so_and_keeps_the_raw_values(live_window):
    live = live_window.live
    live.actions_by_key["prior"].trigger()
    live_window.wait(lambda: live.prior.dialog.table.rowCount() == 8)
    assert live.prior.dialog.table.item(1, 1).text() == "27.0 %"
    choose(live_window, "Balanced")
    live_window.wait(lambda: live.book.faces[0].reading.note == "class shares balanced")
    reading = live.book.faces[0].reading
    raw = reading.estimate.probabilities
    weights = raw / np.array(SHARES)
    np.testing.assert_allclose(reading.shown, weights / weights.sum())
    assert live.prior.dialog.table.item(1, 2).text() == "12.5 %"
    choose(live_window, "As fitted")
    live_window.wait(lambda: live.book.faces[0].reading.note == "")
    assert live.run.setup.prior == "fitted"


def test_a_recording_gets_the_columns_and_locks_the_choice(live_window):
    live = live_window.live
    live.prior.show()
    choose(live_window, "Balanced")
    live.recording.toggle()
    assert not live.prior.dialog.box.isEnabled()
    assert "recording" in live.prior.dialog.text
    live_window.wait(lambda: live.recording._recorder.counts.n_with_face > 3)
    folder = live.recording._recorder.folder
    live.recording.toggle()
    live_window.wait(lambda: read(folder)["ended_at"] is not None)
    assert live.prior.dialog.box.isEnabled()
    document = read(folder)
    assert document["prior"]["name"] == "balanced"
    assert document["prior"]["shares"]["contempt"] == 0.125
    assert document["model"]["class_shares"]["contempt"] == 0.005
    with (folder / "frames.csv").open() as file:
        row = next(csv.DictReader(file))
    raw = np.array([float(row[label]) for label in LABELS])
    corrected = np.array([float(row[f"{label}_pc"]) for label in LABELS])
    np.testing.assert_allclose(corrected, raw / SHARES / (raw / SHARES).sum(), atol=2e-4)
    assert row["set"].split("|")[0] == row["expression"]


@pytest.mark.parametrize("live_window", [{"spec": make_spec()}], indirect=True)
def test_a_model_that_does_not_declare_its_shares_offers_no_choice(live_window):
    live = live_window.live
    live.prior.show()
    live_window.wait(lambda: "does not say" in live.prior.dialog.text)
    assert not live.prior.dialog.box.isEnabled()
    live.prior.choose(BALANCED)
    assert live.prior.config == PriorConfig()
    assert live.book.prior is None


def test_an_estimate_is_shown_when_asked_for_and_changes_nothing(live_window, tmp_path):
    live = live_window.live
    live.prior.show()
    live_window.wait(lambda: live.prior.dialog.ask.isEnabled())
    live.prior.dialog.ask.click()  # a face that does not move is worth few frames
    assert "Too little" in live.prior.dialog.text
    rng = np.random.default_rng(0)
    for kind in rng.choice([0, 1], 600, p=[0.8, 0.2]):
        live.prior._collector.add([make_estimate(7, probabilities=np.eye(8)[kind] * 0.92 + 0.01)])
    live.prior.dialog.ask.click()
    assert "independent" in live.prior.dialog.text
    assert live.prior.config == PriorConfig()
    path = tmp_path / "shares.csv"
    live.prior.dialog.save_estimate(path)
    live.prior.dialog.box.take_file(path)
    live_window.wait(lambda: live.run.setup.prior == "shares.csv")


def test_a_file_that_is_not_usable_is_told_and_nothing_changes(live_window, tmp_path):
    live = live_window.live
    live.prior.show()
    path = tmp_path / "bad.csv"
    path.write_text("class,share\nhappiness,2\n")
    live.prior.dialog.box.take_file(path)
    assert "must be above 0" in live.prior.dialog.text
    assert live.prior.config == PriorConfig()


@pytest.mark.parametrize(
    ("classes", "answer"),
    [
        ((), "Contempt 22 %"),
        (("contempt",), "Contempt 22 %"),
        (("contempt", "fear"), "Contempt or fear"),
        (("contempt", "fear", "disgust"), "Contempt or 2 others"),
        (("contempt", "fear", "disgust", "anger"), "Contempt or 3 others"),
    ],
)
def test_the_card_answers_with_the_classes_that_remain_possible(qtbot, classes, answer):
    estimate = make_estimate(prediction_set=classes)
    card = FaceCard(0, "Face 0")
    qtbot.addWidget(card)
    card.show_reading(FaceReading("Face 0", estimate, estimate.probabilities), limits=None)
    assert card._summary.text() == answer
    if len(classes) > 1:
        assert all(name in card._summary.toolTip() for name in classes)


def test_a_set_of_raw_values_does_not_answer_for_corrected_ones():
    estimate = make_estimate(prediction_set=("contempt", "fear"))
    shown = np.eye(8)[0] * 0.92 + 0.01
    reading = FaceReading("Face 0", estimate, shown, "class shares balanced", is_corrected=True)
    assert reading.answer == "Neutral 93 %"


def test_baseline_and_class_shares_are_both_taken_into_account():
    book = FaceBook()
    book.prior = Prior("balanced", np.full(8, 1 / 8), 1 / 8 / np.array(SHARES))
    estimate = make_estimate(smoothed=np.full(8, 1 / 8))
    shown, note, is_corrected = book._choose_shown(estimate, None)
    np.testing.assert_allclose(shown, (1 / np.array(SHARES)) / (1 / np.array(SHARES)).sum())
    assert (note, is_corrected) == ("smoothed, class shares balanced", True)


def test_the_options_of_an_item_have_the_choice(qtbot, tmp_path):
    form = OptionsForm()
    qtbot.addWidget(form)
    changes = []
    form.edited.connect(changes.append)
    form.show_options(AnalysisOptions(prior=BALANCED), has_time=True)
    assert form.prior.currentText() == "Balanced"
    assert not changes
    form.prior.activated.emit(0)
    assert changes[0](AnalysisOptions(prior=BALANCED)).prior == PriorConfig()
    own = replace(BALANCED, kind="file", name="mine.csv", shares=(("happiness", 1.0),))
    form.show_options(AnalysisOptions(prior=own), has_time=True)
    assert form.prior.currentText() == "mine.csv"
    with qtbot.waitSignal(form.failed) as failed:
        form.prior.take_file(tmp_path / "absent.csv")
    assert "cannot be read" in failed.args[0]
