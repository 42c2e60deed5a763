"""Rules, counterfactuals and curves on their own: what their pages carry, what they may ask, what a saved page still says."""

import base64
import gzip
import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import whyglass as wg
from whyglass.core.container import unpack_message
from whyglass.core.curves import Curves
from whyglass.core.errors import InputError
from whyglass.core.wire import from_wire
from whyglass.hosts import html
from whyglass.views.naming import in_page

EVIL = "<script>alert(1)</script>"


class Turn:
    cancelled = False

    def __init__(self):
        self.parts = []

    def progress(self, answer):
        self.parts.append(answer)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"hours": rng.integers(10, 70, 300), "school": rng.integers(1, 16, 300), "age": rng.integers(18, 80, 300)})
    X["job"] = pd.Categorical(rng.choice(["sales", EVIL, "clerk"], 300))
    return X, (X["hours"] * 0.05 + X["school"] * 0.3 + (X["job"] == EVIL) * 2).to_numpy()


@pytest.fixture(scope="module")
def model(table):
    X, pay = table
    y = np.where(pay > 5, "rich", "poor")
    fitted = HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype", random_state=0).fit(X, y)
    return wg.wrap(fitted, X, y, protected=["age"], labels={"noun": "people", "positive": "rich", "outcome": "be rich"})


@pytest.fixture(scope="module")
def flips(model, table):
    return wg.explain(model, table[0][:6], method="counterfactual", k=2, increase_only=["school"])


@pytest.fixture(scope="module")
def rules(model, table):
    return wg.explain(model, table[0][:6], method="anchors")


@pytest.fixture(scope="module")
def pdp(model, table):
    return wg.explain(model, table[0][:50], method="pdp", features=["hours", "job"], pairs=[("hours", "job")], grid=12)


def told(view, name):
    return json.loads(view.first[name])


def carried(page):
    """Meta, state and tables of a saved page."""
    text = page.read_text()
    packed = re.search(r'id="wg-payload">([^<]*)<', text)[1]
    digits = packed.encode().translate(bytes.maketrans(b".,:", b"&<>"))
    message, buffers = unpack_message(gzip.decompress(base64.b85decode(digits)))
    return message, buffers, text


def test_a_page_of_rules_says_what_each_rule_says(rules, model):
    view = wg.show(rules)
    entries = told(view, "rules")
    assert [e["met"] for e in entries] == [r.met for r in rules.rules]
    assert [[p["text"] for p in e["predicates"]] for e in entries] == [[p.text for p in r.predicates] for r in rules.rules]
    assert [e["precision"] for e in entries] == [r.precision for r in rules.rules]
    rows = told(view, "rows")
    assert rows["ids"] == list(range(6))
    assert rows["p"] == pytest.approx(model.predict_matrix(rules.dataset.matrix)[:, model.outputs.index("rich")])
    assert (view.module, view.meta["can_ask"], view.state["precision"]) == ("results", True, 0.95)


def test_another_precision_is_asked_with_the_parameters_of_the_call(model, table):
    view = wg.show(wg.explain(model, table[0][:3], method="anchors", max_predicates=1))
    row = told(view, "rows")["values"][0]
    found = view.actions["rule"].run({"row": row, "precision": 0.6}, Turn()).value
    same = wg.explain(model, table[0][:1], method="anchors", max_predicates=1, precision=0.6, budget=None)[0]
    assert len(found["predicates"]) <= 1
    assert [p["text"] for p in found["predicates"]] == [p.text for p in same.predicates]
    for wrong in (0, 1.0, "0.9", None, True):
        with pytest.raises(InputError, match="precision"):
            view.actions["rule"].run({"row": row, "precision": wrong}, Turn())


def test_the_first_state_is_how_the_changes_were_asked(flips):
    view = wg.show(flips)
    state = {k: view.state[k] for k in ("locks", "likely", "k")}
    assert state == {"locks": {"1": "rises"}, "likely": True, "k": 2}
    entries = told(view, "flips")
    assert [len(e["found"]) for e in entries] == [len(c) for c in flips.cases]
    for entry, cases in zip(entries, flips.cases, strict=True):
        for flip, case in zip(entry["found"], cases, strict=True):
            assert dict(flip["changes"]) == {j: case.encoded[j] for j in case.changed}
            assert flip["p"] == pytest.approx(case.prediction[1])
            assert (flip["proven"], flip["distance"]) == (case.proven, case.distance)


