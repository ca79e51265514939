"""A package of plug-ins, made of the code that docs/plugins.md shows, and installed by pip."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "plugins.md"
_PROJECT = re.compile(r"```toml\n# pyproject\.toml of your package\n(.*?)```", re.DOTALL)
_MODULE = re.compile(r"```python\n# (my_lab/\w+\.py).*?\n(.*?)```", re.DOTALL)
_BUILD_SYSTEM = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


def documented_files() -> dict[str, str]:
    """Return pyproject.toml and the modules of the package that the page shows."""
    page = PAGE.read_text(encoding="utf-8")
    (project,) = _PROJECT.findall(page)
    modules = dict(_MODULE.findall(page))
    return {"pyproject.toml": _BUILD_SYSTEM + project, "my_lab/__init__.py": "", **modules}


def write_package(files: Mapping[str, str], source: Path) -> Path:
    """Write the files of a package; returns its folder."""
    for name, text in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return source


def install(package: Path, target: Path) -> Path:
    """Install a wheel or a package's source into a folder, without the network; returns it."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    done = subprocess.run(
        [*pip, *offline, str(package)], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return target


def declare(target: Path, package: str, group: str, **parts: str) -> Path:
    """Write only the metadata of an installed package that offers parts; returns the folder."""
    info = target / f"{package.replace('-', '_')}-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n")
    lines = [f"[{group}]", *(f"{name} = {where}" for name, where in parts.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return target
