"""The short training of `scripts/train_ten_minutes.py`, shorter still."""

import json
from pathlib import Path

from lanet_engines.onnx_model.file import read_model_file
from lanet_trainer.commands.main import main
from scripts.train_ten_minutes import Recipe, commands, parse_arguments
from tests.prepared_sets import LABELS, write_prepared


def test_every_step_runs_and_ends_in_a_model_and_its_figures(tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "data", sizes={"train": 40, "valid": 16})
    recipe = Recipe("test_resnet", None, size_px=32, n_train=32, epochs=2, batch_size=16, threads=1)
    out = tmp_path / "out"
    steps = commands(data, out, recipe)
    assert [words[0] for words in steps] == ["fit", "export", "evaluate"]
    for words in steps:
        assert main(words) == 0
    spec = read_model_file(out / "model.onnx").spec
    assert (spec.name, spec.labels, spec.ensemble) == ("ten-minutes", LABELS, "mirror")
    assert spec.provenance["run"]["n_train"] == 32
    report = json.loads((out / "valid.json").read_text())
    assert report["readings"]["4 classes"]["n_images"] == 16


def test_the_data_set_as_distributed_is_prepared_first(tmp_path: Path) -> None:
    steps = commands(tmp_path / "FERPlus.zip", tmp_path / "out", Recipe())
    assert [words[0] for words in steps] == ["prepare", "fit", "export", "evaluate"]
    prepared = steps[0][steps[0].index("--out") + 1]
    for words in steps[1:]:
        assert prepared in words


def test_the_options_default_to_the_recipe() -> None:
    args, recipe = parse_arguments(["data"]), Recipe()
    given = (args.size, args.n_train, args.epochs, args.threads)
    assert given == (recipe.size_px, recipe.n_train, recipe.epochs, recipe.threads)
