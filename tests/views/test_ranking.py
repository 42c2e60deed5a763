"""LIME and permutation importance on their own: the numbers that travel, the words beside them, the picture where no script runs."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor

import whyglass as wg
from whyglass.core.errors import InputError
from whyglass.views import ranking

NAME = 'pay <b>&amp; "bonus"</b>'


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    X = pd.DataFrame({NAME: rng.normal(50, 9, 240), "years": rng.integers(0, 30, 240), "noise": rng.normal(size=240)})
    X["job"] = pd.Categorical(rng.choice(["<script>", "chief", "clerk"], 240))
    score = X[NAME] / 9 + X["years"] * 0.2 + (X["job"] == "chief") * 2
    return X, (score > score.median()).astype(int).to_numpy()


@pytest.fixture(scope="module")
def model(table):
    X, y = table
    return wg.wrap(HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype", random_state=0).fit(X, y), X, y)


@pytest.fixture(scope="module")
def lime(model, table):
    rows = table[0][:12].copy()
    rows.loc[3, NAME] = np.inf
    return wg.explain(model, rows, method="lime", n_samples=600)


@pytest.fixture(scope="module")
def importance(model, table):
    return wg.explain(model, *table[:1], y=table[1], method="permutation")


def numbers(view, name, shape):
    return np.frombuffer(view.first[name], dtype="<f4").reshape(shape)


def test_what_travels_is_what_the_result_says(lime):
    view = wg.show(lime)
    assert (view.name, view.script, view.meta["view"], view.meta["mirrored"]) == ("ranking", "results.js", "ranking", True)
    values = numbers(view, "values", (12, 1, 4))
    assert np.array_equal(values[:, 0], lime.values[:, :, 1].astype(np.float32), equal_nan=True)
    assert np.array_equal(numbers(view, "errors", (12, 1, 4))[:, 0], lime.std_errors[:, :, 1].astype(np.float32), equal_nan=True)
    assert np.array_equal(numbers(view, "r2", (12, 1))[:, 0], lime.fidelity["r2"][:, 1].astype(np.float32), equal_nan=True)
    ties = np.frombuffer(view.first["tied"], dtype=np.uint8).reshape(12, 4)
    assert np.array_equal(ties, lime.fidelity["tied"][:, :, 1] == 1)
    assert view.meta["status"] == list(lime.status)
    assert view.meta["status"][3] != "ok"
    assert [f["name"] for f in view.meta["facts"]] == list(lime.feature_names)
    assert view.meta["draws"] == 600
    assert len(view.meta["edges"]) == 4
    rows = json.loads(view.first["rows"])
    assert rows["ids"] == list(range(12))
    assert rows["p"][0] == pytest.approx(lime.predictions[0, 1])
    json.dumps(view.meta)


def test_several_outputs_travel_all(table):
    X, y = table
    three = np.where(X["years"] > 20, 2, y)
    model = wg.wrap(HistGradientBoostingClassifier(max_iter=4, categorical_features="from_dtype").fit(X, three), X, three)
    lime = wg.explain(model, X[:5], method="lime", n_samples=300)
    view = wg.show(lime)
    assert view.meta["mirrored"] is False
    values = numbers(view, "values", (5, 3, 4))
    assert np.array_equal(values, lime.values.transpose(0, 2, 1).astype(np.float32))
    assert not np.array_equal(values, lime.values.reshape(5, 3, 4).astype(np.float32)), "the check sees outputs and columns mixed up"


def test_a_report_holds_the_same(lime, tmp_path):
    view = wg.show(lime)
    meta, tables = view.freeze()
    assert tables == view.first
    assert (meta["live"], meta["can_ask"]) == (False, False)
    text = lime.save(tmp_path / "lime.html").read_text()
    assert "<b>&amp;" not in text.replace("&lt;b&gt;", ""), "names from data are text"


def test_importance_is_one_row_with_its_metric(importance):
    view = wg.show(importance)
    told = view.meta["importance"]
    assert told == {"metric": "log loss", "base": pytest.approx(importance.base_values[0, 0]), "rows": 240, "permutations": "all"}
    assert "permutation importance, 240" in view.meta["subtitle"]
    assert view.meta["python"]["call"] == 'wg.explain(model, X_test, y=y_test, method="permutation")'
    assert np.array_equal(numbers(view, "values", (4,)), importance.values[0, :, 0].astype(np.float32))


def test_groups_go_by_their_names(model, table):
    both = wg.explain(model, table[0], y=table[1], method="permutation", metric="error", groups={"Both & more": [NAME, "years"]})
    view = wg.show(both)
    facts = {f["name"]: f["columns"] for f in view.meta["facts"]}
    assert facts["Both & more"] == [0, 1]
    assert view.meta["importance"]["metric"] == "share wrong"
    assert "metric='error'" in view.meta["python"]["call"]
    assert "Both &amp; more" in view.fallback()


def test_saved_results_are_shown_without_their_model(lime, importance):
    for result in (lime, importance):
        view = wg.show(wg.Attribution.from_wire(*result.to_wire()))
        assert (view.name, view.meta["can_ask"], view.meta["edges"]) == ("ranking", False, [])
        assert view.first["values"] == wg.show(result).first["values"]


@pytest.mark.parametrize("which", ["lime", "importance", "nothing", "failed"])
def test_the_picture_is_whole_and_holds_no_markup_of_the_data(which, lime, importance, request):
    result, row = {"lime": (lime, 0), "importance": (importance, 0), "nothing": (lime[:0], 0), "failed": (lime, 3)}[which]
    root = ET.fromstring(ranking.svg(result, row))  # noqa: S314  (drawn here)
    texts = [t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert not root.findall(".//{http://www.w3.org/2000/svg}b")
    if which in ("lime", "importance"):
        assert any(t.startswith('pay <b>&amp; "bonus"') for t in texts)
        bars = [b for b in root.iter("{http://www.w3.org/2000/svg}rect") if b.get("class") in ("u", "d", "n")]
        assert len(bars) == 4
        widths = [float(b.get("width")) for b in bars]
        assert widths == sorted(widths, reverse=True), "strongest first"
    else:
        assert any("No rows" in t or "could not be explained" in t for t in texts)


def test_bars_of_the_picture_are_in_proportion(importance):
    root = ET.fromstring(ranking.svg(importance))  # noqa: S314  (drawn here)
    widths = [float(b.get("width")) for b in root.iter("{http://www.w3.org/2000/svg}rect") if b.get("class") in ("u", "d", "n")]
    sizes = np.sort(np.abs(importance.values[0, :, 0]))[::-1]
    large = sizes > sizes[0] / 50
    assert np.array(widths)[large] / widths[0] == pytest.approx(sizes[large] / sizes[0], abs=0.01)


def test_many_rows_of_many_columns_travel_in_part(monkeypatch):
    monkeypatch.setattr(ranking, "MOST_NUMBERS", 6_000)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 50))
    model = wg.wrap(RandomForestRegressor(2, max_depth=2, random_state=0).fit(X, X[:, 0]), X, X[:, 0])
    lime = wg.explain(model, X, method="lime", sampling="exact")
    view = wg.show(lime)
    ids = json.loads(view.first["rows"])["ids"]
    assert len(ids) == 60
    assert np.array_equal(numbers(view, "values", (60, 50)), lime.values[ids, :, 0].astype(np.float32))
    assert "60 of them here, drawn at random" in view.meta["subtitle"]


def test_other_rows_and_other_models_are_refused(lime, table, model):
    with pytest.raises(InputError, match="own rows"):
        wg.show(lime, data=table[0][:3], model=None)
    with pytest.raises(InputError, match="3 results"):
        wg.show(lime, lime, lime)
    with pytest.raises(InputError, match="2 results"):
        wg.show(lime, wg.explain(model, table[0], y=table[1], method="permutation"))
