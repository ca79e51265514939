"""Fixtures shared by all tests."""

import importlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.tiny_model import write_tiny_model

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Started in the background of a script, Python ignores Ctrl-C, and tests that send it would wait.
signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with the clips and data some tests read; they are skipped where it is absent."""
    path = Path(os.environ.get("LANET_SHARED", PROJECT_ROOT.parent / "shared"))
    if not path.is_dir():
        pytest.skip("the folder with the shared clips and data is not here (set LANET_SHARED)")
    return path


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real ONNX model of 8 classes for 32-px grey crops, with seeded random weights."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="session")
def loopback_lsl(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The package pylsl, kept to this machine: its streams are not seen elsewhere."""
    path = tmp_path_factory.mktemp("lsl") / "lsl_api.cfg"
    path.write_text(
        "[multicast]\nResolveScope = machine\nListenAddress = 127.0.0.1\n[log]\nlevel = -3\n"
    )
    # Read by the library when it is first used in this process.
    os.environ["LSLAPICFG"] = str(path)
    try:
        return importlib.import_module("pylsl")
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"pylsl or liblsl is not installed: {error}")


@pytest.fixture(autouse=True)
def _no_thread_left_behind() -> Iterator[None]:
    """Fail a test that leaves one of the application's threads running."""
    yield
    alive = [t.name for t in threading.enumerate() if t.name.startswith("lanet-") and t.is_alive()]
    assert not alive, f"threads left running: {alive}"