def test_changed_locks_are_solved_again_and_obeyed(flips, model):
    view = wg.show(flips)
    at = next(i for i, cases in enumerate(flips.cases) if cases)
    row = told(view, "rows")["values"][at]

    def solve(**args):
        return view.actions["flips"].run({"row": row, "locks": view.state["locks"], "k": 2, "likely": True, **args}, Turn()).value

    same = solve()
    assert same["found"] == told(view, "flips")[at]["found"], "the same locks give the same answer"
    was = model.predict_matrix(np.array([row]))[0].argmax()
    held = solve(locks={"0": "held", "3": "held"})
    for flip in held["found"]:
        changed = dict(flip["changes"])
        assert not {0, 2, 3} & set(changed), "age is protected"
        new = np.array([changed.get(j, v) for j, v in enumerate(row)])
        assert model.predict_matrix(new[None, :])[0].argmax() != was
    down = solve(locks={"1": "falls"}, k=3)
    assert all(value <= row[1] for flip in down["found"] for j, value in flip["changes"] if j == 1)
    nothing = solve(locks=dict.fromkeys("0123", "held"))
    assert (nothing["found"], nothing["settled"]) == ([], True)
    assert nothing["note"]
    with pytest.raises(InputError, match="not understood"):
        solve(locks={"0": "shut"})
    for wrong in (0, 10, "2", True, None):
        with pytest.raises(InputError, match="k="):
            solve(k=wrong)


@pytest.mark.parametrize("make", ["flips", "workbench"])
def test_python_writes_locks_by_name_and_hears_the_page(flips, model, make):
    view = wg.show(flips) if make == "flips" else wg.show(model)
    heard = []
    view.on("state", lambda state: heard.append(state["locks"]))
    view.state = {"locks": {"hours": "held", "2": "free"}}
    assert view.state["locks"] == {"0": "held", "2": "free"}
    view.update({"locks": {"1": "falls"}}, source="a page")
    assert heard == [{"0": "held", "2": "free"}, {"1": "falls"}]
    for wrong in ({"hour": "held"}, {"hours": "shut"}, ["hours"], {"9": "held"}):
        with pytest.raises(InputError, match="lock"):
            view.state = {"locks": wrong}
    assert view.state["locks"] == {"1": "falls"}


def test_freed_protected_columns_are_shown_as_free(model, table):
    view = wg.show(wg.explain(model, table[0][:2], method="counterfactual", immutable=["hours"], plausible=False))
    assert view.state["locks"] == {"0": "held", "2": "free"}
    assert view.state["likely"] is False
    assert view.meta["python"]["call"] == "wg.explain(model, X_test, method=\"counterfactual\", immutable=['hours'], plausible=False)"


def numbers(view, name):
    return np.frombuffer(view.first[name], dtype="<f4")


def test_charts_hold_the_curves(pdp):
    view = wg.show(pdp)
    keys = [tuple(chart["columns"]) for chart in view.meta["charts"]]
    assert keys == [(0,), (3,), (0, 3)]
    for at, key in enumerate(pdp.keys):
        assert numbers(view, f"v{at}") == pytest.approx(pdp.values[key].reshape(-1), rel=1e-6)
        assert numbers(view, f"e{at}") == pytest.approx(pdp.std_errors[key].reshape(-1), rel=1e-5)
    assert view.meta["charts"][0]["away"] == pytest.approx(pdp.extrapolation["hours"])
    assert view.meta["charts"][2]["strength"] == pytest.approx(pdp.strength["hours", "job"])


def test_the_chosen_row_has_its_own_curve_where_the_model_is(pdp, model):
    view = wg.show(pdp)
    row = told(view, "rows")["values"][4]
    own = view.actions["own"].run({"row": row, "output": 1}, Turn()).value
    points, values = own["0"]
    assert points == view.meta["charts"][0]["points"][0]
    moved = np.repeat(np.array([row]), len(points), axis=0)
    moved[:, 0] = points
    assert values == pytest.approx(model.predict_matrix(moved)[:, 1], abs=1e-9)


def test_individual_curves_are_a_seeded_sample_beside_the_average_of_all(model, table):
    ice = wg.explain(model, table[0], method="ice", features=["hours"], grid=8)
    view = wg.show(ice)
    lines = view.meta["lines"]
    assert (len(lines), lines) == (200, sorted(set(lines)))
    assert numbers(view, "l0").reshape(200, -1, 2) == pytest.approx(ice.values["hours"][lines], rel=1e-6)
    assert numbers(view, "v0") == pytest.approx(ice.values["hours"].mean(axis=0).reshape(-1), rel=1e-6)
    expected = ice.values["hours"].std(axis=0, ddof=1).reshape(-1) / np.sqrt(len(ice))
    assert numbers(view, "e0") == pytest.approx(expected, rel=1e-5, abs=1e-9)
    assert "own" not in view.actions


@pytest.mark.parametrize("kind", ["rules", "flips", "pdp"])
def test_a_saved_page_says_the_same_and_holds_no_markup_from_data(kind, request, tmp_path):
    made = request.getfixturevalue(kind)
    view = wg.show(made)
    view.state = {"case": 3}
    message, buffers, text = carried(html.save(view, tmp_path / "made.html"))
    assert (message["meta"]["live"], message["meta"]["can_ask"], message["state"]["case"]) == (False, False, 3)
    assert message["meta"]["frozen"]["date"]
    assert buffers
    assert EVIL not in text
    assert EVIL not in view.fallback()
    assert "http://" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize("kind", ["rules", "flips", "pdp"])
