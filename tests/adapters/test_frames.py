"""Any table in, the same kind of table out, nothing lost: round trips of every column type in every kind of frame."""

from __future__ import annotations

import datetime as dt
import decimal
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal as assert_polars_equal

from whyglass.adapters import frames
from whyglass.core.errors import InputError
from whyglass.core.schema import Schema

DAY = dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC)

PANDAS = {
    "int64": pd.Series([3, 1, 2]),
    "int8": pd.Series([3, 1, 2], dtype="int8"),
    "uint64": pd.Series([3, 1, 2], dtype="uint64"),
    "float64": pd.Series([0.5, np.nan, -2.25]),
    "float32": pd.Series([0.1, np.nan, -2.25], dtype="float32"),
    "bool": pd.Series([True, False, True]),
    "Int64": pd.Series([3, None, 2], dtype="Int64"),
    "Float64": pd.Series([0.5, None, 2], dtype="Float64"),
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    "string": pd.Series(["b", None, "a"], dtype="string"),
    "text": pd.Series(["b", "ä", "a"]),
    "object None": pd.Series(["b", None, "a"], dtype=object),
    "object NaN": pd.Series(["b", np.nan, "a"], dtype=object),
    "object NA": pd.Series(["b", pd.NA, "a"], dtype=object),
    "object mixed": pd.Series(["b", 1, 2.5], dtype=object),
    "object ints": pd.Series([3, 1, None], dtype=object),
    "object floats": pd.Series([3.5, 1.0, np.nan], dtype=object),
    "object bools": pd.Series([True, False, None], dtype=object),
    "object dates": pd.Series([dt.date(2024, 1, 31), None, dt.date(1969, 12, 31)], dtype=object),
    "object all missing": pd.Series([None, None, None], dtype=object),
    "category": pd.Series(pd.Categorical(["b", None, "a"], ["c", "b", "a"])),
    "category ordered": pd.Series(pd.Categorical(["b", "c", "a"], ["c", "b", "a"], ordered=True)),
    "category of ints": pd.Series(pd.Categorical([30, 10, None], [30, 20, 10])),
    "category of bools": pd.Series(pd.Categorical([True, False, None])),
    "category of intervals": pd.Series(pd.cut([1.0, 5.0, 9.0], [0, 4, 10])),
    "category of objects": pd.Series(pd.Categorical(["b", "a", "b"], pd.Index(["b", "a"], dtype=object))),
    "datetime ns": pd.Series(pd.to_datetime(["2024-02-29 12:30:00.123456", None, "1901-01-01 00:00:00.000001"])).astype("datetime64[ns]"),
    "datetime s": pd.Series(pd.to_datetime(["2024-02-29", None, "1901-01-01"])).astype("datetime64[s]"),
    "datetime zone": pd.Series(pd.to_datetime(["2024-02-29 12:30", None, "1999-01-01 00:00"])).dt.tz_localize("Europe/Berlin"),
    "timedelta": pd.Series(pd.to_timedelta([1.5, None, -3], unit="s")),
    "int64[pyarrow]": pd.Series([3, None, 2], dtype="int64[pyarrow]"),
    "double[pyarrow]": pd.Series([3.5, None, 2], dtype="double[pyarrow]"),
    "string[pyarrow]": pd.Series(["b", None, "a"], dtype=pd.ArrowDtype(pa.string())),
    "sparse": pd.Series(pd.arrays.SparseArray([0.0, 0.0, 2.5])),
}


@pytest.mark.parametrize("name", PANDAS)
def test_pandas_column_comes_back_as_it_was(name):
    X = pd.DataFrame({"before": [0.5, 1.5, 2.5], name: PANDAS[name]})
    before = X.copy(deep=True)
    data = frames.read(X)
    assert data.frame == "pandas"
    assert data.matrix.dtype == np.float64
    pd.testing.assert_frame_equal(frames.write(data.matrix, data.schema, "pandas"), before, check_column_type=False)
    pd.testing.assert_frame_equal(X, before)
    again = frames.read(X, schema=data.schema)
    assert np.array_equal(again.matrix, data.matrix, equal_nan=True)
    assert np.array_equal(np.isnan(data.matrix[:, 1]), X[name].isna().to_numpy())


