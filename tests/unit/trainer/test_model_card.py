"""The model card's figures come from the reports, and only from those of this model."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lanet_engines.onnx_model.file import read_model_file
from lanet_trainer.errors import ConfigError
from lanet_trainer.evaluation.model_card import BEGIN, END, Measured, replace_figures, write_figures
from scripts import model_card as script
from tests.tiny_model import LABELS, tiny_spec, write_tiny_model

OFFSETS = [-0.25, *[0.05] * (len(LABELS) - 1)]
CARD = f"# Card\n\n{BEGIN}\nold\n{END}\n\nBy hand.\n"


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def evaluation(accuracy: float = 0.9, *, n_images: int = 100) -> dict[str, Any]:
    counts = [[0] * (len(LABELS) + 1) for _ in LABELS]
    for i, row in enumerate(counts):
        row[i] = 10
    counts[3][0] = 7
    reading = {
        "n_images": n_images,
        "n_missed_faces": 4,
        "metrics": {
            name: figure(accuracy - 0.01 * i)
            for i, name in enumerate(("accuracy", "macro_f1", "js", "aurc", "ece"))
        },
        "recall": {label: {"n_images": 12, **figure(0.5)} for label in LABELS},
        "confusion": {"labels": list(LABELS), "counts": counts},
    }
    return {
        "dataset": "tiny",
        "split": "valid",
        "label_rule": "majority",
        "n_sampled": None,
        "readings": {"7 classes": {**reading, "n_images": 90}, "8 classes": reading},
        "copies": {"of_split": "train", "images": {"a": "b"}},
    }


def reliability() -> dict[str, Any]:
    outcome = {"coverage": 0.7, "error": 0.08, "error_of_all": 0.18}
    curves = {name: {"aurc": 0.05} for name in ("random", "uncertainty", "quality")}
    return {
        "n_pictures": 100,
        "n_trials": 200,
        "n_missed": 9,
        "curves": dict.fromkeys(("all", "clean", "spoiled"), curves),
        "thresholds": {
            **outcome,
            "by_part": {"clean": outcome, "spoiled": outcome},
            "chosen_on_one_half_measured_on_the_other": outcome,
        },
    }


@pytest.fixture
def model(tmp_path: Path) -> Path:
    recipe = {
        "method": "lanet", "backbone": "resnet18", "targets": "votes", "augment": "live",
        "epochs": 3, "batch_size": 8, "optimizer": "adamw", "seed": 0,
    }  # fmt: skip
    run = {"dataset": "tiny", "n_train": 48, "command": "lanet-train fit --data tiny"}
    provenance = {
        "recipe": recipe, "run": run, "epoch": 3, "weights": "last",
        "temperature_fitted_on": {"data": "tiny valid", "offsets": OFFSETS},
    }  # fmt: skip
    spec = tiny_spec(provenance=provenance)
    return write_tiny_model(tmp_path / "model.onnx", spec)


def test_every_section_gets_its_figures(model: Path) -> None:
    camera = {
        "raw": 0.012, "raw_worst_face": 0.03, "smoothed": 0.0014, "n_frames_without_face": 2,
    }  # fmt: skip
    face = {
        "first_seen_at_x_px": 214, "expression": "happiness", "share_of_frames": 1.0,
        "mean": {"happiness": 0.98, "neutral": 0.02},
    }  # fmt: skip
    measured = Measured(
        model=read_model_file(model),
        evaluation=evaluation(0.9),
        end_to_end=evaluation(0.885),
        reliability=reliability(),
        flicker={
            "n_faces": 2, "n_frames": 9, "time_constant_s": 0.25, "lag_63_s": 0.267,
            "cameras": {"webcam": camera},
        },
        share={
            "frame_size_wh": [640, 360], "backend": "openvino fp32", "device": "CPU",
            "n_frames": 5, "median_ms": {"tracker": 10.0, "one crop": 2.0, "all views": 4.0},
            "share_of_tracker": {"one crop": 0.2, "all views": 0.4},
        },
        clips={"files": {"photo.jpg": {"n_frames": 1, "n_with_face": 1, "faces": [face]}}},
        controls={"Baseline": evaluation(0.86)},
        comparisons=[
            {
                "remark": remark, "command": "lanet-train benchmark table1",
                "cells": [{"row": row, "column": "20 %", "seeds": [0], "last": {"mean": 0.8}}],
            }
            for remark, row in (("Short.", "lanet"), ("Shorter.", "lanet, other"))
        ],
        stages=[("lanet-train fit --size 64", 3600.0), ("lanet-train fit --resize", 7200.0)],
        commands=("lanet-train evaluate model.onnx",),
    )  # fmt: skip
    text = write_figures(measured)
    for expected in (
        "LA-Net (ICCV 2023)",
        "| Offsets | in the network, fitted with T: neutral -0.25, ",
        "1.0 and 2.0 hours",
        "lanet-train fit --size 64\nlanet-train fit --resize",
        "| | 8 classes, 100 images | 7 classes, 90 images |",
        "| accuracy | 0.900 [0.890, 0.910] | 0.900 [0.890, 0.910] |",
        "| recall of fear (12 images) | 0.50 [0.49, 0.51] |",
        "7 of 17 sadness taken for neutral",
        "1 images of the split",
        "| Baseline | 0.860 [0.850, 0.870] | 0.850 [0.840, 0.860] | 0.50 [0.49, 0.51] |",
        "1.5 points below that on single crops; 4 of 100 faces were missed",
        "70% of the estimates reliable, with an error of 8.0%",
        "| webcam | 0.0120 | 0.0300 | 0.0014 |",
        "at most 2 of 18",
        "One crop takes 0.20 of the tracker's time",
        "happiness 0.98",
        "| lanet | 80.0 (1) |",
        "| lanet, other | 80.0 (1) |",
        "lanet-train evaluate model.onnx",
    ):
        assert expected in text
    assert text.index("| quality |") < text.index("| uncertainty |") < text.index("| random |")


def test_what_was_not_measured_is_left_out(model: Path) -> None:
    text = write_figures(Measured(read_model_file(model)))
    assert "| Name | `tiny` |" in text
    assert "##" in text
    for section in ("Figures", "End to end", "Steadiness", "Cost", "Clips"):
        assert section not in text


def test_figures_replace_what_is_between_the_marks() -> None:
    assert replace_figures(CARD, "new") == CARD.replace("old", "new")
    with pytest.raises(ConfigError, match="lacks the marks"):
        replace_figures("# Card", "new")


def run_script(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["model_card.py", *words])
    return script.main()


def test_the_script_writes_reports_of_this_model_and_refuses_others(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    results, card = tmp_path / "results", tmp_path / "CARD.md"
    results.mkdir()
    card.write_text(CARD)
    details = {"sha256": read_model_file(model).sha256}
    (results / "evaluate.json").write_text(json.dumps(evaluation() | {"model_details": details}))
    (results / "control-a-b.json").write_text(json.dumps(evaluation(0.8)))
    words = [
        "--data", str(tmp_path), "--model", str(model), "--results", str(results),
        "--card", str(card), "--control", "A/B=run", "--only-write",
    ]  # fmt: skip
    assert run_script(monkeypatch, *words) == 0
    written = card.read_text()
    assert "| accuracy | 0.900" in written
    assert "| A/B | 0.800" in written
    assert written.endswith("By hand.\n")
    assert str(tmp_path) not in written
    (results / "flicker.json").write_text(json.dumps({"sha256": "0" * 64}))
    assert run_script(monkeypatch, *words) == 2
    assert "taken on another model" in capsys.readouterr().err
    (results / "flicker.json").unlink()
    assert run_script(monkeypatch, *words, "--control", "nothing") == 2
    assert "NAME=RUN" in capsys.readouterr().err
