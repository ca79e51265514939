"""Comparisons: which runs they are made of, resumption, and the tables."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lanet_trainer.commands.main import main
from lanet_trainer.comparison.benchmark import READINGS, CellResult
from lanet_trainer.comparison.cells import (
    BUDGETS,
    GRID,
    Cell,
    Option,
    grid_cells,
    make_config,
    table_cells,
)
from lanet_trainer.comparison.paired import compare_paired
from lanet_trainer.comparison.report import summarise, write_grid, write_table
from lanet_trainer.errors import ConfigError
from lanet_trainer.training.run_folder import RunFacts
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
    assert (eac.batch_size, eac.augment, eac.size_px, eac.color) == (32, "eac", 224, "rgb")


def test_grid_changes_one_hyper_parameter_at_a_time() -> None:
    cells = grid_cells("d", noise="asymmetric:0.2", seed=0, budget=BUDGETS["cpu"], options=[])
    assert len(cells) == sum(len(values) for values in GRID.values())
    assert all(list(cell.config.settings) == [cell.row] for cell in cells)


def _result(
    row: str, column: str, seed: int, accuracy: float, *, split: str = "test", **changes: Any
) -> CellResult:
    options = [Option("*", name, str(value)) for name, value in changes.items()]
    config = make_config(
        "some/where/d", column, budget=BUDGETS["cpu"], options=options, noise=row, seed=seed,
        holdout=0.1, report_split=split,
    )  # fmt: skip
    figures = {"accuracy": accuracy, "mean_class_accuracy": accuracy / 2, "recall_a": 0.25}
    facts = RunFacts(
        dataset="ferplus", labels=("a", "b"), n_train=24_000, n_valid=2_500,
        initialisation="random", noise={}, is_trained_on_valid=False, n_processes=1, command="",
    )  # fmt: skip
    return CellResult(
        cell=Cell(row, column, config),
        figures=dict.fromkeys(READINGS, figures),
        curve=(accuracy / 2, accuracy),
        elapsed_s=1800.0,
        facts=facts,
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
    assert summarise(results)[0]["last"]["accuracy"]["std"] == pytest.approx(0.01414, abs=1e-5)


def test_grid_is_drawn(tmp_path: Path) -> None:
    results = [
        dataclasses.replace(result, cell=dataclasses.replace(result.cell, row="temperature"))
        for result in (_result("none", "scn", 0, 0.7), _result("none", "rul", 0, 0.8))
    ]
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


@pytest.mark.parametrize(
    ("backbone", "rate"), [("resnet18", 2e-4), ("resnet50", 1e-4)], ids=["ResNet-18", "ResNet-50"]
)
def test_paper_budget_takes_eacs_rate_for_the_backbone(backbone: str, rate: float) -> None:
    options = [Option.parse(f"*:backbone={backbone}")]
    assert make_config("d", "eac", budget=BUDGETS["paper"], options=options).learning_rate == rate


def test_paper_budget_mirrors_eacs_view_exactly_on_clean_labels_only() -> None:
    clean, noisy = (
        make_config("d", "eac", budget=BUDGETS["paper"], options=[], noise=noise)
        for noise in ("none", "symmetric:0.2")
    )
    assert clean.settings == {"view": "mirror_exact"}
    assert noisy.settings == {}


def test_paper_budget_trains_baseline_by_the_protocol_of_its_rival() -> None:
    columns = {"baseline": (0,), "baseline:recipe=eac": (0,), "lanet": (0,), "eac": (0,)}
    cells = table_cells("d", noises=["none"], seeds_of=columns, budget=BUDGETS["paper"], options=[])
    by_column = {cell.column: cell.config for cell in cells}
    for column, rival in (("baseline", "lanet"), ("baseline:recipe=eac", "eac")):
        for name in ("epochs", "batch_size", "learning_rate", "schedule", "sampler", "augment"):
            assert getattr(by_column[column], name) == getattr(by_column[rival], name), name
        assert by_column[column].method == "baseline"
    with pytest.raises(ConfigError, match="for baseline, under the paper budget"):
        make_config("d", "scn", budget=BUDGETS["paper"], options=[Option.parse("scn:recipe=eac")])


def test_normalisation_is_that_of_the_initialisation(tmp_path: Path) -> None:
    path = tmp_path / "faces.safetensors"
    save_file(
        {"x": torch.zeros(1)},
        path,
        metadata={"normalisation": '{"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}'},
    )
    options = [Option.parse(f"*:pretrained={path}")]
    config = make_config("d", "scn", budget=BUDGETS["paper"], options=options)
    assert (config.mean, config.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_every_setting_in_which_cells_differ_is_told(tmp_path: Path) -> None:
    results = [
        _result("none", "baseline", 0, 0.7),
        _result("none", "lanet", 0, 0.8, sampler="shuffle", epochs=4, queue_size=2048),
    ]
    text = write_table(results, tmp_path, title="T", budget=BUDGETS["cpu"], command="c").read_text()
    assert "| sampler | shuffle | shuffle |" not in text  # equal here, so among the common ones
    assert "sampler shuffle" in text
    assert "| epochs | 16 | 4 |" in text
    assert "| lanet.queue_size | – | 2048 |" in text
    assert "24,000 training images, epochs chosen on 2,500 images set aside" in text
    settings = json.loads((tmp_path / "table.json").read_text())["settings"]
    assert settings["none-lanet-seed0"]["sampler"] == "shuffle"
    assert settings["none-lanet-seed0"]["epochs"] == 4
    assert "some/where" not in (tmp_path / "table.json").read_text()


def test_paper_budget_states_what_each_method_really_used(tmp_path: Path) -> None:
    cells = table_cells(
        "d", noises=["none"], seeds_of={"scn": (0,), "slm-aea": (0,)}, budget=BUDGETS["paper"],
        options=[], fixed={"holdout": 0.1, "report_split": "test"},
    )  # fmt: skip
    results = [
        dataclasses.replace(_result("none", cell.column, 0, 0.5), cell=cell) for cell in cells
    ]
    text = write_table(
        results, tmp_path, title="T", budget=BUDGETS["paper"], command=""
    ).read_text()
    assert "| batch_size | 64 | 72 |" in text
    assert "| augment | scn | slm |" in text
    assert "| schedule | exp | cosine |" in text
    assert "color rgb" in text


def test_published_figures_stand_apart_where_another_split_was_measured(tmp_path: Path) -> None:
    results = [_result("asymmetric:0.3", "lanet", 0, 0.8, split="valid")]
    text = write_table(results, tmp_path, title="T", budget=BUDGETS["cpu"], command="c").read_text()
    first, _, apart = text.partition("## Published accuracy (%)")
    assert "83.62" not in first
    assert "83.62" in apart
    assert "of the **test** split" in apart


def test_table_has_mean_class_accuracy_recalls_and_a_paired_test(tmp_path: Path) -> None:
    results = [
        _result("none", column, seed, accuracy)
        for column, accuracies in (("scn", (0.70, 0.72)), ("lanet", (0.75, 0.79)))
        for seed, accuracy in enumerate(accuracies)
    ]
    text = write_table(results, tmp_path, title="T", budget=BUDGETS["cpu"], command="c").read_text()
    assert "## Mean class accuracy (%), last epoch" in text
    assert "| a | 25.00 ± 0.00 (2) | 25.00 ± 0.00 (2) |" in text
    assert "- none: lanet less scn +6.00 ± 1.41 (2 seeds, p = 0.105)" in text
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_paired_comparison_uses_the_seeds_both_have() -> None:
    found = compare_paired({0: 0.5, 1: 0.6, 2: 0.9}, {1: 0.5, 0: 0.5})
    assert found is not None
    assert (found.n_seeds, found.mean) == (2, pytest.approx(0.05))
    assert compare_paired({0: 1.0}, {1: 1.0}) is None


def _table1(data: Path, out: Path, *more: str) -> list[str]:
    command = ["benchmark", "table1", "--data", str(data), "--out", str(out), "--quiet"]
    command += ["--budget", "smoke", "--methods", "baseline", "--rates", "0.2", "--noise"]
    return [*command, "symmetric", "--option", "*:workers=0", *more]


def test_data_without_a_validation_split_is_measured_on_its_test_split(tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "tiny", sizes={"train": 40, "test": 12})
    out = tmp_path / "bench"
    assert main(_table1(data, out)) == 0
    text = (out / "table.md").read_text()
    assert "36 training images, epochs chosen on 4 images set aside" in text
    assert "measured on its test split" in text


@pytest.mark.parametrize(
    ("sizes", "more", "message"),
    [
        ({"train": 40}, (), "has no split test or valid to compare on"),
        ({"train": 40, "valid": 8}, ("--split", "test"), "has no split test to compare on"),
        ({"train": 40, "valid": 8}, ("--option", "*:augment=nope"), "--augment must be one of"),
        ({"train": 40, "valid": 8}, ("--option", "*:backbone=nope"), "nope"),
        ({"train": 40, "valid": 8}, ("--option", "*:sampler=nope"), "nope"),
        ({"train": 40, "valid": 8}, ("--option", "*:n_train=999"), "asks for more than"),
        (
            {"train": 40, "valid": 8},
            ("--methods", "baseline", "eac", "--option", "eac:augment=none"),
            "erases nothing",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_epoch(
    sizes: dict[str, int],
    more: tuple[str, ...],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = write_prepared(tmp_path / "tiny", sizes=sizes)
    out = tmp_path / "bench"
    assert main(_table1(data, out, *more)) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_cells_cannot_see_the_split_the_table_is_about(tmp_path: Path) -> None:
    """Two data sets that differ in the labels of that split alone give the same networks."""
    weights = []
    for name in ("as it is", "shuffled"):
        data = write_prepared(tmp_path / name, sizes={"train": 40, "valid": 12})
        samples = data / "valid" / "samples.csv"
        if name == "shuffled":
            head, *rows = samples.read_text().splitlines()
            moved = [row.split(",")[:2] for row in rows]
            rest = [row.split(",")[2:] for row in (rows[1:] + rows[:1])]
            lines = [",".join(a + b) for a, b in zip(moved, rest, strict=True)]
            samples.write_text("\n".join([head, *lines]) + "\n")
        out = tmp_path / f"bench {name}"
        assert main(_table1(data, out, "--option", "*:epochs=3")) == 0
        cell = out / "cells" / "symmetric_0.2-baseline-seed0"
        result = json.loads((cell / "result.json").read_text())
        kept = {k: v for k, v in result["best"].items() if not k.startswith(("report_", "elapsed"))}
        weights.append((load_file(cell / "best.safetensors"), kept, result["best"]["report_js"]))
    (first, best, js), (second, other_best, other_js) = weights
    assert best == other_best
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert js != other_js  # the split was measured, and was another one


def test_a_table_of_fewer_classes_leaves_one_out(tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "tiny", sizes={"train": 40, "valid": 12})
    out = tmp_path / "bench"
    assert main(_table1(data, out, "--option", "*:without=sad", "--option", "*:batch_size=16")) == 0
    text = (out / "table.md").read_text()
    assert "3 classes (neutral, happiness, surprise)" in text
    assert "27 training images, epochs chosen on 3 images" in text
    assert "without sadness" in text


def test_noise_seed_draws_one_noise_for_all_seeds(tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "tiny", sizes={"train": 40, "valid": 12})
    hashes = []
    for more in ((), ("--noise-seed", "5")):
        out = tmp_path / f"bench{len(more)}"
        assert main(_table1(data, out, "--seeds", "0", "1", *more)) == 0
        cells = [out / "cells" / f"symmetric_0.2-baseline-seed{seed}" for seed in (0, 1)]
        runs = [json.loads((cell / "run.json").read_text()) for cell in cells]
        hashes.append(len({run["noise"]["hash"] for run in runs}))
    assert hashes == [2, 1]
