"""Engines, methods, data sets and backbones of other packages, used from the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.child_process import run_python
from tests.dataset_files import write_lines, write_picture
from tests.plugin_package import declare, documented_files, install, write_package
from tests.prepared_sets import write_prepared

LIVE = ("-m", "lanet_live")
TRAIN = ("-m", "lanet_trainer.commands.main")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that docs/plugins.md shows, installed beside the project."""
    folder = tmp_path_factory.mktemp("plugins")
    return install(write_package(documented_files(), folder / "source"), folder / "site")


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_engine_runs_a_clip_with_the_numbers_of_our_own(
    installed: Path, demo_clip: Path, model_path: Path, tmp_path: Path
) -> None:
    tables = {}
    for engine in ("my-runtime", "openvino"):
        out = tmp_path / engine
        options = ["--export", "csv", "--out", out, "--model", model_path, "--engine", engine]
        done = run_python(
            *LIVE, "--video", demo_clip, "--duration", "0.3", *options, "--quiet", beside=installed
        )
        assert done.returncode == 0, done.stderr
        tables[engine] = _table(out / "demo.csv")
    facts = json.loads((tmp_path / "my-runtime" / "demo.metadata.json").read_text())
    assert facts["engine"]["backend"] == "my-runtime"
    for own, other in zip(tables["openvino"], tables["my-runtime"], strict=True):
        assert own["success"] == other["success"] == "1"
        assert float(own["happiness"]) == pytest.approx(float(other["happiness"]), abs=1e-4)


@pytest.mark.slow
def test_a_method_and_a_backbone_train_evaluate_and_export(installed: Path, tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "data", sizes={"train": 32, "valid": 16})
    fixed = ["--size", "32", "--workers", "0", "--batch-size", "16", "--epochs", "1", "--quiet"]
    parts = ["--method", "focal", "--set", "gamma=1.5", "--backbone", "my_net"]
    run = tmp_path / "run"
    done = run_python(*TRAIN, "fit", "--data", data, "--out", run, *parts, *fixed, beside=installed)
    assert done.returncode == 0, done.stderr
    config = json.loads((run / "config.json").read_text())
    assert (config["method"], config["backbone"]) == ("focal", "my_net")
    assert config["settings"] == {"gamma": 1.5}
    model = tmp_path / "focal.onnx"
    done = run_python(*TRAIN, "export", run, "-o", model, beside=installed)
    assert done.returncode == 0, done.stderr
    assert model.is_file()


def test_a_data_set_is_prepared(installed: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "faces" / "list.txt", "a.png 0", "b.png 1")
    for name in ("a", "b"):
        write_picture(tmp_path / "faces" / "pictures" / f"{name}.png")
    places = ["--root", tmp_path / "faces", "--out", tmp_path / "out", "--processes", "1"]
    done = run_python(*TRAIN, "prepare", "my-faces", *places, beside=installed)
    assert done.returncode == 0, done.stderr
    assert "train: 2 pictures" in done.stdout
    record = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert (record["name"], record["labels"]) == ("my-faces", ["calm", "glad"])
    assert np.load(tmp_path / "out" / "train" / "landmarks.npy").shape == (2, 478, 2)


def test_help_and_refusals_name_what_is_installed(installed: Path, tmp_path: Path) -> None:
    fit = run_python(*TRAIN, "fit", "--help", beside=installed)
    assert "focal" in fit.stdout
    prepare = run_python(*TRAIN, "prepare", "--help", beside=installed)
    assert "added by my-lab 1.0" in prepare.stdout
    options = ["--export", "csv", "--out", tmp_path, "--engine", "nope"]
    live = run_python(*LIVE, "--video", "x.mp4", *options, beside=installed)
    assert live.returncode == 2
    assert "tensorrt, openvino, onnxruntime, my-runtime." in live.stderr


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Installed packages, each with a part that fails in a way of its own."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "raises_on_import.py").write_text("raise RuntimeError('no\\nluck')\n")
    (site / "exits_on_import.py").write_text("import sys; sys.exit(3)\n")
    (site / "other_things.py").write_text(
        "def read(files): raise KeyError('list')\n"
        "def listing(files): return {}\n"
        "class Engine: pass\n"
        "def probe(): return '1', ('CPU',)\n"
        "def open_model(model, options): return Engine()\n"
    )
    for group in ("lanet_live.engines", "lanet_train.methods", "lanet_train.datasets"):
        declare(
            site,
            f"bad-{group.rpartition('.')[2]}",
            group,
            raises="raises_on_import",
            exits="exits_on_import",
            missing="not_there_at_all",
            other="other_things:read",
            half="other_things",
            empty="other_things:listing",
        )
    declare(site, "bad-backbones", "lanet_train.backbones", idle_net="other_things")
    declare(site, "twin-a", "lanet_live.engines", twin="other_things", openvino="other_things")
    declare(site, "twin-b", "lanet_live.engines", twin="other_things")
    return site