POLARS = {
    "Int64": pl.Series([3, None, 2]),
    "UInt8": pl.Series([3, 1, 2], dtype=pl.UInt8),
    "Float32": pl.Series([0.5, None, 2.25], dtype=pl.Float32),
    "Boolean": pl.Series([True, None, False]),
    "String": pl.Series(["b", None, "ä"]),
    "Categorical": pl.Series(["b", None, "a"], dtype=pl.Categorical),
    "Enum": pl.Series(["b", None, "a"], dtype=pl.Enum(["c", "b", "a"])),
    "Date": pl.Series([dt.date(2024, 2, 29), None, dt.date(1969, 1, 1)]),
    "Datetime": pl.Series([DAY.replace(tzinfo=None), None, DAY.replace(tzinfo=None)]),
    "Datetime zone": pl.Series([DAY, None, DAY], dtype=pl.Datetime("ms", "Europe/Berlin")),
    "Duration": pl.Series([dt.timedelta(seconds=1.5), None, dt.timedelta(days=-2)]),
}


@pytest.mark.parametrize("name", POLARS)
def test_polars_column_comes_back_as_it_was(name):
    X = pl.DataFrame([pl.Series("before", [0.5, 1.5, 2.5]), POLARS[name].alias(name)])
    data = frames.read(X)
    assert_polars_equal(frames.write(data.matrix, data.schema, "polars"), X)
    assert np.array_equal(np.isnan(data.matrix[:, 1]), X[name].is_null().to_numpy())
    assert np.array_equal(frames.read(X.lazy(), schema=data.schema).matrix, data.matrix, equal_nan=True)


ARROW = {
    "int64": pa.array([3, None, 2]),
    "uint8": pa.array([3, 1, 2], pa.uint8()),
    "float": pa.array([0.5, None, 2.25], pa.float32()),
    "bool": pa.array([True, None, False]),
    "string": pa.array(["b", None, "ä"]),
    "large_string": pa.array(["b", None, "a"], pa.large_string()),
    "dictionary": pa.DictionaryArray.from_arrays(pa.array([1, None, 2], pa.int8()), ["c", "b", "a"]),
    "dictionary ordered": pa.DictionaryArray.from_arrays(pa.array([1, 0, 2], pa.int32()), ["c", "b", "a"], ordered=True),
    "date32": pa.array([dt.date(2024, 2, 29), None, dt.date(1969, 1, 1)]),
    "timestamp": pa.array([DAY, None, DAY], pa.timestamp("us", "UTC")),
    "timestamp naive": pa.array([DAY.replace(tzinfo=None), None, None], pa.timestamp("ms")),
    "duration": pa.array([1500, None, -3], pa.duration("ms")),
    "null": pa.nulls(3),
}


@pytest.mark.parametrize("name", ARROW)
def test_arrow_column_comes_back_as_it_was(name):
    X = pa.table({"before": [0.5, 1.5, 2.5], name: ARROW[name]})
    data = frames.read(X)
    back = frames.write(data.matrix, data.schema, "arrow")
    assert back.schema.equals(X.schema)
    assert back.equals(X)
    back.validate(full=True)
    assert np.array_equal(np.isnan(data.matrix[:, 1]), X[name].is_null().to_numpy())


def test_arrow_chunks_with_different_dictionaries():
    column = pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", None, "a"]).dictionary_encode()])
    data = frames.read(pa.table({"x": column}))
    assert data.schema["x"].categories == ("a", "b", "c")
    assert np.array_equal(data.matrix[:, 0], [0, 1, 2, np.nan, 0], equal_nan=True)


def test_arrow_dictionary_with_null_and_repeated_values():
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array(["a", None, "a", "b"]))
    data = frames.read(pa.table({"x": column}))
    assert data.schema["x"].categories == ("a", "b")
    assert np.array_equal(data.matrix[:, 0], [0, np.nan, 0, 1], equal_nan=True)


