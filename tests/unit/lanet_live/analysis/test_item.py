import pytest

from lanet_live.analysis.item import AnalysisItem, find_sources
from lanet_live.analysis.options import AnalysisOptions
from lanet_live.analysis.result_folder import BESIDE_SOURCE, create_result_folder
from lanet_live.config import SourceConfig
from lanet_live.errors import ConfigError


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_files_and_folders_are_told_apart(tmp_path):
    video, picture = touch(tmp_path / "a.mov"), touch(tmp_path / "pictures" / "b.JPG")
    session = touch(tmp_path / "session" / "session.json").parent
    assert find_sources(video) == (("video", video),)
    assert find_sources(picture) == (("images", picture),)
    assert find_sources(picture.parent) == (("images", picture.parent),)
    assert find_sources(session) == (("session", session),)


def test_a_folder_of_videos_stands_for_each_of_them(tmp_path):
    videos = [touch(tmp_path / name) for name in ("a.mp4", "b.MKV")]
    touch(tmp_path / "notes.txt")
    assert find_sources(tmp_path) == tuple(("video", video) for video in videos)


def test_nothing_to_analyse_is_said(tmp_path):
    with pytest.raises(ConfigError, match="neither pictures nor videos"):
        find_sources(tmp_path)
    with pytest.raises(ConfigError, match="no file or folder"):
        find_sources(tmp_path / "gone")


def test_a_session_is_its_video_and_without_one_says_so(tmp_path):
    item = AnalysisItem("session", tmp_path, AnalysisOptions())
    with pytest.raises(ConfigError, match="holds no video"):
        item.source()
    video = touch(tmp_path / "video.mp4")
    assert item.source() == SourceConfig("video", path=video)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        (AnalysisOptions(formats=()), "video", "No file"),
        (AnalysisOptions(start_s=3, end_s=2), "video", "before it starts"),
        (AnalysisOptions(formats=("plot",)), "images", "timeline"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, kind, words):
    with pytest.raises(ConfigError, match=words):
        options.export_config(kind, tmp_path)


def test_every_result_has_its_own_folder(tmp_path):
    clip = touch(tmp_path / "clip.mp4")
    item = AnalysisItem("video", clip, AnalysisOptions())
    folders = [create_result_folder(item) for _ in range(3)]
    assert folders == [tmp_path / BESIDE_SOURCE / name for name in ("clip", "clip_2", "clip_3")]
    session = AnalysisItem("session", tmp_path, AnalysisOptions())
    assert create_result_folder(session) == tmp_path / "analysis" / tmp_path.name


def test_a_result_folder_that_cannot_be_made_is_an_error(tmp_path):
    file = touch(tmp_path / "file")
    item = AnalysisItem("video", tmp_path / "a.mp4", AnalysisOptions(out_dir=file))
    with pytest.raises(ConfigError, match="hoose another output folder"):
        create_result_folder(item)
