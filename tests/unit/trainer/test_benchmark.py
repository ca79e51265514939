"""Comparisons: which runs they are made of, resumption, and the tables."""

import json
from pathlib import Path

import pytest

from lanet_trainer.commands.main import main
from lanet_trainer.comparison.benchmark import (
    BUDGETS,
    GRID,
    Cell,
    CellResult,
    Option,
    grid_cells,
    make_config,
    table_cells,
)
from lanet_trainer.comparison.report import summarise, write_grid, write_table
from lanet_trainer.errors import ConfigError
from tests.prepared_sets import write_prepared

SEEDS = {"baseline": (0, 1), "lanet": (0,)}


def test_cells_are_methods_by_noise_by_seeds() -> None:
    cells = table_cells(
        "d",
        noises=["asymmetric:0.1", "asymmetric:0.3"],
        seeds_of=SEEDS,
        budget=BUDGETS["cpu"],
        options=[],
    )
    assert len(cells) == 6
    assert len({cell.name for cell in cells}) == 6
    assert {cell.config.batch_size for cell in cells} == {128}


def test_variant_of_a_method_is_a_column_of_its_own() -> None:
    columns = {"lanet": (0,), "lanet:use_landmarks=false": (0,), "lanet:size_px=32": (0,)}
    cells = table_cells("d", noises=["none"], seeds_of=columns, budget=BUDGETS["cpu"], options=[])
    assert [cell.column for cell in cells] == list(columns)
    assert [cell.config.settings for cell in cells] == [{}, {"use_landmarks": False}, {}]
    assert [cell.config.size_px for cell in cells] == [64, 64, 32]
    assert cells[1].name == "none-lanet_use_landmarks=false-seed0"
    with pytest.raises(ConfigError, match="METHOD:NAME=VALUE"):
        table_cells(
            "d", noises=["none"], seeds_of={"lanet:x": (0,)}, budget=BUDGETS["cpu"], options=[]
        )


def test_options_change_one_method_or_all() -> None:
    options = [
        Option.parse("*:epochs=3"),
        Option.parse("lanet:sampler=shuffle"),
        Option.parse("lanet:kl_weight=2"),
        Option.parse("*:label_smoothing=0.1"),
    ]
    made = {
        m: make_config("d", m, budget=BUDGETS["cpu"], options=options, seed=0, noise="none")
        for m in ("baseline", "lanet")
    }
    assert [made[m].epochs for m in made] == [3, 3]
    assert [made[m].sampler for m in made] == ["shuffle", "shuffle"]
    assert made["lanet"].settings == {"kl_weight": 2.0}
    assert made["baseline"].settings == {"label_smoothing": 0.1}


@pytest.mark.parametrize("text", ["epochs=3", "*:epochs", "nobody:epochs=3"])
def test_wrong_option_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Option.parse(text)


def test_wrong_value_or_name_is_refused() -> None:
    for text, message in (("*:epochs=x", "takes a number"), ("lanet:nope=1", "hyper-parameter")):
        with pytest.raises(ConfigError, match=message):
            make_config("d", "lanet", budget=BUDGETS["cpu"], options=[Option.parse(text)], seed=0)


def test_paper_budget_keeps_each_methods_recipe() -> None:
    eac = make_config("d", "eac", budget=BUDGETS["paper"], options=[], seed=0)
    assert (eac.batch_size, eac.learning_rate, eac.augment, eac.size_px) == (32, 1e-4, "eac", 224)


def test_grid_changes_one_hyper_parameter_at_a_time() -> None:
    cells = grid_cells("d", noise="asymmetric:0.2", seed=0, budget=BUDGETS["cpu"], options=[])
    assert len(cells) == sum(len(values) for values in GRID.values())
    assert all(list(cell.config.settings) == [cell.row] for cell in cells)


def _result(row: str, column: str, seed: int, accuracy: float) -> CellResult:
    config = make_config(
        "d", "baseline", budget=BUDGETS["cpu"], options=[], noise="none", seed=seed
    )
    return CellResult(
        cell=Cell(row, column, config),
        accuracy=dict.fromkeys(("last", "mean_of_last_5", "best"), accuracy),
        elapsed_s=1800.0,
        dataset="ferplus",
        labels=("a", "b"),
        initialisation="random",
        details={},
    )


def test_table_gives_mean_and_spread_beside_the_published_figures(tmp_path: Path) -> None:
    results = [
        _result("asymmetric:0.3", "baseline", 0, 0.70),
        _result("asymmetric:0.3", "baseline", 1, 0.72),
        _result("asymmetric:0.3", "lanet", 0, 0.80),
    ]
    path = write_table(results, tmp_path, title="T", budget=BUDGETS["cpu"], command="lanet-train x")
    text = path.read_text()
    assert "| asymmetric:0.3 | 71.00 ± 1.41 (2) | 80.00 (1) |" in text
    assert "| *published, 224 px, face pretraining* | 76.09 | 83.62 |" in text
    assert "Training time of all cells: 1.5 h" in text
    assert BUDGETS["cpu"].remark in text
    assert summarise(results)[0]["last"]["std"] == pytest.approx(0.01414, abs=1e-5)


def test_grid_is_drawn(tmp_path: Path) -> None:
    results = [_result("temperature", "0.1", 0, 0.7), _result("temperature", "0.2", 0, 0.8)]
    figure = write_grid(results, tmp_path, title="T", budget=BUDGETS["cpu"], command="x")
    assert figure.stat().st_size > 1000


def test_table1_runs_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_prepared(tmp_path / "tiny", sizes={"train": 40, "valid": 8})
    out = tmp_path / "bench"
    command = ["benchmark", "table1", "--dataset", str(data), "--out", str(out), "--quiet"]
    command += ["--budget", "smoke", "--methods", "baseline", "scn", "--rates", "0.2"]
    command += ["--noise", "symmetric", "--option", "*:workers=0"]
    assert main(command) == 0
    assert "2 of 2 cells are finished" in capsys.readouterr().out
    cell = out / "cells" / "symmetric_0.2-scn-seed0"
    before = (cell / "last.safetensors").stat().st_mtime_ns
    (out / "table.md").unlink()
    assert main(command) == 0
    assert (cell / "last.safetensors").stat().st_mtime_ns == before
    table = json.loads((out / "table.json").read_text())
    assert {row["column"] for row in table["cells"]} == {"baseline", "scn"}
    assert "not a result" in (out / "table.md").read_text()
    assert main([*command, "--option", "*:epochs=2"]) == 2
    assert "cannot be resumed" in capsys.readouterr().err
