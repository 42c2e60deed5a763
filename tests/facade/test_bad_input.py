"""Bad input through the public face: a clear error that names what would have worked, or a status for the row; nothing else is lost."""

import copy
import json
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression

import whyglass as wg
from whyglass.core.attribution import Attribution

OLD = 1000


def table(rows=200):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.integers(17, 90, rows), "hours": rng.normal(40, 10, rows), "job": rng.integers(0, 3, rows)})
    return frame, np.where(frame["age"] + frame["hours"] + 10 * frame["job"] > 95, "rich", "poor")


X, Y = table()
CODES = (Y == "rich").astype(int)


@pytest.fixture(scope="module")
def estimator():
    return GradientBoostingClassifier(n_estimators=5, random_state=0).fit(X, Y)


@pytest.fixture(scope="module")
def model(estimator):
    return wg.wrap(estimator, X, Y)


class Turn:
    cancelled = False

    def progress(self, answer):
        """Nobody listens."""


def every_way_out(why, folder):
    """Look at a result, save it in every form and read it back; gives the view."""
    assert repr(why)
    assert len(why.to_frame("pandas")) == len(why) * len(why.output_names)
    view = wg.show(why)
    assert view.fallback().startswith("<svg")
    assert sum(map(len, view.first.values())) <= 150_000
    for name in ("map", "sample"):
        view.actions["table"].run({"name": name}, Turn())
    for suffix in ("arrow", "json", "parquet", "html"):
        why.save(folder / f"why.{suffix}")
    for suffix in ("arrow", "json"):
        back = wg.load(folder / f"why.{suffix}")
        assert back == why
        wg.show(back).save(folder / "back.html")
    assert not list(folder.glob(".*")), "a partial file stayed behind"
    return view


# --- one bad row


def half(frame):
    return frame["hours"].to_numpy() / 100


def raises(frame):
    if (frame["age"] > OLD).any():
        raise ValueError("nobody is that old")
    return half(frame)


def short(frame):
    return half(frame)[: -1 if (frame["age"] > OLD).any() else None]


def text(frame):
    return np.where(frame["age"] > OLD, "??", half(frame).astype(object))


def nothing(frame):
    return np.where(frame["age"] > OLD, np.nan, half(frame))


def endless(frame):
    return np.where(frame["age"] > OLD, np.inf, half(frame))


@pytest.mark.parametrize("method", ["auto", "shap.sampled"])
@pytest.mark.parametrize(
    ("function", "words"), [(raises, "nobody"), (short, "shape"), (text, "wanted numbers"), (nothing, "NaN"), (endless, "infinity")]
)
def test_a_model_that_fails_on_one_row_loses_that_row_alone(function, words, method, tmp_path):
    rows = X[:5].copy()
    rows.loc[2, "age"] = 2 * OLD
    wrapped = wg.wrap(function, X, task="regression")
    why = wg.explain(wrapped, rows, method=method)
    assert [s == "ok" for s in why.status] == [True, True, False, True, True]
    assert words in why.status[2]
    assert words in repr(why)
    good = wg.explain(wrapped, rows.drop(index=2), method=method)
    assert np.array_equal(why[[0, 1, 3, 4]].values, good.values)
    every_way_out(why, tmp_path)


def test_many_bad_rows_among_many_good_ones_are_still_told_apart():
    rows = X.assign(age=np.where(np.arange(len(X)) % 7 == 0, 2 * OLD, X["age"]))
    wrapped = wg.wrap(raises, X, task="regression")
    view = wg.show(wrapped, data=rows)
    assert view.meta["n_rows"] == len(rows)
    why = wg.explain(wrapped, rows, budget=8)
    assert [s != "ok" for s in why.status] == (rows["age"] > OLD).tolist()


@pytest.mark.parametrize(
    "answer", [lambda f: np.ones(len(f) + 1), lambda f: np.ones((len(f), 2, 2)), lambda f: ["a"] * len(f), lambda _: None]
)
def test_a_model_that_answers_nonsense_is_refused_with_what_was_wanted(answer):
    with pytest.raises(wg.ModelError, match="wanted"):
        wg.wrap(answer, X)


def test_a_background_that_the_model_cannot_answer_is_named():
    rows = X[:3].assign(age=2 * OLD)
    with pytest.raises(wg.ModelError, match=r"nobody is that old\. Pass background="):
        wg.explain(wg.wrap(raises, X, task="regression"), X[:2], background=rows)


