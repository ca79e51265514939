import importlib.util
import os
import subprocess
import sys

import pytest

from lanet_engines.usage_reports import KEPT_BACK
from tests.conftest import PROJECT_ROOT


def test_every_program_sets_the_switches_by_importing_the_package() -> None:
    assert "openvino_telemetry" in sys.modules  # set by tests/conftest.py's own imports
    assert importlib.util.find_spec("openvino_telemetry") is None
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert os.environ["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize("module", ["lanet_live.command.main", "lanet_trainer.commands.main"])
def test_a_command_sets_them_before_any_library_is_loaded(module: str) -> None:
    libraries = [kept.library for kept in KEPT_BACK]
    code = (
        f"import {module}, os, sys; assert not set({libraries!r}) & set(sys.modules);"
        "print(sys.modules['openvino_telemetry'], os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    # A user's own setting does not bring the reports back.
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=PROJECT_ROOT, env=environment, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["None", "1"]
