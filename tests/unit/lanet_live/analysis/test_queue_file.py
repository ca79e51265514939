import json
from dataclasses import replace
from pathlib import Path

import pytest

from lanet_live.analysis.item import AnalysisItem, ItemState
from lanet_live.analysis.options import AnalysisOptions, options_from_document
from lanet_live.analysis.presets import PresetBook, apply_preset
from lanet_live.analysis.queue_file import QueueFile
from lanet_live.config import PriorConfig
from lanet_live.errors import ConfigError
from lanet_live.run_summary import RunProgress

OPTIONS = AnalysisOptions(
    start_s=1.5,
    end_s=None,
    every_n=3,
    max_faces=2,
    columns="full",
    formats=("csv", "plot"),
    out_dir=Path("out"),
    prior=PriorConfig("file", "mine.csv", (("neutral", 0.25), ("happiness", 0.75))),
)
DONE = AnalysisItem(
    "video",
    Path("ä clip.mp4"),
    OPTIONS,
    state=ItemState.DONE,
    reason="Two frames were damaged.",
    result_folder=Path("out/clip"),
    progress=RunProgress(100, 90, None, 12.5),
)


def test_a_stored_queue_comes_back_as_it_was(tmp_path):
    items = (DONE, AnalysisItem("session", Path("s"), AnalysisOptions()))
    file = QueueFile(tmp_path / "new" / "queue.json")
    file.save(items, is_going=True)
    stored = file.load()
    assert stored.items == items
    assert stored.is_going
    assert stored.notice == ""


def test_no_file_is_an_empty_queue(tmp_path):
    stored = QueueFile(tmp_path / "queue.json").load()
    assert stored.items == ()
    assert stored.notice == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", '{"items": [', "9" * 5000, "[" * 100_000])
def test_a_broken_file_is_put_aside_and_told(tmp_path, text):
    path = tmp_path / "queue.json"
    path.write_text(text)
    stored = QueueFile(path).load()
    assert stored.items == ()
    assert "starts afresh" in stored.notice
    assert (tmp_path / "queue.json.broken").read_text() == text


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"kind": "camera"},
        {"path": ""},
        {"state": "happy"},
        {"options": None},
        {"options": {**OPTIONS.to_document(), "every_n": 0}},
        {"options": {**OPTIONS.to_document(), "every_n": True}},
        {"options": {**OPTIONS.to_document(), "start_s": float("nan")}},
        {"options": {**OPTIONS.to_document(), "formats": ["exe"]}},
        {"options": {**OPTIONS.to_document(), "out_dir": 5}},
    ],
)
def test_an_unusable_entry_is_left_out_and_told(tmp_path, change):
    path = tmp_path / "queue.json"
    file = QueueFile(path)
    file.save((DONE, replace(DONE, item_id="other")), is_going=False)
    document = json.loads(path.read_text())
    document["items"][0] |= change
    path.write_text(json.dumps(document))
    stored = file.load()
    assert [item.item_id for item in stored.items] == ["other"]
    assert stored.notice == "1 of 2 entries of the queue were not usable."


def test_presets_are_kept_without_the_part(tmp_path):
    path = tmp_path / "presets.json"
    PresetBook(path).save(" Mine ", OPTIONS)
    book = PresetBook(path)
    assert book.presets["Mine"] == replace(OPTIONS, start_s=None)
    assert book.is_own("Mine")
    book.delete("Mine")
    assert "Mine" not in PresetBook(path).presets


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "Table"])
def test_a_preset_needs_a_name_of_its_own(tmp_path, name):
    with pytest.raises(ConfigError):
        PresetBook(tmp_path / "presets.json").save(name, OPTIONS)


def test_a_preset_keeps_part_and_folder():
    applied = apply_preset(AnalysisOptions(every_n=10), OPTIONS)
    assert applied == AnalysisOptions(start_s=1.5, every_n=10, out_dir=Path("out"))


@pytest.mark.parametrize(
    "prior",
    [
        3,
        {"kind": "odd"},
        {"kind": "file", "name": "x.csv", "shares": {"neutral": "a"}},
        {"kind": "file", "name": "x.csv", "shares": {"neutral": 0.5}},
        {"kind": "file", "shares": {"neutral": 1.0}},
    ],
)
def test_class_shares_that_cannot_be_right_are_refused(prior):
    document = {**AnalysisOptions().to_document(), "prior": prior}
    with pytest.raises(ConfigError):
        options_from_document(document)


def test_options_from_before_there_was_a_choice_of_class_shares_are_as_fitted():
    document = AnalysisOptions().to_document()
    del document["prior"]
    assert options_from_document(document) == AnalysisOptions()
