"""Networks with named arrays in and out, tried on the small ones of the face model."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from lanet_engines.errors import (
    BackendUnavailable,
    EngineError,
    EngineInputError,
    ModelFileError,
)
from lanet_engines.network import NetworkFile, PictureInput
from lanet_engines.options import OpenOptions
from lanet_engines.registry import open_network
from lanet_live.resources import asset_path

ONE_THREAD = OpenOptions(threads=1)


def read_member(name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(asset_path("models/face_landmarker.task").read_bytes())) as z:
        return z.read(name)


@pytest.fixture(scope="module")
def mesh_file() -> NetworkFile:
    return NetworkFile(
        name="landmarks",
        content=read_member("face_landmarks_detector.tflite"),
        sha256="0" * 64,
        pictures={"input_12": PictureInput(0.0, 1.0)},
        batch_sizes=(1, 2),
    )


@pytest.fixture(scope="module")
def mesh_network(mesh_file: NetworkFile):
    network = open_network(mesh_file, ONE_THREAD)
    yield network
    network.close()


def pictures(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 256, 256, 3), dtype=np.uint8)


def test_a_network_tells_what_runs_it(mesh_network) -> None:
    info = mesh_network.info
    assert (info.backend, info.precision, info.model_sha256) == ("openvino", "fp32", "0" * 64)
    assert info.device.startswith("CPU (")


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_batch_of_any_size_gives_the_answers_of_its_items(mesh_network, n: int) -> None:
    batch = pictures(n)
    together = mesh_network.run({"input_12": batch})
    assert together["Identity"].shape == (n, 1, 1, 1434)
    alone = [mesh_network.run({"input_12": batch[i : i + 1]})["Identity"] for i in range(n)]
    assert np.allclose(together["Identity"], np.concatenate(alone), atol=0.01)  # of 256 pixels


def test_the_same_batch_gives_the_same_numbers_and_they_belong_to_the_caller(mesh_network) -> None:
    first = mesh_network.run({"input_12": pictures(2)})
    kept = {name: values.copy() for name, values in first.items()}
    mesh_network.run({"input_12": pictures(2, seed=1)})
    again = mesh_network.run({"input_12": pictures(2)})
    for name, values in kept.items():
        assert np.array_equal(first[name], values)
        assert np.array_equal(again[name], values)


def test_pictures_are_taken_in_bgr_and_brought_to_the_range_asked_for() -> None:
    """The same picture, given in another order and range, gives another answer."""
    content = read_member("face_detector.tflite")
    answers = {}
    for name, picture in (("-1..1", PictureInput(-1.0, 1.0)), ("0..1", PictureInput(0.0, 1.0))):
        file = NetworkFile("detector", content, "", {"input": picture})
        network = open_network(file, ONE_THREAD)
        batch = np.random.default_rng(3).integers(0, 256, (1, 128, 128, 3), dtype=np.uint8)
        answers[name] = network.run({"input": batch})["classificators"]
        answers[name + " reversed"] = network.run({"input": batch[..., ::-1].copy()})[
            "classificators"
        ]
        # Without the conversion in front: floats in RGB, as the file itself takes them.
        bare = open_network(replace(file, pictures={}), ONE_THREAD)
        floats = batch[..., ::-1].astype(np.float32) / 255 * (picture.high - picture.low)
        expected = bare.run({"input": floats + np.float32(picture.low)})["classificators"]
        assert np.allclose(answers[name], expected, atol=1e-2)
        network.close()
        bare.close()
    assert np.abs(answers["-1..1"] - answers["0..1"]).max() > 1
    assert np.abs(answers["-1..1"] - answers["-1..1 reversed"]).max() > 0.1


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"input_12": np.zeros((1, 255, 256, 3), np.uint8)},
        {"input_12": np.zeros((1, 256, 256, 3), np.float32)},
        {"input_12": np.zeros((0, 256, 256, 3), np.uint8)},
        {"other": np.zeros((1, 256, 256, 3), np.uint8)},
    ],
)
def test_another_input_is_refused_in_one_sentence(mesh_network, arrays) -> None:
    with pytest.raises(EngineInputError, match=r"takes input_12 as \(N, 256, 256, 3\) uint8, got"):
        mesh_network.run(arrays)


def test_a_damaged_file_is_named(mesh_file: NetworkFile) -> None:
    with pytest.raises(ModelFileError, match="cannot read the network landmarks"):
        open_network(replace(mesh_file, content=b"no network"), ONE_THREAD)


def test_an_absent_device_and_an_impossible_precision_are_told(mesh_file: NetworkFile) -> None:
    with pytest.raises(BackendUnavailable, match=r"no device 'GPU\.7'"):
        open_network(mesh_file, OpenOptions(device="GPU.7"))
    with pytest.raises(BackendUnavailable, match="int8"):
        open_network(mesh_file, OpenOptions(precision="int8"))


def test_a_closed_network_says_so(mesh_file: NetworkFile) -> None:
    network = open_network(mesh_file, ONE_THREAD)
    network.close()
    network.close()
    with pytest.raises(EngineError, match="is closed"):
        network.run({"input_12": pictures(1)})