# --- rows and columns


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_finite_number(model, value, tmp_path):
    why = wg.explain(model, X[:3].assign(hours=[1.0, value, 2.0]))
    assert why.status[1] == ("ok" if np.isnan(value) else "'hours' is infinite")
    assert (why.status[0], why.status[2]) == ("ok", "ok")
    every_way_out(why, tmp_path)


@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_and_one_row_go_every_way_out(model, rows, tmp_path):
    every_way_out(wg.explain(model, X[:rows]), tmp_path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (X[["age", "job"]], "lacks 1 of 3 columns: 'hours'"),
        (X.assign(hours="many"), "'many' .*wanted a number"),
        (X["age"], r"wanted a DataFrame.*to_frame"),
        (X.to_numpy()[0], r"X\[None, :\]"),
        (X.to_numpy()[:, :2], "2 columns, wanted 3"),
        (None, "wanted a numpy array"),
        ("rows.csv", "wanted a numpy array"),
        ([[1, 2, 3], [1, 2]], "no table"),
    ],
)
def test_rows_that_do_not_fit(model, rows, words):
    with pytest.raises(wg.InputError, match=words):
        wg.explain(model, rows)
    if rows is not None:
        with pytest.raises(wg.InputError, match=words):
            wg.explain(model, X[:2], background=rows)


def test_names_that_meet_each_other_are_all_kept(tmp_path):
    names = ["a", "a", "a (2)", "row", "status", "x", "x std_error"]
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 7)), columns=names)
    why = wg.explain(
        wg.wrap(lambda f: f.to_numpy() @ np.arange(7.0), frame, task="regression"), frame[:3], budget=60, method="shap.sampled"
    )
    flat = why.to_frame()
    assert len(set(flat.columns)) == len(flat.columns) == 4 + 7 * 2 + 1
    assert np.array_equal(flat.iloc[:, 4:11], why.values[:, :, 0])
    every_way_out(why, tmp_path)


def odd(rows=60):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "<script>alert(1)</script>": rng.normal(size=rows),
            "naïve 漢": pd.Categorical(rng.choice(["<b>x</b>", "ü", "</script>"], rows)),
            "": np.ones(rows),
        }
    )


def test_unicode_markup_unseen_categories_and_a_constant_column(tmp_path):
    frame = odd()
    fitted = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype", min_samples_leaf=2)
    wrapped = wg.wrap(fitted.fit(frame, frame.iloc[:, 0] > 0), frame)
    rows = frame[:3].copy()
    rows["naïve 漢"] = ["zz", "ü", None]
    why = wg.explain(wrapped, rows)
    assert why.status == ("ok",) * 3
    assert np.all(why.values[:, 2] == 0), "a constant column says nothing"
    every_way_out(why, tmp_path)
    assert "<script>alert" not in (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "<script>" not in wg.show(why).fallback()


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"c": pd.Categorical([1, 5, 10] * 20), "n": np.arange(60.0)}),
        pd.DataFrame({"d": pd.date_range("2020-01-01", periods=60), "n": np.arange(60.0)}),
        pd.DataFrame({"gone": np.full(60, np.nan), "n": np.arange(60.0)}),
        pd.DataFrame({"flag": [True, False, True] * 20, "n": np.arange(60.0)}),
        pd.DataFrame({("a", "b"): np.arange(60.0), ("a", "n"): np.arange(60.0)}),
        pd.DataFrame({"n": np.arange(60.0)}),
    ],
    ids=["numbers as categories", "dates", "all missing", "booleans", "tuples as names", "one column"],
)
def test_unusual_columns(frame, tmp_path):
    def last(given):
        assert list(given.columns) == list(frame.columns)
        return given.iloc[:, -1].to_numpy() / 60

    every_way_out(wg.explain(wg.wrap(last, frame, task="regression"), frame[:4]), tmp_path)


