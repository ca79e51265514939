"""Python in a process of its own, as a user starts it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT_ROOT


def run_python(
    *arguments: str | Path, beside: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the interpreter with the project's packages, and those in one more folder."""
    folders = [PROJECT_ROOT, PROJECT_ROOT / "engines", PROJECT_ROOT / "trainer"]
    folders += [] if beside is None else [beside]
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))},
    )