def _is_one_sentence(stderr: str) -> bool:
    return "Traceback" not in stderr and len(stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("engine", "sentence"),
    [
        ("raises", "'raises' of the package bad-engines 0.1 cannot be loaded (RuntimeError: no)"),
        ("exits", "'exits' of the package bad-engines 0.1 cannot be loaded (SystemExit: 3)"),
        ("missing", "of the package bad-engines 0.1 cannot be loaded (ModuleNotFoundError"),
        ("other", "of the package bad-engines 0.1 is no engine"),
        ("half", "of the package bad-engines 0.1 opened no engine (AttributeError"),
        ("twin", "The packages twin-a 0.1 and twin-b 0.1 both add 'twin'"),
    ],
)
def test_a_broken_engine_is_one_sentence(
    broken: Path, demo_clip: Path, model_path: Path, tmp_path: Path, engine: str, sentence: str
) -> None:
    options = ["--export", "csv", "--out", tmp_path / "out", "--model", model_path]
    done = run_python(
        *LIVE, "--video", demo_clip, *options, "--engine", engine, "--quiet", beside=broken
    )
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert _is_one_sentence(done.stderr)


def test_broken_engines_neither_break_the_doctor_nor_replace_ours(
    broken: Path, model_path: Path
) -> None:
    done = run_python(*LIVE, "--doctor", "--json", "--model", model_path, beside=broken)
    findings = json.loads(done.stdout)
    backends = [(found["name"], found["works"]) for found in findings["backends"]]
    assert dict(backends[:3])["openvino"] is True
    assert len(backends) == 3 + 6 + 3
    assert not any(works for _, works in backends[3:])
    reasons = " ".join(found["reason"] for found in findings["backends"][3:])
    assert "bad-engines 0.1" in reasons
    assert "'openvino' of the package twin-a 0.1 has the name of an engine" in reasons


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fit", "--method", "raises"], "of the package bad-methods 0.1 cannot be loaded"),
        (["fit", "--method", "half"], "bad-methods 0.1 is no MethodEntry but a module"),
        (["fit", "--backbone", "idle_net"], "bad-backbones 0.1 registers no timm model"),
        (["prepare", "other"], "bad-datasets 0.1 cannot read the data set (KeyError: 'list')"),
        (["prepare", "exits"], "bad-datasets 0.1 cannot be loaded (SystemExit: 3)"),
        (["prepare", "empty"], "bad-datasets 0.1 returned no DatasetListing but a dict"),
    ],
)
def test_a_broken_part_of_the_trainer_is_one_sentence(
    broken: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    data = write_prepared(tmp_path / "data", sizes={"train": 16, "valid": 8})
    if arguments[0] == "fit":
        arguments = [*arguments, "--data", str(data), "--size", "32", "--batch-size", "8"]
    else:
        arguments = [*arguments, "--root", str(data)]
    done = run_python(*TRAIN, *arguments, "--out", tmp_path / "out", "--quiet", beside=broken)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert _is_one_sentence(done.stderr)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (LIVE, ["--help"]),
        (TRAIN, ["--help"]),
        (TRAIN, ["fit", "--help"]),
        (TRAIN, ["prepare", "-h"]),
    ],
)
def test_help_survives_broken_packages(
    broken: Path, command: tuple[str, ...], arguments: list[str]
) -> None:
    damaged = broken / "damaged-1.dist-info"
    damaged.mkdir()
    (damaged / "METADATA").write_text("Metadata-Version: 2.1\nName: damaged\nVersion: 1\n")
    (damaged / "entry_points.txt").write_text("[lanet_train.datasets]\nno equals sign\n")
    done = run_python(*command, *arguments, beside=broken)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