@pytest.mark.parametrize("index", [pd.MultiIndex.from_arrays([np.arange(200) // 2, ["a"] * 200]), pd.Index([0] * 200)])
def test_any_index_comes_back_with_the_selection(model, index, tmp_path):
    rows = X.set_axis(index, axis=0)
    view = every_way_out(wg.explain(model, rows[:4]), tmp_path)
    view.selection = [0, 3]
    pd.testing.assert_frame_equal(view.selected_frame(), rows.iloc[[0, 3]])


@pytest.mark.parametrize(
    ("frame", "kind"),
    [(pl.from_pandas(X), pl.DataFrame), (pa.Table.from_pandas(X), pa.Table), (X.to_numpy(), np.ndarray)],
    ids=["polars", "arrow", "numpy"],
)
def test_the_answer_comes_in_the_callers_kind_of_frame(estimator, model, frame, kind, tmp_path):
    why = wg.explain(wg.wrap(estimator, frame, Y), frame[:3])
    assert isinstance(why.to_frame(), kind)
    assert isinstance(wg.explain(model, frame[:3]).to_frame(), kind)
    assert np.array_equal(why.values, wg.explain(model, X[:3]).values)
    every_way_out(why, tmp_path)


def test_ten_thousand_columns_take_seconds_and_little_memory():
    start = time.monotonic()
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 10_000)), columns=[f"c{j}" for j in range(10_000)])
    wrapped = wg.wrap(RandomForestRegressor(3, max_depth=3, random_state=0).fit(wide, wide["c1"]), wide)
    why = wg.explain(wrapped, wide[:5])
    view = wg.show(why)
    assert sum(map(len, view.first.values())) < 3_000_000, "one row and Arrow's header for each column"
    view.actions["table"].run({"name": "map"}, Turn())
    with pytest.raises(wg.InputError, match="give at least 20006"):
        wg.explain(wg.wrap(lambda f: f["c1"].to_numpy(), wide, task="regression"), wide[:2])
    assert time.monotonic() - start < 30


# --- words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "treeshap"}, "Did you mean 'shap'"),
        ({"seed": "abc"}, "seed='abc'"),
        ({"seed": -1}, "seed=-1"),
        ({"budget": 0}, "budget=0"),
        ({"budget": "infs"}, "'200ms' or '30s'"),
        ({"executor": "dask"}, "Executor"),
        ({"target": 1}, "Valid: 'poor', 'rich'"),
        ({"data": X}, "background="),
        ({"y": Y[:3]}, "3"),
    ],
)
def test_explain_names_what_it_wanted(model, options, words):
    with pytest.raises(wg.InputError, match=words):
        wg.explain(model, X[:2], **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": {"agee": {}}}, "Did you mean 'age'"),
        ({"columns": {"age": {"unti": "{}"}}}, "Did you mean 'unit'"),
        ({"labels": {"titel": "x"}}, "Did you mean 'title'"),
        ({"outputs": "ab"}, "list of different names"),
        ({"outputs": ["a", "a"]}, "list of different names"),
        ({"protected": ["agee"]}, "Did you mean 'age'"),
        ({"feature_names": ["a"]}, "1 names, X has 3"),
    ],
)
def test_wrap_names_what_it_wanted(estimator, options, words):
    with pytest.raises(wg.InputError, match=words):
        wg.wrap(estimator, X, Y, **options)


def test_what_would_be_ignored_is_refused(estimator, model):
    with pytest.raises(wg.InputError, match="wrapped already"):
        wg.wrap(model, X)
    with pytest.raises(wg.InputError, match="without X"):
        wg.wrap(estimator, y=Y)
    with pytest.raises(wg.InputError, match="2 results"):
        wg.show(wg.explain(model, X[:2]), wg.explain(model, X[2:4]))
    with pytest.raises(wg.InputError, match="split marks"):
        wg.show(model, split=["train"] * 200)
    with pytest.raises(wg.InputError, match="one entry for each of the 200"):
        wg.show(model, data=X, split=["train"])
    with pytest.raises(wg.InputError, match="'trian'"):
        wg.show(model, data=X, split=["trian"] * 200)


def test_a_bare_estimator_without_data_says_what_stood_in(estimator):
    why = wg.explain(estimator, X[:50], y=Y[:50], space="probability")
    assert why.background_note == "all 50 explained rows"
    assert why.provenance.params["unknown"] == why.background_note
    assert why.dataset.y.tolist() == Y[:50].tolist()
    assert "200 of 200" not in wg.explain(estimator, X[:5], data=X, space="probability").background_note


def test_a_model_without_rows_is_shown_against_the_rows_shown(estimator, tmp_path):
    bare = wg.wrap(estimator)
    with pytest.raises(wg.InputError, match="background="):
        wg.explain(bare, X[:2], space="probability")
    with pytest.raises(wg.InputError, match="no rows to show"):
        wg.show(bare)
    every_way_out(wg.explain(bare, X[:20]), tmp_path)


