"""The wheel: what it installs, and that it stands beside packages named `trainer` and `engines`."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import PROJECT_ROOT
from tests.dataset_files import write_picture
from tests.plugin_package import install, write_package

pytestmark = pytest.mark.slow

# As PyPI's `trainer` does, it installs a module of that name; and one more.
_OTHER = {
    "pyproject.toml": (
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "trainer"\nversion = "9.9"\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["trainer", "engines"]\n'
    ),
    "trainer/__init__.py": 'OWNER = "somebody else"\n',
    "engines/__init__.py": 'OWNER = "somebody else"\n',
}
_WHOSE = (
    "import engines, trainer, lanet_engines, lanet_live, lanet_trainer\n"
    "assert trainer.OWNER == engines.OWNER == 'somebody else'\n"
    "for package in (lanet_engines, lanet_live, lanet_trainer): print(package.__file__)"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=PROJECT_ROOT,
        check=True,
        capture_output=True,
        timeout=240,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_projects_own_names_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        about = archive.read(metadata).decode()
    info = metadata.partition("/")[0]
    assert {name.partition("/")[0] for name in names} == {
        "lanet_engines", "lanet_live", "lanet_trainer", info
    }  # fmt: skip
    assert f"{info}/licenses/LICENSE" in names
    assert "License-Expression: Apache-2.0" in about
    assert "lanet_live/_assets/models/lanet-live.onnx" in names


def test_both_commands_work_beside_a_package_named_trainer(
    wheel: Path, model_path: Path, demo_clip: Path, tmp_path: Path
) -> None:
    site = install(wheel, tmp_path / "site")
    install(write_package(_OTHER, tmp_path / "other"), site)

    def run(*words: str | Path) -> str:
        done = subprocess.run(
            list(map(str, words)),
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    for file in run(sys.executable, "-c", _WHOSE).split():
        assert Path(file).is_relative_to(site)
    options = ["--export", "csv", "--duration", "0.2", "--model", model_path, "--quiet"]
    run(site / "bin" / "lanet-live", "--video", demo_clip, "--out", tmp_path / "out", *options)
    assert (tmp_path / "out" / "demo.csv").is_file()
    for name in ("happiness", "sadness"):
        write_picture(tmp_path / "faces" / name / "a.png")
    places = ["--root", tmp_path / "faces", "--out", tmp_path / "data", "--processes", "1"]
    told = run(site / "bin" / "lanet-train", "prepare", "folder", *places)
    assert "train: 2 pictures" in told
