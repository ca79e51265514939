"""Real clips and a real, tiny model for running the program as a user does."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lanet_live.command.main import main
from lanet_live.face.template import TEMPLATE_ID
from tests.conftest import PROJECT_ROOT
from tests.tiny_model import tiny_spec, write_tiny_model


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of the program left: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


RunProgram = Callable[..., Ran]


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model for this version's crops."""
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    return write_tiny_model(path, tiny_spec(alignment=TEMPLATE_ID, ensemble="mirror"))


@pytest.fixture
def run_program(model_path: Path, capfd: pytest.CaptureFixture[str]) -> RunProgram:
    """Run `lanet-live` in this process, with the tiny model unless `model` says otherwise."""

    def run(*argv: str | Path, model: Path | None = None) -> Ran:
        capfd.readouterr()
        code = main([*map(str, argv), "--model", str(model or model_path)])
        return Ran(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def demo_clip() -> Path:
    """The clip with a real face that ships with the program."""
    return PROJECT_ROOT / "assets" / "demo.mp4"
