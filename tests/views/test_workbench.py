"""The workbench's meta, tables, answers and frozen form, read back as a page would read them."""

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

import whyglass as wg
from whyglass.views.naming import counted


class Turn:
    def __init__(self):
        self.parts = []
        self.cancelled = False

    def progress(self, answer):
        self.parts.append(answer)


def read(table):
    return pa.ipc.open_stream(io.BytesIO(table)).read_all()


def ask(view, action, **args):
    return view.actions[action].run(args, Turn())


def people(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(17, 90, rows),
            "pay": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(20, 5, rows)),
            "job": pd.Categorical(rng.choice(["clerk", "nurse", "<b>chef</b>"], rows)),
        },
        index=[f"p{i}" for i in range(rows)],
    )
    y = (X["age"] + 2 * X["pay"].fillna(10) > 90).astype(int).to_numpy()
    return X, y


@pytest.fixture(scope="module")
def model():
    X, y = people()
    fitted = HistGradientBoostingClassifier(max_iter=12, categorical_features="from_dtype", random_state=0).fit(X, y)
    return wg.wrap(fitted, X, y, protected=["age"], labels={"outcome": "earn more", "noun": "people"})


@pytest.fixture(scope="module")
def view(model):
    X, y = people(120, seed=1)
    return wg.show(wg.explain(model, X), y=y)


def test_meta_is_json_and_complete(view):
    meta = json.loads(json.dumps(view.meta, allow_nan=False))
    assert meta["n_rows"] == 420
    assert meta["outputs"] == ["0", "1"]
    assert meta["output"] == 1
    assert [c["name"] for c in meta["columns"]] == ["age", "pay", "job"]
    assert meta["columns"][0]["role"] == "protected"
    assert meta["page_model"]["kind"] == "forest"
    assert meta["outcome"] == "earn more"
    assert 0 < meta["base"] < 1
    assert meta["metrics"]["n_test"] == 120
    assert meta["metrics"]["measured_on"] == "held-out"
    assert len(meta["calibration"]) == 101
    json.dumps(view.state, allow_nan=False)
    assert "values" not in meta["columns"][2], "the categories are what is written"


def test_every_row_travels_with_its_prediction(view, model):
    X, y = people(120, seed=1)
    T, _ = people()
    tables = [read(view.first["cases"])] + [read(ask(view, "table", name=f"cases:{a}:{b}").buffers[0]) for a, b in view.meta["chunks"][1:]]
    whole = pa.concat_tables(tables)
    assert whole["id"].to_pylist() == list(range(420))
    assert whole["split"].to_pylist() == [1] * 120 + [0] * 300
    expected = np.concatenate([model.predict(X), model.predict(T)])[:, 1]
    assert np.allclose(whole["p"].to_numpy(), expected, atol=1e-7)
    assert np.array_equal(whole["y"].to_numpy()[:120], y)
    assert np.array_equal(whole["f0"].to_numpy()[:120], X["age"])
    assert np.array_equal(whole["f1"].to_numpy()[:120], X["pay"], equal_nan=True)
    assert np.array_equal(whole["f2"].to_numpy()[:120], X["job"].cat.codes)


def test_wrong_tables_and_rows_are_refused(view):
    for name in ("nothing", "cases:0:99999", "cases:5:1", "cases:a:b", "cases:1"):
        with pytest.raises(wg.InputError):
            ask(view, "table", name=name)
    for rows in (None, "x", [[1, 2]], [["a", 1, 2]]):
        with pytest.raises(wg.InputError):
            ask(view, "predict", rows=rows)


def test_predictions_and_curves_are_the_models(view, model):
    X, _ = people(120, seed=1)
    encoded = model.encode(X).matrix
    row = [None if np.isnan(v) else float(v) for v in encoded[3]]
    assert np.allclose(ask(view, "predict", rows=[row]).value["p"], model.predict(X.iloc[[3]]))
    curves = ask(view, "curves", row=row).value["curves"]
    for j, column in enumerate(view.meta["columns"]):
        stops = range(len(column["categories"])) if column["kind"] == "categorical" else column["grid"]
        assert len(curves[j]) == len(list(stops))
        at = encoded[[3] * len(curves[j])].copy()
        at[:, j] = list(stops)
        assert np.allclose(curves[j], model.predict_matrix(at)[:, 1])


def test_one_case_is_explained_exactly_in_points_and_in_margin(view, model):
    X, _ = people(120, seed=1)
    row = [None if np.isnan(v) else float(v) for v in model.encode(X[:1]).matrix[0]]
    points = ask(view, "explain", row=row).value
    assert points["exact"]
    assert points["space"] == "probability"
    assert points["base"] == pytest.approx(view.meta["base"], abs=1e-9)
    assert points["base"] + sum(points["values"]) == pytest.approx(points["prediction"], abs=1e-9)
    margin = ask(view, "explain", row=row, space="margin").value
    assert np.allclose(margin["values"], wg.explain(model, X[:1]).values[0, :, 0])


