import numpy as np
import pytest

from lanet_live.errors import ConfigError
from lanet_live.review.decimal_csv import read_numbers


def write(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    return path


def test_numbers_equal_pythons_own_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(3)
    values = rng.normal(scale=10.0 ** rng.integers(-3, 6, 500), size=500)
    texts = [f"{value:.6f}" for value in values]
    path = write(tmp_path, "a,b\n" + "".join(f"{t},{i}\n" for i, t in enumerate(texts)))
    table = read_numbers(path, ["b", "a"])
    assert table.columns["a"].tolist() == [float(t) for t in texts]
    assert table.columns["b"].tolist() == list(range(500))


@pytest.mark.parametrize(
    "field", ["1e-3", "inf", " 2.5", "+4", "12345678901234567890", "-.5", "1."]
)
def test_unusual_numbers_are_read_too(tmp_path, field):
    path = write(tmp_path, f"a,b\n{field},1\n")
    assert read_numbers(path, ["a"]).columns["a"][0] == float(field)


def test_empty_fields_are_nan_and_texts_are_passed_over(tmp_path):
    path = write(tmp_path, "a,word,b\n,happy,1\n2,,\n")
    columns = read_numbers(path, ["a", "b"]).columns
    np.testing.assert_array_equal(columns["a"], [np.nan, 2])
    np.testing.assert_array_equal(columns["b"], [1, np.nan])


def test_blank_fields_beside_numbers_are_nan(tmp_path):
    path = write(tmp_path, "a,b\n  ,1\n2.5,2\n,3\n")
    np.testing.assert_array_equal(read_numbers(path, ["a"]).columns["a"], [np.nan, 2.5, np.nan])


@pytest.mark.parametrize("text", ["a,b\n", "a,b", "a,b\n\n", "a,b\n1"])
def test_a_table_without_rows_is_empty(tmp_path, text):
    table = read_numbers(write(tmp_path, text), ["b"])
    assert (table.columns["b"].shape, table.columns["b"].dtype) == ((0,), np.float64)
    assert table.n_rows == 0


def test_a_byte_order_mark_quoted_line_ends_and_equal_names_are_understood(tmp_path):
    path = write(tmp_path, '\ufeffa,word,a\n1,"x\ny",2\n\n3,"NA",NaN\n')
    assert read_numbers(path, ["a"]).columns["a"].tolist() == [1, 3]


def test_windows_line_ends_and_quotes_are_understood(tmp_path):
    path = write(tmp_path, 'a,word,b\r\n1,"x, y",2\r\n3,z,4\r\n')
    assert read_numbers(path, ["b"]).columns["b"].tolist() == [2, 4]


def test_a_line_cut_off_by_a_crash_is_left_out(tmp_path):
    table = read_numbers(write(tmp_path, "a,b,reliable\n1,2,1\n3,0.4"), ["a"])
    assert table.columns["a"].tolist() == [1]
    assert table.is_cut_off


def test_a_last_line_without_its_end_counts_when_it_is_whole(tmp_path):
    table = read_numbers(write(tmp_path, "a,b,reliable\n1,2,1\n3,0.4,0"), ["a"])
    assert table.columns["a"].tolist() == [1, 3]
    assert not table.is_cut_off


@pytest.mark.parametrize("text", ["", "one\n", "a,b\n1,2,3\n", "a,b\nx,1\n", "\xff\n"])
def test_what_is_no_table_says_so(tmp_path, text):
    with pytest.raises(ConfigError, match=r"t\.csv"):
        read_numbers(write(tmp_path, text), ["a"])


def test_a_table_larger_than_a_block_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("lanet_live.review.decimal_csv._BLOCK_BYTES", 16)
    path = write(tmp_path, "a,b\n" + "".join(f"{i}.25,{i}\n" for i in range(100)))
    assert read_numbers(path, ["a"]).columns["a"].tolist() == [i + 0.25 for i in range(100)]
