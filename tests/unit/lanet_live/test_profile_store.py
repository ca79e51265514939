from dataclasses import replace

import pytest

from lanet_live.errors import ConfigError, SinkError
from lanet_live.expression.baseline import BaselineProfile
from lanet_live.expression.profile_store import ProfileStore
from tests.fakes import LABELS

PROFILE = BaselineProfile("Ada", LABELS, (0.5,) * 8, 90, "ab" * 32, "2026-11-22T10:00:00+01:00")


def test_profiles_come_back_by_name_for_their_model_only(tmp_path):
    store = ProfileStore(tmp_path / "baselines")
    zoe, other = replace(PROFILE, name="zoe"), replace(PROFILE, model_sha256="cd" * 32)
    for profile in (zoe, PROFILE, other):
        store.save(profile)
    assert store.profiles("ab" * 32) == (PROFILE, zoe)
    assert store.profiles("cd" * 32) == (other,)


def test_a_person_has_one_profile_per_model(tmp_path):
    store = ProfileStore(tmp_path)
    store.save(PROFILE)
    again = replace(PROFILE, n_samples=120)
    store.save(again)
    assert store.profiles("ab" * 32) == (again,)
    store.delete(again)
    store.delete(again)
    assert store.profiles("ab" * 32) == ()


def test_a_name_never_leaves_the_folder(tmp_path):
    folder = tmp_path / "baselines"
    ProfileStore(folder).save(replace(PROFILE, name="../../etc/passwd"))
    assert len(list(folder.iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["baselines"]


def test_an_unreadable_profile_is_left_out(tmp_path, caplog):
    store = ProfileStore(tmp_path)
    store.save(PROFILE)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    assert store.profiles("ab" * 32) == (PROFILE,)
    assert "left out" in caplog.text


def test_an_impossible_folder_is_told(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises((ConfigError, SinkError)):
        ProfileStore(blocker / "baselines").save(PROFILE)