def test_the_sample_is_in_display_space(view, model):
    sample = read(ask(view, "table", name="sample").buffers[0])
    ids = sample["id"].to_numpy()
    values = np.column_stack([sample[f"s{j}"].to_numpy() * sample["step"].to_numpy() for j in range(3)])
    X, _ = people(120, seed=1)
    assert set(ids) <= set(range(120))
    assert np.allclose(view.meta["base"] + values.sum(axis=1), model.predict(X)[ids, 1], atol=1e-3)


def test_the_map_has_a_place_for_everyone(view):
    places = read(ask(view, "table", name="map").buffers[0])
    assert places.num_rows == 420
    assert len(np.unique(places["x"].to_numpy())) > 50


def test_selected_rows_come_back_in_the_callers_frame(view):
    X, _ = people(120, seed=1)
    T, _ = people()
    view.selection = [3, 5]
    pd.testing.assert_frame_equal(view.selected_frame(), X.iloc[[3, 5]])
    view.selection = [119, 120]
    pd.testing.assert_frame_equal(view.selected_frame(), pd.concat([X.iloc[[119]], T.iloc[[0]]]))


def test_a_frozen_page_carries_its_model_or_says_that_it_does_not(view):
    meta, tables = view.freeze()
    assert not meta["live"]
    assert {"cases", "model", "background", "sample", "map"} <= set(tables)
    assert meta["frozen"]["rows_shown"] == 120
    assert "all 120 held-out people" in meta["frozen"]["note"]
    meta, tables = view.freeze(embed_model=False, rows=50, keep=())
    assert meta["page_model"]["kind"] == "none"
    assert "50 of 120" in meta["frozen"]["note"]
    assert "model" not in tables
    cases, curves = read(tables["cases"]), read(tables["curves"])
    assert read(tables["sample"])["id"].to_pylist() == cases["id"].to_pylist()
    grid = meta["curves"]["grids"][2]
    steps = np.cumsum([curves[f"c2_{i}"][0].as_py() for i in range(len(grid))]) % 256
    drawn = meta["curves"]["low"] + meta["curves"]["step"] * steps
    here = grid.index(cases["f2"][0].as_py())
    assert drawn[here] == pytest.approx(cases["p"][0].as_py(), abs=meta["curves"]["step"])
    json.dumps(meta, allow_nan=False)


def test_a_saved_result_is_shown_without_its_model(model, tmp_path):
    X, _ = people(20, seed=2)
    why = wg.load(wg.explain(model, X, space="probability").save(tmp_path / "why.arrow"))
    view = wg.show(why)
    assert view.meta["page_model"]["kind"] == "none"
    assert set(view.actions) == {"table"}
    assert read(ask(view, "table", name="sample").buffers[0]).num_rows == 20


def test_an_opaque_regression_streams_coarse_to_fine():
    numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 13)), columns=[f"c{i}" for i in range(13)])
    model = wg.wrap(lambda F: np.sin(F["c0"].to_numpy()) * F["c1"].to_numpy(), numbers, task="regression")
    view = wg.show(model)
    assert view.meta["scale"] == "value"
    turn = Turn()
    last = view.actions["explain"].run({"row": numbers.iloc[0].tolist()}, turn).value
    assert len(turn.parts) >= 3
    widths = [max(p.value["errors"]) for p in turn.parts]
    assert widths[-1] <= widths[0]
    assert last["base"] + sum(last["values"]) == pytest.approx(last["prediction"], abs=1e-6)


def test_a_linear_model_travels_too():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
    view = wg.show(wg.wrap(LinearRegression().fit(X, X["a"] * 2), X, X["a"] * 2))
    assert view.meta["page_model"]["kind"] == "linear"


def test_one_failing_row_is_left_blank():
    X, _ = people(30)

    def touchy(frame):
        if (frame["age"] == X["age"].iloc[4]).any():
            raise ValueError("no")
        return frame["age"].to_numpy() / 100

    model = wg.wrap(touchy, X[:4], task="regression")
    view = wg.show(model, data=X)
    p = read(view.first["cases"])["p"].to_numpy()
    assert np.isnan(p[4])
    assert np.isfinite(p[0])


def test_numbers_agree_with_their_nouns():
    assert [counted(n, "people", "held-out ") for n in (1, 2000)] == ["1 held-out person", "2,000 held-out people"]
    assert [counted(n, "loans") for n in (0, 1, 2)] == ["0 loans", "1 loan", "2 loans"]


def test_it_opens_on_a_row_that_was_asked_about():
    X, y = people(60)
    model = wg.wrap(LogisticRegression().fit(X[["age"]], y), X[["age"]], y)
    p = model.predict(X[["age"]])[:, 1]
    far = X[["age"]].iloc[[int(np.argmin(p))]].assign(age=lambda frame: frame["age"] + 0.25)
    assert (np.abs(p - 0.65) < np.abs(model.predict(far)[0, 1] - 0.65)).any()  # a row of wrap's own would be the more telling one
    assert wg.show(wg.explain(model, far)).state["case"] == 0
