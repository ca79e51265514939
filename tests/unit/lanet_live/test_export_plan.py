from pathlib import Path

import pytest

from lanet_live.config import ExportConfig, SourceConfig
from lanet_live.errors import ConfigError
from lanet_live.export.plan import check_outputs, plan_jobs

EVERYTHING = ExportConfig(("csv", "jsonl", "parquet", "video", "plot"), Path("out"))
CSV = ExportConfig(("csv",), Path("out"))


def video(*paths: str) -> list[SourceConfig]:
    return [SourceConfig("video", path=Path(path)) for path in paths]


def stems(*sources: SourceConfig) -> list[str]:
    return [job.outputs["csv"].stem for job in plan_jobs(sources, CSV)]


def test_outputs_are_named_after_the_source() -> None:
    (job,) = plan_jobs(video("a/clip.mp4"), EVERYTHING)
    assert {path.name for path in job.paths} == {
        "clip.csv", "clip.jsonl", "clip.parquet", "clip_annotated.mp4", "clip.png",
        "clip.metadata.json",
    }  # fmt: skip
    assert {path.parent for path in job.paths} == {Path("out")}


def test_other_sources_have_names_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert stems(
        SourceConfig("images", path=Path()),
        SourceConfig("camera", camera=0),
        SourceConfig("camera", camera="Logi / HD: 1"),
        SourceConfig("synthetic"),
    ) == [tmp_path.name, "camera_0", "camera_Logi_HD_1", "synthetic"]


def test_equal_names_in_different_folders_get_the_folder_in_front() -> None:
    sources = video("p01/clip.mp4", "p02/clip.mp4", "p02/other.mp4")
    assert stems(*sources) == ["p01_clip", "p02_clip", "other"]


def test_equal_names_in_one_folder_get_the_suffix_behind() -> None:
    assert stems(*video("a/clip.mp4", "a/clip.mov")) == ["a_clip_mp4", "a_clip_mov"]


def test_names_that_differ_only_in_case_are_kept_apart() -> None:
    assert stems(*video("a/Clip.mp4", "b/clip.mp4")) == ["a_Clip", "b_clip"]


@pytest.mark.parametrize(
    "sources",
    [
        video("a/clip.mp4", "a/clip.mp4"),
        video("x/a/clip.mp4", "y/a/clip.mp4"),
        [SourceConfig("camera", camera=0)] * 2,
    ],
)
def test_what_cannot_be_told_apart_is_refused(sources: list[SourceConfig]) -> None:
    with pytest.raises(ConfigError, match="would be written to the same files"):
        plan_jobs(sources, CSV)


def test_the_folder_is_made(tmp_path: Path) -> None:
    export = ExportConfig(("csv",), tmp_path / "a" / "b")
    check_outputs(plan_jobs(video("clip.mp4"), export)[0], export)
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("name", ["clip.csv", "clip.metadata.json", "clip.parquet.arrows"])
def test_files_that_are_there_are_replaced_only_on_request(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("old")
    keep, replace = (
        ExportConfig(("csv", "parquet"), tmp_path, overwrite=flag) for flag in (False, True)
    )
    (job,) = plan_jobs(video("clip.mp4"), keep)
    with pytest.raises(ConfigError, match=rf"{name} is already there; add --overwrite"):
        check_outputs(job, keep)
    check_outputs(job, replace)


def test_the_source_is_never_replaced(tmp_path: Path) -> None:
    export = ExportConfig(("plot",), tmp_path, overwrite=True)
    (job,) = plan_jobs(video(str(tmp_path / "clip.png")), export)
    with pytest.raises(ConfigError, match="is what is to be analysed"):
        check_outputs(job, export)


def test_an_output_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    export = ExportConfig(("csv",), tmp_path / "file" / "below")
    with pytest.raises(ConfigError, match=r"The output folder .* cannot be made: Not a directory"):
        check_outputs(plan_jobs(video("clip.mp4"), export)[0], export)


def test_an_output_that_is_a_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "clip.csv").mkdir()
    export = ExportConfig(("csv",), tmp_path, overwrite=True)
    with pytest.raises(ConfigError, match="is a folder"):
        check_outputs(plan_jobs(video("clip.mp4"), export)[0], export)
