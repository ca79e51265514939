import json

import pytest

from lanet_live.gui.settings import Settings


def test_values_come_back(tmp_path):
    path = tmp_path / "deep" / "settings.json"
    settings = Settings(path)
    settings.set("text", "ü")
    settings.set("flag", True)
    settings.set("number", 2.5)
    settings.set("texts", ("a", "b"))
    settings.save()
    again = Settings(path)
    assert again.text("text") == "ü"
    assert again.flag("flag", default=False)
    assert again.number("number", 0) == 2.5
    assert again.texts("texts") == ("a", "b")


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b""])
def test_a_broken_file_gives_empty_settings(tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    settings = Settings(path)
    assert settings.text("a", "default") == "default"
    settings.set("a", "b")
    settings.save()
    assert json.loads(path.read_text()) == {"a": "b"}


def test_a_value_of_the_wrong_type_counts_as_absent(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"text": 1, "flag": "yes", "number": NaN, "texts": [1], "bool": true}')
    settings = Settings(path)
    assert settings.text("text", "x") == "x"
    assert settings.flag("flag", default=True)
    assert settings.number("number", 3.0) == 3.0
    assert settings.number("bool", 3.0) == 3.0
    assert settings.texts("texts", ("d",)) == ("d",)


def test_an_unwritable_place_is_no_error(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    settings = Settings(blocker / "settings.json")
    settings.set("a", "b")
    settings.save()