NUMPY = {
    "float64": np.array([[1.5, np.nan], [2.0, 3.0]]),
    "float32": np.array([[1.5, np.nan], [2.0, 3.0]], dtype=np.float32),
    "int32": np.array([[1, 2], [3, 4]], dtype=np.int32),
    "bool": np.array([[True, False], [False, False]]),
    "text": np.array([["a", "bb"], ["c", "a"]]),
    "object": np.array([[1, "a", 2.5, None], [2, "b", np.nan, True]], dtype=object),
    "datetime": np.array([["2024-01-01", "NaT"], ["1960-01-01", "2024-01-01"]], dtype="datetime64[s]"),
    "fortran": np.asfortranarray([[1.5, np.nan], [2.0, 3.0]]),
}


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_array_comes_back_as_it_was(name):
    X = NUMPY[name]
    before = X.copy()
    data = frames.read(X)
    back = frames.write(data.matrix, data.schema, "numpy")
    assert back.dtype.kind == X.dtype.kind
    assert X.dtype.kind == "U" or back.dtype == X.dtype
    if X.dtype == object:
        assert repr(back.tolist()) == repr(X.tolist()) == repr(before.tolist())
    else:
        np.testing.assert_array_equal(back, X)
        np.testing.assert_array_equal(before, X)
    assert not np.shares_memory(back, data.matrix)


@pytest.mark.parametrize("rows", [[[1, 2], [3, 4]], ((1.5, 2), (3, 4))])
def test_list_of_rows(rows):
    assert np.array_equal(frames.read(rows).matrix, np.array(rows, dtype=float))
    mixed = frames.read([[1, "a"], [2, None]])
    assert mixed.schema["x1"].categories == ("a",)


def test_anything_that_streams_arrow():
    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.table({"a": [1, 2]}).__arrow_c_stream__(requested_schema)

    assert np.array_equal(frames.read(Stream()).matrix, [[1], [2]])


def test_masked_array():
    data = frames.read(np.ma.masked_array([[1.0, 2.0]], mask=[[False, True]]))
    assert np.array_equal(data.matrix, [[1, np.nan]], equal_nan=True)


cells = {
    "i": st.integers(-(2**53), 2**53),
    "f": st.floats(allow_infinity=False),
    "s": st.none() | st.text(max_size=3),
    "b": st.booleans(),
    "c": st.sampled_from(["lo", "mid", None]),
}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=12), st.sampled_from(["pandas", "polars", "arrow"]))
def test_any_values_round_trip(rows, kind):
    columns = {k: [r[k] for r in rows] for k in cells}
    if kind == "pandas":
        X = pd.DataFrame({k: pd.Series(v, dtype=object if k == "s" else None) for k, v in columns.items()})
        X["c"] = pd.Categorical(columns["c"], ["lo", "mid", "hi"])
    else:
        types = {"i": pa.int64(), "f": pa.float64(), "s": pa.string(), "b": pa.bool_()}
        table = pa.table(
            {k: pa.array(columns[k], t) for k, t in types.items()} | {"c": pa.array(columns["c"], pa.string()).dictionary_encode()}
        )
        X = table if kind == "arrow" else pl.from_arrow(table)
    data = frames.read(X)
    assert data.frame == kind
    back = frames.write(data.matrix, data.schema, kind)
    if kind == "pandas":
        pd.testing.assert_frame_equal(back, X)
    elif kind == "polars":
        assert_polars_equal(back, X.with_columns(pl.col("f").fill_nan(None)))
    else:
        again = frames.read(back)
        assert np.array_equal(again.matrix, data.matrix, equal_nan=True)
        assert back.drop_columns(["f", "c"]).equals(X.drop_columns(["f", "c"]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=80))
def test_grid_holds_seen_values_with_both_ends(values):
    column = frames.read(np.array(values)[:, None]).schema[0]
    finite = sorted({v for v in values if np.isfinite(v)})
    assert list(column.grid) == sorted(column.grid)
    assert len(column.grid) == min(64, len(finite))
    assert set(column.grid) <= set(finite)
    if finite:
        assert (column.grid[0], column.grid[-1]) == (finite[0], finite[-1]) == (column.minimum, column.maximum)
        assert column.integer == all(v == int(v) for v in finite)


def test_grid_of_many_rows_keeps_the_ends():
    values = np.random.default_rng(0).normal(size=450_001)
    values[7], values[9] = 99.5, -99.5
    column = frames.read(values[:, None]).schema[0]
    assert (column.grid[0], column.grid[-1], len(column.grid)) == (-99.5, 99.5, 64)