def measured(estimator, y, **options):
    return wg.show(wg.wrap(estimator, X, y, **options)).meta["metrics"]["n_measured"]


def test_recorded_outcomes_meet_the_classes_or_are_refused(estimator):
    coded = GradientBoostingClassifier(n_estimators=3).fit(X, CODES)
    flags = GradientBoostingClassifier(n_estimators=3).fit(X, CODES.astype(bool))
    assert measured(estimator, Y) == 200
    assert measured(estimator, np.where(np.arange(200) < 5, "else", Y)) == 195
    assert measured(coded, CODES.astype(float)) == 200
    assert measured(coded, CODES, outputs=["poor", "rich"]) == 200
    assert measured(flags, CODES.astype(bool)) == measured(flags, CODES) == 200
    with pytest.raises(wg.InputError, match=r"'rich'.*predicts none: '0', '1'"):
        measured(coded, Y)
    with pytest.raises(wg.InputError, match="no number"):
        measured(RandomForestRegressor(2).fit(X, X["age"]), Y)
    two = np.column_stack([X["age"], X["hours"]])
    assert measured(LinearRegression().fit(X, two), two) == 200


# --- files


@pytest.mark.parametrize("suffix", ["arrow", "json", "parquet", "html"])
def test_a_file_that_cannot_be_written_leaves_nothing(model, suffix, tmp_path):
    why = wg.explain(model, X[:2])
    taken = tmp_path / f"taken.{suffix}"
    taken.mkdir()
    for target in (taken, tmp_path / "nowhere" / f"why.{suffix}"):
        with pytest.raises(wg.InputError, match=r"cannot be written|no folder"):
            why.save(target)
    assert list(tmp_path.iterdir()) == [taken]
    with pytest.raises(wg.InputError, match="Valid: 'arrow'"):
        why.save(tmp_path / "why.xlsx")


def places(item, at=()):
    if at:
        yield at
    if isinstance(item, dict | list):
        keys = item if isinstance(item, dict) else range(min(len(item), 2))
        for key in keys:
            yield from places(item[key], (*at, key))


HOSTILE = [None, 5, -1, "<script>", [], {}, True, 1e400, [1, 2], [[1]]]


def test_a_hostile_result_is_refused_or_harmless(model, tmp_path):
    source = json.loads(wg.explain(model, X[:3]).save(tmp_path / "why.json").read_text())
    refused = 0
    for place in list(places(source)):
        for value in HOSTILE:
            document = copy.deepcopy(source)
            item = document
            for key in place[:-1]:
                item = item[key]
            item[place[-1]] = value
            (tmp_path / "hostile.json").write_text(json.dumps(document))
            try:
                back = wg.load(tmp_path / "hostile.json")
                assert isinstance(back, Attribution)
                repr(back)
                back[0].to_frame()
                wg.show(back).fallback()
            except wg.InputError:
                refused += 1
    assert refused > 500


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"[" * 100_000, b'{"whyglass": 2}', b"\x80\x04K\x01.", b"ARROW1\x00\x00cut"])
@pytest.mark.parametrize("suffix", ["arrow", "json"])
def test_a_damaged_result_is_an_input_error(content, suffix, tmp_path):
    file = tmp_path / f"why.{suffix}"
    file.write_bytes(content)
    with pytest.raises(wg.InputError, match=r"why\."):
        wg.load(file)


def test_a_loaded_result_shows_the_positive_class_and_more_rows_than_a_sample(estimator, tmp_path):
    frame, y = table(900)
    why = wg.explain(wg.wrap(estimator, frame, y), frame, space="probability", method="shap", background=frame[:5])
    back = wg.load(why.save(tmp_path / "why.arrow"))
    view = wg.show(back)
    assert view.meta["outputs"][view.meta["output"]] == "rich"
    view.save(tmp_path / "why.html")
    with pytest.raises(wg.InputError, match="Pass model="):
        wg.show(back, data=frame)


def test_rows_are_chosen_by_number(model):
    why = wg.explain(model, X[:3])
    assert why[[0]] == why[0]
    assert why[np.array([True, True, True])] == why
    for key in ("age", [7], np.array([True])):
        with pytest.raises(wg.InputError, match="mask of 3 entries"):
            why[key]
