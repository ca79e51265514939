import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lanet_engines.errors import ArtefactError, EngineBuildError, UnsafeFolderError
from lanet_engines.storage.artefact import StoredFile, read_artefact, write_manifest
from lanet_engines.storage.cache import EngineCache
from lanet_engines.storage.file_lock import hold_lock
from tests.tiny_artefact import KEY, fill
from tests.tiny_model import tiny_spec

TIMEOUT_S = 60

# A process that builds an entry: says so, then waits for a line on its standard input.
BUILDER = """
import sys
from pathlib import Path
from lanet_engines.storage.cache import EngineCache
from tests.tiny_artefact import KEY, fill

def build(folder):
    (folder / "half.bin").write_bytes(b"half")
    print("building", flush=True)
    sys.stdin.readline()
    (folder / "half.bin").unlink()
    fill(folder)

entry = EngineCache(Path(sys.argv[1])).get_or_build(KEY, build)
print("built" if entry.was_built else "found", flush=True)
"""


def refuse_to_build(folder: Path) -> None:
    raise AssertionError("this entry must not be built")


def start_builder(folder: Path) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate("go\n", timeout=TIMEOUT_S)
    assert process.returncode == 0
    return output.strip()


def test_second_call_finds_what_the_first_built(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    first = cache.get_or_build(KEY, fill)
    second = cache.get_or_build(KEY, refuse_to_build)
    assert first.was_built
    assert not second.was_built
    assert first.folder == second.folder
    assert read_artefact(second.folder).precision == "fp16"


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "1" * 64},
        {"runtime_version": "1.8"},
        {"capabilities": ("sm89",)},
        {"precision": "fp32"},
        {"max_batch": 8},
        {"builder_version": 2},
        {"calibration_sha256": "2" * 64},
    ],
)
def test_every_part_of_the_key_counts(tmp_path: Path, change: dict[str, object]) -> None:
    cache = EngineCache(tmp_path)
    cache.get_or_build(KEY, fill)
    assert cache.get_or_build(replace(KEY, **change), fill).was_built  # type: ignore[arg-type]


def test_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half.bin").write_bytes(b"half")
        raise EngineBuildError("no")

    cache = EngineCache(tmp_path)
    with pytest.raises(EngineBuildError):
        cache.get_or_build(KEY, fail)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert cache.get_or_build(KEY, fill).was_built


def test_damaged_entry_is_built_again(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    plan = cache.get_or_build(KEY, fill).folder / "engine.plan"
    plan.write_bytes(b"q" * 100)
    assert cache.get_or_build(KEY, fill).was_built
    assert plan.read_bytes() == b"p" * 100


def test_entries_not_used_longest_are_removed(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path, max_bytes=12_000)
    keys = [replace(KEY, max_batch=n) for n in (1, 2, 3)]
    folders = []
    for age_s, key in zip((300, 200), keys, strict=False):
        folder = cache.get_or_build(key, lambda f: fill(f, n_bytes=4000)).folder
        past = folder.stat().st_mtime - age_s
        os.utime(folder, (past, past))
        folders.append(folder)
    cache.get_or_build(keys[0], refuse_to_build)  # used again: now the youngest
    newest = cache.get_or_build(keys[2], lambda f: fill(f, n_bytes=4000)).folder
    assert folders[0].exists()
    assert not folders[1].exists()
    assert newest.exists()


def test_entry_larger_than_the_limit_is_kept_while_it_is_the_newest(tmp_path: Path) -> None:
    entry = EngineCache(tmp_path, max_bytes=10).get_or_build(KEY, fill)
    assert entry.folder.exists()


def test_cache_stays_below_its_bound_however_many_are_built(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path, max_bytes=20_000)
    for n in range(1, 9):
        cache.get_or_build(replace(KEY, max_batch=n), lambda f: fill(f, n_bytes=4000))
        assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) <= 20_000