def test_without_its_model_a_result_is_shown_and_nothing_is_asked(kind, request):
    made = request.getfixturevalue(kind)
    again = wg.show(from_wire(*made.to_wire()))
    assert (again.actions, again.meta["can_ask"], again.meta["live"]) == ({}, False, False)
    live = wg.show(made)
    for name, table in live.first.items():
        if name not in ("rows", "flips"):
            assert again.first[name] == table, name
    assert set(told(again, "rows")["p"]) == {None}
    assert wg.show(from_wire(*made.to_wire()), model=made.model).meta["can_ask"] is True


@pytest.mark.parametrize("kind", ["rules", "flips", "pdp"])
def test_other_rows_or_another_models_columns_are_refused(kind, request, table):
    made = request.getfixturevalue(kind)
    with pytest.raises(InputError, match="own rows"):
        wg.show(made, data=table[0])
    other = wg.wrap(lambda X: X["a"].to_numpy(), pd.DataFrame({"a": [0.0, 1.0]}), task="regression")
    with pytest.raises(InputError, match="columns"):
        wg.show(made, model=other)


def test_rows_that_could_not_be_asked_about_say_why(table):
    X, pay = table
    model = wg.wrap(lambda F: np.where(F["hours"] > 60, np.nan, F["hours"] * 1.0), X, pay, task="regression")
    rows = X[X["hours"] > 60][:2]
    for method in ("counterfactual", "anchors"):
        made = wg.explain(model, rows, method=method, budget=200, **({"target": (0.0, 5.0)} if method == "counterfactual" else {}))
        view = wg.show(made)
        entry = told(view, view.name if view.name == "rules" else "flips")[0]
        assert entry["status"] == made.status[0] != "ok"
        assert made.status[0] in view.fallback().replace("&gt;", ">")


def test_a_regression_keeps_its_target_when_locks_change(table):
    X, pay = table
    model = wg.wrap(HistGradientBoostingRegressor(max_iter=8, categorical_features="from_dtype", random_state=0).fit(X, pay), X, pay)
    made = wg.explain(model, X[:3], method="counterfactual", target=(6.5, None))
    view = wg.show(from_wire(*made.to_wire()), model=model)
    row = told(view, "rows")["values"][0]
    found = view.actions["flips"].run({"row": row, "locks": {"2": "held"}, "k": 1, "likely": False}, Turn()).value["found"]
    assert found
    assert all(flip["p"] >= 6.5 for flip in found)


def test_no_rows_are_no_error(model, table):
    none = table[0][:0]
    for method in ("anchors", "counterfactual", "ice"):
        view = wg.show(wg.explain(model, none, method=method))
        assert told(view, "rows")["ids"] == []
        assert view.fallback().startswith("<svg")


def test_many_outputs_of_many_lines_travel_as_the_one_that_is_shown():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.random(200)})
    names = tuple(f"c{k}" for k in range(120))
    frame = wg.wrap(lambda F: np.ones((len(F), 120)) / 120, X, task="classification", outputs=list(names))
    points = np.linspace(0, 1, 100)
    values = {"a": rng.random((200, 100, 120))}
    made = Curves(kind="ice", keys=("a",), points={"a": points}, values=values, output_names=names, space="probability", dataset=frame.data)
    view = wg.show(made)
    assert view.meta["shown_outputs"] == [0]
    assert numbers(view, "l0").reshape(200, 100) == pytest.approx(values["a"][..., 0], rel=1e-6)


@pytest.mark.parametrize("method", ["pdp", "ice", "ale"])
def test_the_still_of_curves_names_columns_ends_and_intervals(model, table, method):
    made = wg.explain(model, table[0][:80], method=method, grid=8)
    text = wg.show(made).fallback()
    assert text.count('class="s"') == len(made.features)
    assert text.count('class="i"') >= 3, "a band for each number"
    assert text.count('class="p"') >= 3, "a mark for each category"
    assert ("points (" in text) == (method == "ale")
    assert "nan" not in text


@pytest.mark.parametrize(
    ("reason", "written"),
    [
        (
            "the best rule holds in more than 99 % of 241 draws (0.95 to 1.00, 0.99 was asked); a larger budget might (budget=8192)",
            "the best rule holds in more than 99% of 241 draws (95\N{EN DASH}100%, 99% was asked); a larger budget might",
        ),
        (
            "a budget of 16 draws is too small: a precision of 0.995 takes at least 1,000 of them to show with confidence 0.9",
            "a budget of 16 draws is too small: a precision of 99.5% takes at least 1,000 of them to show with confidence 90%",
        ),
        (
            "none exists under these constraints where training rows are (plausible=False looks beyond them) that changes other facts",
            "none exists under these constraints where training rows are that changes other facts",
        ),
        ("the bin 0.5 < rate (0 to 1) mixes answers most", "the bin 0.5 < rate (0 to 1) mixes answers most"),
    ],
)
def test_a_reason_is_written_for_readers_of_a_page(reason, written):
    assert in_page(reason) == written
