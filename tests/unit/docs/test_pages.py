"""The project's pages stay true: the files they name exist, the pictures are those of the code."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.conftest import PROJECT_ROOT

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "examples/*.md", ".github/*.md")
    for path in PROJECT_ROOT.glob(pattern)
)
# What a page calls a path: in backquotes, below one of the project's folders.
_PATH = re.compile(
    r"`((?:lanet_live|engines|trainer|tests|docs|scripts|benchmarks|examples|assets)/[^`\s*]*)`"
)
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_TEST = re.compile(r"pytest (tests/\S+)")


def named_paths(text: str) -> list[str]:
    return [*_PATH.findall(text), *_TEST.findall(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [name for name in named_paths(text) if not (PROJECT_ROOT / name).exists()]
    links = [link for link in _LINK.findall(text) if "://" not in link]
    missing += [link for link in links if not (page.parent / link).exists()]
    assert not missing


def test_a_missing_file_is_noticed() -> None:
    assert named_paths("see `lanet_live/nowhere.py` and `pip install x`") == [
        "lanet_live/nowhere.py"
    ]
    assert named_paths("python -m pytest tests/unit/nothing.py -x") == ["tests/unit/nothing.py"]


@pytest.mark.parametrize(
    ("question", "file", "proof"),
    [
        ("a CSV column", "lanet_live/sinks/table.py", 'Column("face_id"'),
        ("the marker keys", "lanet_live/gui/live/actions.py", "N_MARKERS: Final"),
        ("when faces are searched", "lanet_live/face/schedule.py", "COARSE_INTERVAL_S: Final"),
        ("an export format", "lanet_live/config.py", "EXPORT_FORMATS: Final"),
        (
            "the calibration",
            "trainer/lanet_trainer/evaluation/calibration.py",
            "def fit_temperature",
        ),
    ],
)
def test_the_table_of_changes_names_the_right_file(question: str, file: str, proof: str) -> None:
    page = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| {question}"))
    assert f"`{file}`" in row
    assert proof in (PROJECT_ROOT / file).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def layer_picture() -> ModuleType:
    path = PROJECT_ROOT / "scripts" / "layer_picture.py"
    spec = importlib.util.spec_from_file_location("layer_picture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_of_the_layers_are_up_to_date(layer_picture: ModuleType) -> None:
    page = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert layer_picture.with_pictures(page) == page, "run: python scripts/layer_picture.py"


def test_arrows_that_follow_from_others_are_left_out(layer_picture: ModuleType) -> None:
    arrows = {"top": {"middle", "low"}, "middle": {"low"}, "low": set()}
    assert layer_picture.reduce_arrows(arrows) == {
        "top": {"middle"},
        "middle": {"low"},
        "low": set(),
    }
    with pytest.raises(ValueError, match="by way of others"):
        layer_picture.reduce_arrows({"a": {"b"}, "b": {"a"}})


def test_the_hooks_are_the_linters_of_make_lint() -> None:
    config = yaml.safe_load((PROJECT_ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [
        hook["entry"].removeprefix(".venv/bin/")
        for repo in config["repos"]
        for hook in repo["hooks"]
    ]
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.partition("\nlint:")[2].partition("\n\n")[0]
    commands = [
        line.strip().removeprefix("$(BIN)/") for line in recipe.splitlines()[1:] if line.strip()
    ]
    assert hooks == commands
    assert len(hooks) == 4


def test_licence_version_and_citation_agree() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    citation = yaml.safe_load((PROJECT_ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (PROJECT_ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["license"] == citation["license"] == "Apache-2.0"
    assert project["version"] == citation["version"]
    assert f"## [{project['version']}] - {citation['date-released']}" in changelog
    assert "Version 2.0, January 2004" in (PROJECT_ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path", sorted((PROJECT_ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name
)
def test_issue_forms_ask_something(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name == "config.yml":
        assert form == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= set(form)
    questions = [item for item in form["body"] if item["type"] != "markdown"]
    assert questions
    assert all({"id", "attributes"} <= set(item) for item in questions)