def test_clear_removes_all_and_says_how_much(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    cache.get_or_build(KEY, lambda f: fill(f, n_bytes=2_000_000))
    assert cache.clear_and_tell() == f"Removed 2.0 MB of built engines from {tmp_path}."
    assert not any(path.is_dir() for path in tmp_path.iterdir())
    assert cache.clear() == 0
    assert cache.get_or_build(KEY, fill).was_built


def test_folder_of_a_runtime_is_emptied_when_too_big_and_cleared_with_the_rest(
    tmp_path: Path,
) -> None:
    cache = EngineCache(tmp_path, max_bytes=1000)
    folder = cache.runtime_folder("openvino")
    (folder / "blob").write_bytes(bytes(900))
    assert (cache.runtime_folder("openvino") / "blob").exists()
    (folder / "blob").write_bytes(bytes(1001))
    assert not (cache.runtime_folder("openvino") / "blob").exists()
    (folder / "blob").write_bytes(bytes(10))
    cache.clear()
    assert not folder.exists()


def test_two_processes_at_once_build_once(tmp_path: Path) -> None:
    first = start_builder(tmp_path)
    try:
        assert read_line(first) == "building"
        second = start_builder(tmp_path)
        assert finish(first) == "built"
        assert finish(second) == "found"
    finally:
        first.kill()
        second.kill()


def test_builder_killed_in_the_middle_leaves_a_clean_start(tmp_path: Path) -> None:
    builder = start_builder(tmp_path)
    assert read_line(builder) == "building"
    builder.kill()
    builder.communicate(timeout=TIMEOUT_S)
    assert any(tmp_path.glob("*/half.bin"))
    entry = EngineCache(tmp_path).get_or_build(KEY, fill)
    assert entry.was_built
    assert not any(tmp_path.rglob("half.bin"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        entry.folder.name,
        f"{entry.folder.name}.lock",
    ]


def test_clear_leaves_what_another_process_is_building(tmp_path: Path) -> None:
    builder = start_builder(tmp_path)
    try:
        assert read_line(builder) == "building"
        EngineCache(tmp_path).clear()
        assert any(tmp_path.glob("*/half.bin"))
        assert finish(builder) == "built"
    finally:
        builder.kill()


def test_lock_that_is_held_is_not_given_again(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with hold_lock(path) as is_held:
        assert is_held
        with hold_lock(path, wait=False) as is_second_held:
            assert not is_second_held
    with hold_lock(path, wait=False) as is_held_later:
        assert is_held_later


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission bits")
def test_folder_others_may_write_to_is_refused(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "cache")
    entry = cache.get_or_build(KEY, fill)
    entry.folder.chmod(0o777)
    with pytest.raises(UnsafeFolderError, match="chmod go-w"):
        read_artefact(entry.folder)
    (tmp_path / "cache").chmod(0o777)
    with pytest.raises(UnsafeFolderError, match="chmod go-w"):
        EngineCache(tmp_path / "cache")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(UnsafeFolderError, match="another user"):
        EngineCache(tmp_path)


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "a\\b", "", ".hidden", "C:x"])
def test_manifest_naming_files_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    fill(tmp_path)
    artefact = read_artefact(tmp_path)
    write_manifest(tmp_path, replace(artefact, files=(StoredFile(name, 0, "0" * 64),)))
    with pytest.raises(ArtefactError, match="manifest is not valid"):
        read_artefact(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"schema_version": 99}', '{"schema_version": 1, "spec": {}}', "[" * 9999],
)
def test_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    fill(tmp_path)
    (tmp_path / "artefact.json").write_text(text)
    with pytest.raises(ArtefactError, match="build it again"):
        read_artefact(tmp_path)


def test_artefact_survives_a_round_trip(tmp_path: Path) -> None:
    fill(tmp_path)
    artefact = read_artefact(tmp_path)
    assert artefact.spec == tiny_spec()
    assert artefact.capabilities == ("sm86",)
    assert artefact.files[0].size_bytes == 100


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "engine.plan").write_bytes(b"p" * 50)
    with pytest.raises(ArtefactError, match=r"engine\.plan is missing or cut off"):
        read_artefact(tmp_path)
