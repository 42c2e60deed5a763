"""Answers written to a file block by block: the numbers of ``explain``, bounded memory, and nothing left after a failure."""

from __future__ import annotations

import json
import threading
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression

import whyglass as wg
from whyglass import batches

ROWS = 400


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 64 rows, so that a small table has several."""
    monkeypatch.setattr(batches, "ROWS", 64)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 3)), columns=["age", "hours", "gain"])
    frame["gain"] = np.round(10 * frame["gain"])
    frame["colour"] = rng.choice(["red", "green", "blue"], ROWS)
    frame.loc[rng.random(ROWS) < 0.1, "age"] = np.nan
    y = (frame["age"].fillna(0) + (frame["colour"] == "red") > 0.4).astype(int)
    return frame, y


@pytest.fixture(scope="module")
def trees(table):
    X, y = table
    X = X.assign(colour=X["colour"].astype("category"))
    return wg.wrap(HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype").fit(X, y), X, y)


@pytest.fixture(scope="module")
def any_model(table):
    X, y = table
    return wg.wrap(lambda rows: np.tanh(rows["hours"].to_numpy()) * (rows["colour"] == "red").to_numpy(), X, y, task="regression")


def written(path):
    return parquet.read_table(path)


def same(path, frame):
    """Whether a file holds a frame: the same columns, words and counts, and numbers equal to the last digits."""
    one, two = written(path), frame
    if one.schema.names != two.schema.names or one.num_rows != two.num_rows or one.schema.types != two.schema.types:
        return False
    for name in one.column_names:
        a, b = one.column(name), two.column(name)
        if not (np.allclose(a, b, rtol=0, atol=1e-12, equal_nan=True) if pa.types.is_floating(a.type) else a.equals(b)):
            return False
    return True


def left(folder):
    return sorted(f.name for f in folder.iterdir())


def save(frame, file):
    """The same table in each kind of file."""
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    if file.suffix == ".csv":
        csv.write_csv(arrow, file)
    elif file.suffix == ".parquet":
        parquet.write_table(arrow, file, row_group_size=90)
    else:
        make = pa.ipc.new_stream if file.stem == "stream" else pa.ipc.new_file
        with make(str(file), arrow.schema) as sink:
            sink.write_table(arrow, max_chunksize=70)
    return file


def test_the_file_is_the_frame_of_explain(table, trees, tmp_path):
    X, _ = table
    done = wg.explain_to(tmp_path / "why.parquet", trees, X)
    why = wg.explain(trees, X)
    why.save(tmp_path / "whole.parquet")
    assert same(done.path, written(tmp_path / "whole.parquet"))
    assert (done.rows, done.failed, done.exact, done.space) == (ROWS, 0, True, why.space)
    assert done.output_names == why.output_names
    assert done.feature_names == why.feature_names
    assert done.provenance.data_hash == why.provenance.data_hash
    kernel = {"kernel"}  # chosen by the number of rows
    assert {k: v for k, v in done.provenance.params.items() if k not in kernel} == {
        k: v for k, v in why.provenance.params.items() if k not in kernel
    }
    assert parquet.read_metadata(done.path).num_row_groups == 7
    assert left(tmp_path) == ["whole.parquet", "why.parquet"]


def test_a_block_out_of_place_would_be_seen(table, trees, tmp_path):
    X, _ = table
    turned = pd.concat([X[64:], X[:64]])
    done = wg.explain_to(tmp_path / "why.parquet", trees, turned)
    assert not same(done.path, wg.explain(trees, X).to_frame("arrow"))


def test_the_metadata_say_how_it_was_made(table, trees, tmp_path):
    X, _ = table
    done = wg.explain_to(tmp_path / "why.parquet", trees, X, seed=3)
    said = json.loads(written(done.path).schema.metadata[b"whyglass"])["meta"]
    assert said["provenance"] == done.provenance.to_dict()
    assert said["provenance"]["seed"] == 3
    assert (said["output_names"], said["exact"]) == (list(done.output_names), True)
    assert "status" not in said


@pytest.mark.parametrize("kind", ["polars", "arrow", "lazy"])
def test_any_frame(table, trees, tmp_path, kind):
    X, _ = table
    frame = {"polars": pl.from_pandas(X), "arrow": pa.Table.from_pandas(X, preserve_index=False), "lazy": pl.from_pandas(X).lazy()}[kind]
    done = wg.explain_to(tmp_path / "why.parquet", trees, frame)
    assert same(done.path, wg.explain(trees, X).to_frame("arrow"))


def test_a_bare_array(tmp_path):
    X = np.random.default_rng(0).normal(size=(200, 3))
    linear = LinearRegression().fit(X, X[:, 0] - X[:, 1])
    done = wg.explain_to(tmp_path / "why.parquet", linear, X.tolist(), data=X)
    assert same(done.path, wg.explain(linear, X, data=X).to_frame("arrow"))


def test_an_array_that_lies_on_disk(tmp_path):
    X = np.random.default_rng(0).normal(size=(200, 3))
    linear = wg.wrap(LinearRegression().fit(X, X[:, 0] - X[:, 1]), X)
    on_disk = np.memmap(tmp_path / "rows.bin", dtype=float, mode="w+", shape=X.shape)
    on_disk[:] = X
    done = wg.explain_to(tmp_path / "why.parquet", linear, on_disk)
    assert same(done.path, wg.explain(linear, X).to_frame("arrow"))


def test_groups_are_columns_of_the_file(table, trees, tmp_path):
    X, _ = table
    done = wg.explain_to(tmp_path / "why.parquet", trees, X, groups={"work": ["hours", "gain"]})
    assert set(done.feature_names) == {"work", "age", "colour"}
    assert same(done.path, wg.explain(trees, X, groups={"work": ["hours", "gain"]}).to_frame("arrow"))


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.arrow", "stream.arrow"])
def test_any_file(table, trees, tmp_path, name):
    X, _ = table
    file = save(X.assign(extra="not a column of the model"), tmp_path / name)
    done = wg.explain_to(tmp_path / "why.parquet", trees, str(file))
    assert same(done.path, wg.explain(trees, X).to_frame("arrow"))


@pytest.mark.parametrize(("method", "budget"), [("shap.enumerated", 16), ("shap.sampled", 14)])
def test_a_model_that_is_asked_counts_its_calls(table, any_model, tmp_path, method, budget):
    X, _ = table
    done = wg.explain_to(tmp_path / "why.parquet", any_model, X[:150], method=method, budget=budget, background=X[:10])
    whole = wg.explain(any_model, X[:150], method=method, budget=budget, background=X[:10])
    assert same(done.path, whole.to_frame("arrow"))
    assert done.exact == whole.exact
    assert done.model_calls == done.provenance.model_calls > 0
    assert done.provenance.model_rows >= whole.provenance.model_rows


def test_progress_is_that_of_all_rows(table, trees, tmp_path):
    X, _ = table
    heard = []
    wg.explain_to(tmp_path / "why.parquet", trees, X, executor=wg.Executor(2, progress=lambda *said: heard.append(said)))
    counts = [done for done, _ in heard]
    assert counts == sorted(counts)
    assert len(counts) == len(set(counts))
    assert heard[-1] == (ROWS, ROWS)
    assert {total for _, total in heard} == {ROWS}
    assert len(counts) >= 7


@pytest.mark.parametrize("after", [0, 1, 150, ROWS])
def test_a_cancel_leaves_nothing(table, trees, tmp_path, after):
    X, _ = table
    stop = threading.Event()
    if after == 0:
        stop.set()
    by = wg.Executor(1, progress=lambda done, _: stop.set() if done >= after else None, cancel=stop)
    (tmp_path / "why.parquet").write_bytes(b"what was there before")
    with pytest.raises(wg.Cancelled):
        wg.explain_to(tmp_path / "why.parquet", trees, X, executor=by)
    assert left(tmp_path) == ["why.parquet"]
    assert (tmp_path / "why.parquet").read_bytes() == b"what was there before"


def test_an_error_far_down_leaves_nothing(table, trees, tmp_path):
    X, _ = table
    wrong = X.astype({"hours": object})
    wrong.loc[300, "hours"] = "many"
    for rows in (wrong, save(wrong.astype({"hours": str}), tmp_path / "rows.csv")):
        with pytest.raises(wg.InputError, match="many"):
            wg.explain_to(tmp_path / "why.parquet", trees, rows)
    assert left(tmp_path) == ["rows.csv"]


def test_rows_that_cannot_be_explained_are_counted(table, trees, tmp_path):
    X, _ = table
    bad = X.copy()
    bad.loc[[5, 200], "hours"] = np.inf
    done = wg.explain_to(tmp_path / "why.parquet", trees, bad)
    lines = written(done.path).to_pandas()
    assert done.failed == 2
    assert set(lines.loc[lines["status"] != "ok", "row"]) == {5, 200}
    assert "2 of them not explained" in repr(done)


def test_time_is_that_of_all_rows(table, any_model, tmp_path):
    X, _ = table
    done = wg.explain_to(tmp_path / "why.parquet", any_model, X, method="shap.sampled", budget="1ms", background=X[:5])
    assert done.failed > 0
    assert done.rows == written(done.path).num_rows == ROWS
    assert done.provenance.params["budget"] == "1ms"


def test_a_file_alone_teaches_the_categories_that_come_late(table, tmp_path):
    X, y = table
    late = X.assign(colour=np.where(np.arange(ROWS) < 300, "red", X["colour"]))
    late = late.assign(colour=late["colour"].astype("category"))
    clf = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype").fit(late, y)
    file = tmp_path / "rows.parquet"
    late.to_parquet(file)
    done = wg.explain_to(tmp_path / "why.parquet", clf, file)
    assert same(done.path, wg.explain(clf, late).to_frame("arrow"))


def test_outcomes_come_as_an_array_or_as_a_column_of_the_file(table, trees, tmp_path, monkeypatch):
    X, y = table
    seen = []
    answer = batches._answer
    monkeypatch.setattr(batches, "_answer", lambda model, rows, **options: seen.append(rows.y) or answer(model, rows, **options))
    file = save(X.assign(label=y), tmp_path / "rows.parquet")
    for given, rows in ((y, X), (y.to_numpy(), file), ("label", file), (y.to_frame(), X)):
        seen.clear()
        wg.explain_to(tmp_path / "why.parquet", trees, rows, y=given)
        np.testing.assert_array_equal(np.concatenate(seen), y)


def test_what_makes_the_model_wrong_needs_the_outcomes_of_every_block(table, trees, tmp_path):
    X, y = table
    file = save(X.assign(label=y), tmp_path / "rows.parquet")
    done = wg.explain_to(tmp_path / "why.parquet", trees, file, y="label", space="log_loss", background=X[:20])
    assert done.space == "log_loss"
    assert same(done.path, wg.explain(trees, X, y=y, space="log_loss", background=X[:20]).to_frame("arrow"))
    assert not same(done.path, wg.explain(trees, X, y=1 - y, space="log_loss", background=X[:20]).to_frame("arrow"))


def test_what_is_not_one_attribution_a_row_has_no_flat_file(table, trees, tmp_path, monkeypatch):
    X, _ = table
    for answer, said in ((trees, "gives Model"), (wg.explain(trees, X[:1]), "1 for all rows")):
        monkeypatch.setattr(batches, "_answer", lambda *_, found=answer, **__: found)
        with pytest.raises(wg.UnsupportedError, match=said):
            wg.explain_to(tmp_path / "why.parquet", trees, X)
    assert left(tmp_path) == []


@pytest.mark.parametrize("kind", ["frame", "parquet", "csv"])
def test_no_rows(table, trees, tmp_path, kind):
    X, _ = table
    rows = X[:0] if kind == "frame" else save(X[:0], tmp_path / f"rows.{kind}")
    done = wg.explain_to(tmp_path / "why.parquet", trees, rows)
    assert done.rows == written(done.path).num_rows == 0
    assert written(done.path).column_names == wg.explain(trees, X[:1]).to_frame("arrow").column_names


@pytest.mark.parametrize(
    ("path", "rows", "options", "said"),
    [
        ("why.csv", "X", {}, "Did you mean '.parquet'|writes .parquet"),
        ("nowhere/why.parquet", "X", {}, "There is no folder"),
        ("why.parquet", "X", {"interactions": True}, "no room for interactions"),
        ("why.parquet", "X", {"y": "label"}, "only a file"),
        ("why.parquet", "X", {"y": [1, 2]}, r"y has shape \(2,\), X has 400 rows"),
        ("why.parquet", "rows.parquet", {"y": "lable"}, "no column 'lable'"),
        ("why.parquet", "X", {"executor": 4}, "is no Executor"),
        ("why.parquet", "X", {"method": "shapp"}, "Did you mean 'shap'"),
        ("why.parquet", "X", {"bugdet": 4}, "has no parameter 'bugdet'|no parameter"),
        ("why.parquet", "X", {"seed": -1}, "seed=-1"),
        ("why.parquet", "X", {"data": "X"}, "data= is for a bare estimator"),
        ("why.parquet", "nothing.parquet", {}, "There is no file"),
        ("why.parquet", "rows.xlsx", {}, r"Valid: '\.arrow'"),
        ("why.parquet", "broken.parquet", {}, "broken.parquet cannot be read"),
        ("why.parquet", "broken.arrow", {}, "broken.arrow cannot be read"),
        ("why.parquet", "broken.csv", {}, "broken.csv cannot be read"),
        ("why.parquet", "other.csv", {}, "X lacks 4 of 4 columns"),
        ("why.parquet", 7, {}, "X "),
    ],
)
def test_mistakes_are_said_and_leave_nothing(table, trees, tmp_path, path, rows, options, said):  # noqa: PLR0917
    X, _ = table
    save(X, tmp_path / "rows.parquet")
    for name in ("broken.parquet", "broken.arrow"):
        (tmp_path / name).write_bytes(b"PAR1 cut off")
    (tmp_path / "broken.csv").write_bytes(b"")
    (tmp_path / "other.csv").write_text("height\n1\n")
    (tmp_path / "rows.xlsx").write_bytes(b"PK")
    before = left(tmp_path)
    given = X if rows == "X" else tmp_path / rows if isinstance(rows, str) else rows
    with pytest.raises(wg.InputError, match=said):
        wg.explain_to(tmp_path / path, trees, given, **{k: X if v == "X" else v for k, v in options.items()})
    assert left(tmp_path) == before


def peak(call) -> int:
    """Most bytes that Python and numpy held at once."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_rows(table, trees, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "ROWS", 1000)
    X, _ = table
    few, many = (save(pd.concat([X] * k, ignore_index=True), tmp_path / f"{k}.parquet") for k in (10, 60))
    wg.explain_to(tmp_path / "why.parquet", trees, few)
    small, large = (peak(lambda f=file: wg.explain_to(tmp_path / "why.parquet", trees, f)) for file in (few, many))
    whole = peak(lambda: wg.explain(trees, pd.read_parquet(many)).save(tmp_path / "why.parquet"))
    assert large < 1.5 * small
    assert whole > 3 * large, "the measure must see what grows"
