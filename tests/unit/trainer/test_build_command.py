from pathlib import Path

import numpy as np
import pytest

from lanet_engines.building.parity import make_probe_crops
from lanet_engines.errors import EngineBuildError
from lanet_engines.registry import open_engine
from lanet_engines.storage.artefact import read_artefact
from lanet_trainer.commands.build import parse_gpus
from lanet_trainer.commands.main import main
from tests.tiny_model import tiny_spec


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "lanet_engines.storage.cache.default_cache_folder", lambda: tmp_path / "cache"
    )


def test_families_and_capabilities_can_be_mixed() -> None:
    assert parse_gpus(None) == ()
    assert parse_gpus("turing, Ada,sm120,sm89") == ("sm75", "sm89", "sm120")
    with pytest.raises(EngineBuildError, match="no GPU family 'voodoo'"):
        parse_gpus("voodoo")


def test_openvino_engine_is_built_reported_and_opens(
    tmp_path: Path, tiny_model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "crops.npy", make_probe_crops(tiny_spec(), n=20))
    arguments = ["build", str(tiny_model_path), "--target", "openvino", "-o", str(tmp_path / "out")]
    arguments += ["--crops", str(tmp_path / "crops.npy"), "--max-batch", "4"]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    assert "batch 1..4: built in" in first
    assert "top-1 100.00% on 20 crops (crops.npy)" in first
    folder = tmp_path / "out" / "tiny-openvino-fp32"
    assert (folder / "parity.json").is_file()
    assert read_artefact(folder).max_batch == 4
    engine = open_engine(folder)
    assert engine.info.backend == "openvino"
    engine.close()
    assert main(arguments) == 0
    assert "found in the cache" in capsys.readouterr().out


def test_all_targets_report_those_that_cannot_be_built(
    tmp_path: Path, tiny_model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["build", str(tiny_model_path), "--precision", "bf16", "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "onnxruntime  not built: ONNX Runtime engines are fp32 here, not bf16." in output
    assert "tensorrt     not built:" in output
    assert "openvino     bf16" in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Name the model to build"),
        (["{model}", "--target", "onnxruntime", "--precision", "fp16"], "fp32 here, not fp16"),
        (["{model}", "--gpu", "voodoo"], "no GPU family 'voodoo'"),
        (["{model}", "--max-batch", "0"], "--max-batch must lie in 1..1024"),
        (["{model}", "--target", "openvino", "--precision", "int8"], "--calibration"),
        (["{model}.absent"], "no model file"),
        (["{model}", "--crops", "/nowhere.npy"], "cannot be read"),
    ],
)
def test_refusals_are_one_sentence_and_exit_code_2(
    tmp_path: Path,
    tiny_model_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    filled = [part.replace("{model}", str(tiny_model_path)) for part in arguments]
    assert main(["build", *filled, "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_cache_is_cleared_on_request(
    tmp_path: Path, tiny_model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    main(["build", str(tiny_model_path), "--target", "onnxruntime", "-o", out])
    capsys.readouterr()
    assert main(["build", "--clear-cache"]) == 0
    assert capsys.readouterr().out.startswith("Removed 0.0 MB of built engines from ")
    assert not list((tmp_path / "cache").glob("*/"))
    assert (tmp_path / "out" / "tiny-onnxruntime-fp32").is_dir()
