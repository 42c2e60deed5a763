"""What cannot be read says what was given, what was wanted, and the nearest name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from whyglass.adapters import frames
from whyglass.core.errors import InputError

SCHEMA = frames.read(pd.DataFrame({"age": [1, 2], "job": ["cook", "pilot"], "day": pd.to_datetime(["2024-01-01", "2024-01-02"])})).schema
GOOD = {"age": [30], "job": ["cook"], "day": pd.to_datetime(["2024-01-05"])}


def bad(**changes):
    return pd.DataFrame(GOOD | changes)


WRONG = {
    "text for a number": (bad(age=["old"]), r"Column 'age' holds 'old' \(str\), wanted a number \(numeric column\)"),
    "digits as text": (bad(age=["39"]), r"Column 'age' holds '39' \(str\), wanted a number"),
    "date for a number": (bad(age=pd.to_datetime(["2024-01-05"])), r"Column 'age' holds '2024-01-05T00:00:00\+00:00' .*wanted a number"),
    "number for a category": (bad(job=[3]), r"Column 'job' holds 3.0 \(float\), wanted one of 'cook', 'pilot'"),
    "object number for a category": (bad(job=pd.Series([3, "cook"], dtype=object)[:1]), r"Column 'job' holds 3.*wanted one of 'cook'"),
    "number for a date": (bad(day=[3]), r"Column 'day' holds 3.0 \(float\), wanted a date or time"),
    "text for a date": (bad(day=["soon"]), r"Column 'day' holds 'soon'.*wanted a date or time"),
    "list": (bad(job=pd.Series([[1, 2]])), r"Column 'job' holds \[1, 2\] \(list\)"),
    "complex": (bad(age=[1j]), "complex numbers"),
    "column missing": (pd.DataFrame(GOOD).rename(columns={"age": "Age"}), r"X lacks 1 of 3 columns: 'age'. For 'age': Did you mean 'Age'"),
    "Series": (pd.Series([1, 2]), "wanted a DataFrame"),
    "polars Series": (pl.Series([1, 2]), "wanted a DataFrame"),
    "polars list": (pl.DataFrame({"age": [[1]], "job": ["cook"], "day": [None]}), r"Column 'age' is List"),
    "arrow list": (pa.table({"age": [[1]], "job": ["cook"], "day": [None]}), r"Column 'age' is list"),
    "arrow array": (pa.array([1, 2]), "wanted a pyarrow Table"),
    "too few columns": (np.zeros((2, 2)), "X has 2 columns, wanted 3: age, job, day"),
    "one axis": (np.zeros(3), r"X has 1 dimension.*X\[None, :\]"),
    "three axes": (np.zeros((3, 3, 3)), "X has 3 dimension"),
    "complex array": (np.zeros((3, 3), dtype=complex), "dtype complex128"),
    "ragged": ([[1, 2], [3]], "X is no table"),
    "text": ("hello", r"X is 'hello' \(str\)"),
    "nothing": (None, "X is None"),
    "dict": ({"age": [1]}, "wanted a numpy array, pandas or polars frame"),
}


@pytest.mark.parametrize("name", WRONG)
def test_message_teaches(name):
    X, message = WRONG[name]
    with pytest.raises(InputError, match=message):
        frames.read(X, schema=SCHEMA)


def test_the_good_row_passes():
    assert np.array_equal(frames.read(pd.DataFrame(GOOD), schema=SCHEMA).matrix[0, :2], [30, 0])


def test_all_missing_fits_any_kind():
    X = pd.DataFrame({"age": pd.Series([None], dtype=object), "job": [np.nan], "day": pd.Series([pd.NaT])})
    assert np.isnan(frames.read(X, schema=SCHEMA).matrix).all()


def test_sparse_matrix():
    class csr_matrix:  # noqa: N801  (stands for scipy's)
        def toarray(self):
            return np.zeros((1, 1))

    with pytest.raises(InputError, match=r"Give X.toarray\(\)"):
        frames.read(csr_matrix())


def test_no_columns():
    with pytest.raises(InputError, match="0 columns"):
        frames.read(pd.DataFrame(index=[0, 1]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categorical": ["jop"]}, "categorical names 'jop'.*Did you mean 'job'"),
        ({"protected": ["agee"]}, "protected names 'agee'.*Did you mean 'age'"),
        ({"categorical": [7]}, "categorical names column 7; X has 3 columns"),
        ({"feature_names": ["a"]}, "feature_names has 1 names, X has 3"),
        ({"feature_names": ["age", "jobs", "day"]}, "says 'jobs'.*Did you mean 'job'"),
        ({"y": [1, 2]}, r"y has shape \(2,\), X has 1 rows"),
        ({"y": 3}, r"y has shape \(\)"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(InputError, match=message):
        frames.read(pd.DataFrame(GOOD), **options)


def test_outcomes_of_every_library():
    for y in ([0, 1], pd.Series([0, 1], index=[5, 6]), pl.Series([0, 1]), pa.array([0, 1]), np.array([[0], [1]]), pd.Categorical([0, 1])):
        assert frames.read(np.zeros((2, 1)), y=y).y.tolist() == [0, 1]


def test_unknown_kind_of_frame():
    with pytest.raises(InputError, match="Did you mean 'pandas'"):
        frames.write(np.zeros((1, 3)), SCHEMA, "panda")


@pytest.fixture
def files(tmp_path):
    table = pa.table({"a": [1, 2], "s": ["x", "y"]})
    parquet.write_table(table, tmp_path / "x.parquet")
    (tmp_path / "x.csv").write_text("a,s\n1,x\n2,y\n")
    for name, new in (("x.arrow", pa.ipc.new_file), ("x.feather", pa.ipc.new_stream)):
        with pa.OSFile(str(tmp_path / name), "wb") as sink, new(sink, table.schema) as writer:
            writer.write_table(table)
    return tmp_path


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.arrow", "x.feather"])
@pytest.mark.parametrize("kind", [None, "pandas", "polars", "arrow", "numpy"])
def test_files(files, name, kind):
    X = frames.read_file(files / name, kind)
    assert isinstance(X, {None: pd.DataFrame, "pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.Table, "numpy": np.ndarray}[kind])
    assert np.array_equal(frames.read(X).matrix, [[1, 0], [2, 1]])


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.arrow"])
def test_damaged_files(files, name):
    path = files / name
    path.write_bytes(b"\xff\x00\xfe" * 50 + path.read_bytes()[:20])
    with pytest.raises(InputError, match="is no readable"):
        frames.read_file(path)


def test_truncated_anywhere(files):
    for name in ("x.parquet", "x.arrow"):
        whole = (files / name).read_bytes()
        for size in range(0, len(whole) - 1, 37):
            (files / name).write_bytes(whole[:size])
            with pytest.raises(InputError):
                frames.read_file(files / name)


def test_empty_other_or_no_file(files):
    (files / "x.csv").write_text("")
    with pytest.raises(InputError, match="is no readable"):
        frames.read_file(files / "x.csv")
    with pytest.raises(InputError, match=r"Did you mean '.parquet'"):
        frames.read_file(files / "x.parq")
    with pytest.raises(InputError, match="There is no file"):
        frames.read_file(files / "none.csv")
