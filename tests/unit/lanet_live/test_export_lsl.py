"""`--lsl` on the command line: a camera's estimates are sent while its table is written."""

import csv
from pathlib import Path

import pytest

from lanet_live.capture.synthetic import SyntheticSource
from lanet_live.command.arguments import parse_arguments, parse_config
from lanet_live.errors import ConfigError
from lanet_live.export.exporter import Exporter
from lanet_live.export.plan import plan_jobs
from lanet_live.face.template import TEMPLATE_ID
from tests.lsl_receiver import connect, find
from tests.tiny_model import tiny_spec, write_tiny_model


def parse(*argv: str):
    return parse_config(parse_arguments(argv), command="lanet-live")


def test_a_file_that_is_exported_is_not_live() -> None:
    with pytest.raises(ConfigError, match="works for a camera only"):
        parse("--video", "a.mp4", "--export", "csv", "--lsl")
    assert parse("--video", "a.mp4", "--lsl").with_lsl
    assert parse("--camera", "0", "--export", "csv", "--lsl").with_lsl
    assert not parse().with_lsl


def test_what_a_receiver_gets_stands_in_the_table(loopback_lsl, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(
        "lanet_live.capture.camera.CameraSource",
        lambda *_args, **_options: SyntheticSource(None, size_wh=(160, 120), is_live=True),
    )
    model_path = tmp_path / "tiny.onnx"
    write_tiny_model(model_path, tiny_spec(alignment=TEMPLATE_ID))
    config = parse(
        *("--camera", "0", "--lsl", "--export", "csv"),
        *("--model", str(model_path), "--out", str(tmp_path)),
    )
    assert config.export is not None
    (job,) = plan_jobs(config.sources, config.export)
    inlets, labels, received = [], [], []

    def should_stop() -> bool:
        if not inlets:
            if find(loopback_lsl, "synthetic", "Expression", timeout_s=2.0):
                inlets.append(connect(loopback_lsl, "synthetic", "Expression"))
                labels.extend(inlets[0].info(timeout=5).get_channel_labels())
        elif len(received) < 3:
            received.append(inlets[0].pull_sample(timeout=5)[0])
        return len(received) == 3

    Exporter(config).run(job, should_stop=should_stop)
    with job.outputs["csv"].open(newline="") as file:
        written = {(int(row["frame"]), int(row["success"])) for row in csv.DictReader(file)}
    places = labels.index("frame"), labels.index("success")
    assert {tuple(int(values[k]) for k in places) for values in received} <= written
