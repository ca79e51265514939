import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lanet_engines.errors import ModelFileError
from lanet_engines.onnx_model.file import MAX_MODEL_BYTES, read_model_file
from tests.onnx_bytes import write_field, write_node, write_tensor, write_value
from tests.tiny_model import tiny_model_bytes, tiny_spec


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Write bytes to a model file inside a folder of its own."""

    def write_bytes(content: bytes) -> Path:
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        path = folder / "model.onnx"
        path.write_bytes(content)
        return path

    return write_bytes


def external_tensor(location: str, *, offset: int = 0) -> bytes:
    def entry(key: str, value: str) -> bytes:
        return write_field(13, write_field(1, key) + write_field(2, value))

    return b"".join(
        [
            write_field(1, 4),
            write_field(2, 1),
            write_field(8, "outside"),
            entry("location", location),
            entry("offset", str(offset)),
            write_field(14, 1),
        ]
    )


def tiny_with_tensor(tensor: bytes) -> bytes:
    """A tiny model with one more stored tensor: parsers merge what a second graph field holds."""
    whole = tiny_model_bytes()
    model = onnx.load_model_from_string(whole)
    graph = write_field(7, model.graph.SerializeToString() + write_field(5, tensor))
    model.ClearField("graph")
    return bytes(model.SerializeToString()) + graph


def test_read_model_file_reports_what_the_file_says(tiny_model_path: Path) -> None:
    model = read_model_file(tiny_model_path)
    assert model.spec == tiny_spec()
    assert model.opset == 17
    assert model.producer == "lanet"
    assert model.op_types == ("AveragePool", "Conv", "Flatten", "Gemm", "Relu")
    assert model.n_parameters == 6 * 3 * 25 + 6 + 54 * 8 + 8
    assert model.size_bytes == tiny_model_path.stat().st_size
    assert len(model.sha256) == 64
    assert model.external_files == ()


def test_pickle_renamed_onnx_is_refused_and_never_run(write: Any, tmp_path: Path) -> None:
    marker = tmp_path / "executed"

    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (marker,))

    path = write(pickle.dumps(Attack()))
    with pytest.raises(ModelFileError, match="not an ONNX model"):
        read_model_file(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"hello, this is text\n" * 50, b"PK\x03\x04" + b"\0" * 200, b"\x89PNG\r\n\x1a\n"],
)
def test_other_files_named_onnx_are_refused(write: Any, content: bytes) -> None:
    with pytest.raises(ModelFileError, match="not an ONNX model"):
        read_model_file(write(content))


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no model file"):
        read_model_file(tmp_path / "absent.onnx")
    with pytest.raises(ModelFileError, match="no model file"):
        read_model_file(tmp_path)


def test_file_above_the_size_limit_is_refused_unread(write: Any) -> None:
    path = write(b"")
    os.truncate(path, MAX_MODEL_BYTES + 1)  # sparse: takes no space
    with pytest.raises(ModelFileError, match="at most"):
        read_model_file(path)


@pytest.mark.parametrize(
    "location",
    ["../../etc/passwd", "/etc/passwd", "..\\secret", "C:\\secret", "", "sub/../../../x", "a\0b"],
)
def test_external_data_outside_the_folder_is_refused(write: Any, location: str) -> None:
    path = write(tiny_with_tensor(external_tensor(location)))
    with pytest.raises(ModelFileError, match="outside the model's folder"):
        read_model_file(path)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_external_data_through_a_link_is_refused(write: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(16))
    path = write(tiny_with_tensor(external_tensor("weights.bin")))
    (path.parent / "weights.bin").symlink_to(secret)
    with pytest.raises(ModelFileError, match="outside the model's folder"):
        read_model_file(path)


def test_external_data_inside_the_folder_is_accepted_and_hashed(write: Any) -> None:
    path = write(tiny_with_tensor(external_tensor("weights.bin")))
    (path.parent / "weights.bin").write_bytes(bytes(16))
    model = read_model_file(path)
    assert [file.name for file in model.external_files] == ["weights.bin"]
    (path.parent / "weights.bin").write_bytes(bytes(15) + b"\1")
    assert read_model_file(path).sha256 != model.sha256


@pytest.mark.parametrize(("size", "offset"), [(15, 0), (16, 1)])
def test_external_data_that_is_too_short_is_refused(write: Any, size: int, offset: int) -> None:
    path = write(tiny_with_tensor(external_tensor("weights.bin", offset=offset)))
    (path.parent / "weights.bin").write_bytes(bytes(size))
    with pytest.raises(ModelFileError, match="shorter than the model says"):
        read_model_file(path)


def test_tensor_declaring_ten_gigabytes_is_refused(write: Any) -> None:
    bomb = write_field(1, 2_500_000_000) + write_field(2, 1) + write_field(8, "bomb")
    with pytest.raises(ModelFileError, match=r"'bomb' declares 10\.0 GB"):
        read_model_file(write(tiny_with_tensor(bomb)))


def test_tensor_without_its_data_is_refused(write: Any) -> None:
    content = tiny_with_tensor(write_field(1, 400_000_000) + write_field(2, 1))
    with pytest.raises(ModelFileError, match="does not hold them"):
        read_model_file(write(content))


@pytest.mark.parametrize(
    "tensor",
    [
        write_field(1, 100) + write_field(2, 1) + write_field(9, bytes(8)),  # raw data too short
        write_field(1, 2) + write_field(2, 1) + write_field(9, bytes(80)),  # too long
        write_field(1, 100) + write_field(2, 1) + write_field(4, bytes(8)),  # float data too short
        write_field(1, 100) + write_field(2, 7) + write_field(7, bytes(8)),  # int data too short
        write_field(1, -1) + write_field(2, 1),  # negative dimension
        write_field(1, 1) * 20 + write_field(2, 1) + write_field(9, bytes(4)),  # absurd rank
        write_field(1, 1) + write_field(2, 8) + write_field(6, b"text"),  # strings
        write_field(1, 1) + write_field(2, 99) + write_field(9, b"x"),  # unknown type
    ],
)
def test_tensors_that_lie_about_themselves_are_refused(write: Any, tensor: bytes) -> None:
    with pytest.raises(ModelFileError, match="tensor"):
        read_model_file(write(tiny_with_tensor(tensor)))


def test_unknown_operator_is_refused(write: Any) -> None:
    nodes = [write_node("RunShell", ["crops"], "logits")]
    with pytest.raises(ModelFileError, match="'RunShell', which is unknown here"):
        read_model_file(write(tiny_model_bytes(nodes=nodes)))


def test_operator_of_another_domain_is_refused(write: Any) -> None:
    nodes = [write_node("Conv", ["crops"], "logits") + write_field(7, "com.evil")]
    with pytest.raises(ModelFileError, match=r"domain 'com\.evil'"):
        read_model_file(write(tiny_model_bytes(nodes=nodes)))


@pytest.mark.parametrize(("attribute_field", "sentence"), [(6, "graph inside"), (22, "sparse")])
def test_graphs_and_sparse_tensors_in_attributes_are_refused(
    write: Any, attribute_field: int, sentence: str
) -> None:
    attribute = write_field(5, write_field(1, "body") + write_field(attribute_field, b""))
    nodes = [write_node("Identity", ["crops"], "logits") + attribute]
    with pytest.raises(ModelFileError, match=sentence):
        read_model_file(write(tiny_model_bytes(nodes=nodes)))


def test_local_functions_are_refused(write: Any) -> None:
    with pytest.raises(ModelFileError, match="functions"):
        read_model_file(write(tiny_model_bytes() + write_field(25, b"")))


def test_second_graph_is_refused(write: Any) -> None:
    with pytest.raises(ModelFileError, match="2 graphs"):
        read_model_file(write(tiny_model_bytes() + write_field(7, b"")))


def test_missing_metadata_is_refused_with_what_to_do(write: Any) -> None:
    with pytest.raises(ModelFileError, match="lanet-train export"):
        read_model_file(write(tiny_model_bytes(metadata={})))


def test_metadata_that_is_not_a_description_is_refused(write: Any) -> None:
    with pytest.raises(ModelFileError, match="not valid JSON"):
        read_model_file(write(tiny_model_bytes(metadata={"lanet.model_spec": "{"})))


def test_graph_that_contradicts_the_description_is_refused(write: Any) -> None:
    other_inputs = [write_value("crops", "float32", ("batch", 3, 64, 64))]
    with pytest.raises(ModelFileError, match="'crops' must be float32 of shape"):
        read_model_file(write(tiny_model_bytes(inputs=other_inputs)))
    other_outputs = [write_value("logits", "float32", ("batch", 3))]
    with pytest.raises(ModelFileError, match="'logits' must be float32 of shape"):
        read_model_file(write(tiny_model_bytes(outputs=other_outputs)))
    fixed_batch = [write_value("crops", "float32", (1, 3, 32, 32))]
    with pytest.raises(ModelFileError, match="fixed batch"):
        read_model_file(write(tiny_model_bytes(inputs=fixed_batch)))


def test_names_that_are_not_text_are_refused(write: Any) -> None:
    nodes = [write_node("Identity", ["crops"], "logits") + write_field(2, b"\xd0\xff")]
    with pytest.raises(ModelFileError, match="not valid text"):
        read_model_file(write(tiny_model_bytes(nodes=nodes)))


def test_graph_that_breaks_the_standard_is_refused(write: Any) -> None:
    nodes = [write_node("Conv", ["crops", "nowhere"], "logits")]
    with pytest.raises(ModelFileError, match=r"breaks the ONNX standard: .*'nowhere'"):
        read_model_file(write(tiny_model_bytes(nodes=nodes)))


def test_old_operator_set_is_refused(write: Any) -> None:
    with pytest.raises(ModelFileError, match="operator set 9"):
        read_model_file(write(tiny_model_bytes(opset=9)))


def test_stored_tensors_listed_as_inputs_are_accepted(write: Any) -> None:
    inputs = [
        write_value("crops", "float32", ("batch", 3, 32, 32)),
        write_value("conv.bias", "float32", (6,)),
    ]
    assert read_model_file(write(tiny_model_bytes(inputs=inputs))).spec == tiny_spec()


def test_any_truncation_is_refused_or_read_never_a_crash(write: Any) -> None:
    content = tiny_model_bytes()
    for length in range(0, len(content), 7):
        with pytest.raises(ModelFileError):
            read_model_file(write(content[:length]))


def test_damaged_bytes_are_refused_or_read_never_a_crash(write: Any) -> None:
    content = tiny_model_bytes()
    dice = random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(4):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            read_model_file(write(bytes(damaged)))
        except ModelFileError:
            continue


def test_constant_inside_a_node_is_checked_like_a_stored_tensor(write: Any) -> None:
    tensor = write_tensor("value", np.zeros(2, dtype=np.float32)).replace(
        write_field(9, bytes(8)), write_field(9, bytes(4))
    )
    constant = write_node("Constant", [], "logits") + write_field(
        5, write_field(1, "value") + write_field(5, tensor)
    )
    with pytest.raises(ModelFileError, match="does not hold them"):
        read_model_file(write(tiny_model_bytes(nodes=[constant])))
