"""No command looks up a name, opens a connection, or leaves a file outside the program's folders.

Every command runs as a user runs it, in a fresh home, under a tracer that sees each system call,
with the runtimes that are installed, however new they are.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from lanet_engines.building.parity import make_probe_crops
from lanet_live.face.template import TEMPLATE_ID
from tests.conftest import PROJECT_ROOT
from tests.prepared_sets import write_prepared
from tests.tiny_model import LABELS, tiny_spec, write_tiny_model
from tests.traced import Trace, run_traced, why_not_traced

# Traced, on a busy machine, the slowest command takes minutes.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

APP = (sys.executable, "-m", "lanet_live")
TRAINER = (sys.executable, "-m", "lanet_trainer.commands.main")
CLIP = PROJECT_ROOT / "assets" / "demo.mp4"
WINDOW_S = 10
EXPORT = f"--video {CLIP} --duration 0.5 --export csv jsonl parquet plot video --out out"
FIT = (
    "fit --data {data} --out {folder}/run --method lanet --backbone test_resnet --size 32 "
    "--recipe quick --batch-size 16 --epochs 2 --workers 0 --tensorboard"
)
COMMANDS = {
    "help": (APP, "--help"),
    "export with openvino": (APP, EXPORT),
    "export with onnxruntime": (APP, f"{EXPORT} --engine onnxruntime"),
    "export of pictures by two workers": (
        APP, "--images {folder}/faces/train/happy {folder}/faces/train/sad --export csv --out out "
        "--jobs 2",
    ),
    "doctor": (APP, "--doctor"),
    "list of cameras": (APP, "--list-cameras"),
    "prepare": (TRAINER, "prepare folder --root {folder}/faces --out out --rule given"),
    "evaluate of a run": (TRAINER, "evaluate {folder}/run --data {data} --json out/e.json"),
    "evaluate of a model": (
        TRAINER, "evaluate {model} --data {data} --backend openvino --json out/e.json",
    ),
    "export of a run": (TRAINER, "export {folder}/run -o out/m.onnx --calibrate {data}"),
    "build for all": (TRAINER, "build {model} --target all -o out"),
    "build in int8": (
        TRAINER,
        "build {model} --target openvino --precision int8 --calibration {folder}/crops.npy -o out",
    ),
    "labels": (TRAINER, "labels {folder}/run --out out"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Material:
    """What the commands work on."""

    folder: Path
    data: Path
    model: Path

    def arguments(self, template: str) -> list[str]:
        """Fill in the places."""
        places = {"folder": self.folder, "data": self.data, "model": self.model}
        return template.format_map(places).split()


@pytest.fixture(scope="module", autouse=True)
def _needs_a_tracer() -> None:
    reason = why_not_traced()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("material")
    return make_material(folder)


def make_material(folder: Path) -> Material:
    """Write pictures, a prepared data set, a model and crops to calibrate with."""
    spec = tiny_spec(alignment=TEMPLATE_ID, ensemble="mirror")
    np.save(folder / "crops.npy", make_probe_crops(spec, n=40))
    with av.open(str(CLIP)) as container:
        for i, frame in zip(range(8), container.decode(video=0), strict=False):
            split, label = ("train", "valid")[i // 6], ("happy", "sad")[i % 2]
            path = folder / "faces" / split / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), frame.to_ndarray(format="bgr24"))
    return Material(
        folder,
        write_prepared(folder / "data", sizes={"train": 48, "valid": 16}, labels=LABELS),
        write_tiny_model(folder / "tiny.onnx", spec),
    )


@pytest.fixture(scope="module")
def fit(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """A traced `lanet-train fit`, whose run the commands after it work on."""
    return run_traced(
        [*TRAINER, *material.arguments(FIT)], tmp_path_factory.mktemp("fit"), own=[material.folder]
    )


def check(trace: Trace, *, code: int = 0) -> None:
    assert trace.code == code, trace.output
    assert trace.contacts == ()
    assert trace.files == ()


def test_fit_keeps_to_itself(fit: Trace) -> None:
    check(fit)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_keeps_to_itself(name: str, material: Material, fit: Trace, tmp_path: Path) -> None:
    program, template = COMMANDS[name]
    check(run_traced([*program, *material.arguments(template)], tmp_path))


def test_window_keeps_to_itself(tmp_path: Path) -> None:
    command = [*APP, "--video", CLIP]
    check(run_traced(command, tmp_path, stop_after_s=WINDOW_S, stop_once_open="assets/icons"))
