from pathlib import Path

import pytest

from lanet_live.command.arguments import parse_arguments, parse_config
from lanet_live.config import LiveConfig, PriorConfig, SourceConfig
from lanet_live.errors import ConfigError


def parse(*argv: str) -> LiveConfig:
    return parse_config(parse_arguments(argv), command="lanet-live")


def test_nothing_given_opens_the_window_on_the_first_camera() -> None:
    config = parse()
    assert config.export is None
    assert config.sources == (SourceConfig("camera", camera=0),)


def test_sources_of_every_kind_are_taken_in_one_run() -> None:
    config = parse(
        "--video", "a.mp4", "b.mov", "--images", "folder", "--camera", "Logi", "--camera-size",
        "1280x720", "--synthetic", "--export", "csv",
    )  # fmt: skip
    assert config.sources == (
        SourceConfig("video", path=Path("a.mp4")),
        SourceConfig("video", path=Path("b.mov")),
        SourceConfig("images", path=Path("folder")),
        SourceConfig("camera", camera="Logi", size_wh=(1280, 720)),
        SourceConfig("synthetic"),
    )


def test_a_camera_number_is_an_index() -> None:
    assert parse("--camera", "2").sources[0].camera == 2


def test_export_options_arrive() -> None:
    config = parse(
        "--video", "a.mp4", "--export", "csv", "plot", "csv", "--out", "r", "--overwrite",
        "--columns", "full", "--start", "2", "--duration", "3", "--every", "5",
    )  # fmt: skip
    export = config.export
    assert export is not None
    assert export.formats == ("csv", "plot")
    assert (export.out_dir, export.overwrite, export.columns) == (Path("r"), True, "full")
    assert (export.start_s, export.end_s, export.every_n) == (2.0, 5.0, 5)


def test_analysis_options_arrive() -> None:
    config = parse(
        "--model", "m.onnx", "--backend", "openvino", "--precision", "bf16", "--threads", "2",
        "--max-faces", "3", "--min-quality", "0.2", "--max-uncertainty", "0.9",
        "--disagreement", "--smooth", "0.5",
    )  # fmt: skip
    engine, estimator = config.engine, config.pipeline.estimator
    assert (engine.model_path, engine.backend) == (Path("m.onnx"), "openvino")
    assert (engine.precision, engine.threads, config.max_faces) == ("bf16", 2, 3)
    assert (estimator.min_quality, estimator.max_uncertainty) == (0.2, 0.9)
    assert estimator.with_disagreement
    assert config.pipeline.smoothing_s == 0.5


def test_smoothing_is_off_unless_asked_for_and_has_a_usual_strength() -> None:
    assert parse().pipeline.smoothing_s is None
    assert parse("--smooth").pipeline.smoothing_s == 0.25


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--vidoe", "a.mp4"], r"There is no option --vidoe; did you mean --video\?"),
        (["clip.mp4"], "name a file with --video clip.mp4"),
        (["--export", "xls", "--video", "a"], "invalid choice: 'xls'"),
        (["--export", "csv"], "Name what to analyse"),
        (["--images", "a", "--export", "plot"], "pictures have none; leave out plot"),
        (["--video", "a", "b"], "one source at a time; add --export"),
        (["--video", "a", "--out", "x"], "--out works together with --export"),
        (["--video", "a", "--start", "0"], "--start works together with --export"),
        (["--min-quality", "3"], "'3' is not a number from 0 to 1"),
        (["--max-uncertainty", "nan"], "'nan' is not a number from 0 to 1"),
        (["--duration", "0"], "'0' is not a number above 0"),
        (["--smooth", "-1"], "'-1' is not a number above 0"),
        (["--start", "inf"], "'inf' is not a time in seconds"),
        (["--max-faces", "0"], "not a whole number from 1 to 1000"),
        (["--camera-size", "big"], "'big' is not a size like 1280x720"),
    ],
)
def test_a_wrong_option_is_one_sentence(argv: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        parse(*argv)
    assert "\n" not in str(caught.value)


def test_the_prior_is_fitted_balanced_or_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("class,share\nneutral,0.25\nhappiness,0.75\n")
    assert parse().pipeline.prior == PriorConfig("fitted", "fitted")
    assert parse("--prior", "balanced").pipeline.prior == PriorConfig("balanced", "balanced")
    assert parse("--prior", str(path)).pipeline.prior == PriorConfig(
        "file", "mine.csv", (("neutral", 0.25), ("happiness", 0.75))
    )
    with pytest.raises(ConfigError, match="fitted, balanced or a file, and there is no file balan"):
        parse("--prior", "balan")