def test_what_is_inferred():
    X = pd.DataFrame({"n": [1, 2], "b": [True, False], "s": ["y", "x"], "t": pd.to_datetime(["2024-01-01", "2024-01-02"]), "f": [0.5, 1.0]})
    schema = frames.read(X, categorical=["n"], protected=["s"]).schema
    assert [c.kind for c in schema.columns] == ["categorical", "categorical", "categorical", "time", "numeric"]
    assert schema["n"].categories == (1, 2)
    assert schema["b"].categories == (False, True)
    assert schema["s"].categories == ("x", "y")
    assert [c.role for c in schema.columns] == ["feature", "feature", "protected", "feature", "feature"]
    assert schema["t"].minimum == dt.datetime(2024, 1, 1, tzinfo=dt.UTC).timestamp()
    assert (schema["f"].integer, schema["f"].grid) == (False, (0.5, 1.0))


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64"])
def test_numbers_forced_to_be_categories_come_back_as_numbers(dtype):
    X = pd.DataFrame({"n": pd.Series([30, 10, 30], dtype=dtype), "m": [0.5, 0.25, 0.5]})
    data = frames.read(X, categorical=["n", "m"])
    assert data.schema["n"].categories == (10, 30)
    assert data.schema["m"].categories == (0.25, 0.5)
    pd.testing.assert_frame_equal(frames.write(data.matrix, data.schema, "pandas"), X)
    assert frames.write(np.array([[-1.0, 0.0]]), data.schema, "pandas")["n"].tolist() == [31]


def test_columns_by_position_and_numpy_names():
    schema = frames.read(np.array([[1, 2], [3, 4]]), categorical=[-1], protected=["b"], feature_names=["a", "b"]).schema
    assert schema.names == ("a", "b")
    assert schema["b"].kind == "categorical"
    assert schema["b"].role == "protected"


def test_integer_and_tuple_labels_come_back():
    for labels in (pd.RangeIndex(2), pd.Index([2020, "b"], dtype=object), pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])):
        X = pd.DataFrame([[1.5, "x"], [2.5, "y"]], columns=labels)
        data = frames.read(X)
        back = frames.write(data.matrix, data.schema, "pandas")
        assert back.columns.tolist() == X.columns.tolist()
        assert type(back.columns) is type(X.columns) or isinstance(X.columns, pd.RangeIndex)
        assert np.array_equal(frames.read(back, schema=data.schema).matrix, data.matrix)
    assert frames.read(pd.DataFrame([[1, 2]]), categorical=[1]).schema["1"].kind == "categorical"


def test_unseen_missing_and_infinite_values():
    schema = frames.read(pd.DataFrame({"c": pd.Categorical(["a", "b"]), "s": ["x", "y"], "n": [1, 2]})).schema
    data = frames.read(pd.DataFrame({"n": [np.inf, 1.5, np.nan], "s": ["z", None, "y"], "c": ["new", "a", None]}), schema=schema)
    assert np.array_equal(data.matrix, [[-1, -1, np.inf], [0, np.nan, 1.5], [np.nan, 1, np.nan]], equal_nan=True)
    assert data.problems == ("'n' is infinite", "", "")
    back = frames.write(data.matrix, schema, "pandas")
    assert back["c"].isna().tolist() == [True, False, True]
    assert back["s"].tolist()[::2] == ["never seen before", "y"]
    assert back["n"].dtype == np.float64


def test_unseen_in_every_kind_of_frame():
    for kind in ("numpy", "polars", "arrow"):
        X = frames.build({"s": np.array(["x", "y"], dtype=object), "n": np.array([1.0, 2.0])}, kind)
        schema = frames.read(X).schema
        back = frames.write(np.array([[-1.0, 5.0], [1.0, np.nan]]), schema, kind)
        first = back[:, 0].tolist() if kind == "numpy" else back["s"].to_pylist() if kind == "arrow" else back["s"].to_list()
        assert first == ["never seen before", "y"]


def test_schema_of_one_kind_reads_and_writes_another():
    X = pd.DataFrame(
        {"n": [1, 2], "c": pd.Categorical(["b", "a"], ["b", "a"]), "b": [True, False], "t": pd.to_datetime(["2024-01-01", "2024-01-02"])}
    ).astype({"t": "datetime64[ns]"})
    data = frames.read(X)
    for kind in ("numpy", "polars", "arrow"):
        other = frames.write(data.matrix, data.schema, kind)
        assert np.array_equal(frames.read(other, schema=data.schema).matrix, data.matrix), kind


def test_order_and_extra_columns_do_not_matter():
    X = pd.DataFrame({"a": [1], "b": ["x"]})
    schema = frames.read(X).schema
    assert np.array_equal(frames.read(X[["b", "a"]].assign(z=1), schema=schema).matrix, [[1, 0]])


def test_duplicate_names_are_matched_in_order():
    X = pd.DataFrame([[1, 2, 3]], columns=["a", "a", "b"])
    data = frames.read(X)
    assert np.array_equal(frames.read(X[["b", "a"]], schema=data.schema).matrix, [[1, 2, 3]])
    pd.testing.assert_frame_equal(frames.write(data.matrix, data.schema, "pandas"), X)
    with pytest.raises(InputError, match="fewer columns named 'a'"):
        frames.read(X.iloc[:, 1:], schema=data.schema)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "größe", "", "a\nb", "\N{PILE OF POO}"])
def test_any_name_is_legal(name):
    for kind in ("pandas", "polars", "arrow"):
        X = frames.build({name: np.array([1.0, 2.0]), "s": np.array([name, "x"], dtype=object)}, kind)
        data = frames.read(X)
        assert data.schema.names == (name, "s")
        assert name in data.schema["s"].categories
        frames.write(data.matrix, data.schema, kind)


@pytest.mark.parametrize("kind", ["numpy", "pandas", "polars", "arrow"])
def test_no_rows_and_one_row(kind):
    X = frames.build({"n": np.array([1.5, 2.5]), "s": np.array(["x", "y"], dtype=object)}, kind)
    schema = frames.read(X).schema
    none = frames.read(frames.pick(X, []), schema=schema)
    assert none.matrix.shape == (0, 2)
    assert frames.write(none.matrix, schema, kind).shape == (0, 2)
    one = frames.read(frames.pick(X, [1]), schema=schema)
    assert np.array_equal(one.matrix, [[2.5, 1]])
    with pytest.raises(InputError, match="0 rows and 2 columns"):
        frames.read(frames.pick(X, []))


@pytest.mark.parametrize("kind", ["numpy", "pandas", "polars", "arrow"])
def test_ten_thousand_columns_are_fast(kind):
    rng = np.random.default_rng(0)
    X = frames.build({f"c{i}": rng.normal(size=20) for i in range(10_000)}, kind)
    start = time.process_time()
    data = frames.read(X)
    frames.read(X, schema=data.schema)
    frames.write(data.matrix, data.schema, kind)
    assert time.process_time() - start < 10
    assert data.matrix.shape == (20, 10_000)


def test_write_is_remembered_per_schema_and_forgotten_with_it():
    data = frames.read(np.array([[1.0]]))
    frames.write(data.matrix, data.schema, "numpy")
    key = (id(data.schema), "numpy")
    assert key in frames._writers
    del data
    assert key not in frames._writers


def test_pick_keeps_the_index():
    X = pd.DataFrame({"a": [1, 2, 3]}, index=["x", "y", "z"])
    assert frames.pick(X, [2, 0]).index.tolist() == ["z", "x"]
    assert frames.pick(X, np.array([False, True, True])).index.tolist() == ["y", "z"]
    assert frames.join([frames.pick(X, [2]), frames.pick(X, [0])]).index.tolist() == ["z", "x"]
    for kind in ("numpy", "polars", "arrow"):
        other = frames.build({"a": np.array([1, 2, 3])}, kind)
        joined = frames.join([frames.pick(other, [2]), frames.pick(other, [0])])
        assert frames.read(joined).matrix[:, 0].tolist() == [3, 1]
        assert type(joined) is type(other)
    with pytest.raises(InputError, match="kinds"):
        frames.join([X, np.zeros((1, 1))])


def test_build_checks_lengths_and_codes():
    with pytest.raises(InputError, match="different lengths"):
        frames.build({"a": np.zeros(2), "b": np.zeros(3)}, "pandas")
    with pytest.raises(InputError, match="code 2, but only 2"):
        frames.build({"a": np.array([0, 2])}, "pandas", categories={"a": ["x", "y"]})


def test_decimals_are_numbers():
    X = pd.DataFrame({"d": pd.Series([decimal.Decimal("1.5"), decimal.Decimal("NaN")], dtype=object)})
    assert np.array_equal(frames.read(X).matrix, [[1.5], [np.nan]], equal_nan=True)
    assert isinstance(frames.read(X).schema, Schema)
