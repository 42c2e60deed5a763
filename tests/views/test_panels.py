"""What the panels beside a case ask: flips obey their locks, rules and effects are the methods' own, nothing is offered without a model."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import whyglass as wg
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.rules import Predicate, Rule, Rules
from whyglass.views import panels


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
    X["job"] = pd.Categorical(rng.choice(["sales", "chief", "clerk"], 300))
    pay = X["hours"] * 0.05 + X["school"] * 0.3 + (X["job"] == "chief") * 2 + X["age"] * 0.01
    return X, pay.to_numpy()


@pytest.fixture(scope="module")
def view(table):
    X, pay = table
    y = (pay > 5).astype(int)
    fitted = HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype", random_state=0).fit(X, y)
    return wg.show(wg.wrap(fitted, X, y, protected=["age"]))


@pytest.fixture(scope="module")
def rows(table):
    X = table[0]
    codes = X["job"].cat.codes
    return X.drop(columns="job").assign(job=codes).astype(float).to_numpy().tolist()


def ask(view, action, **args):
    turn = Turn()
    return view.actions[action].run(args, turn).value, turn


def test_a_live_model_says_what_it_can_give(view):
    parts = view.meta["parts"]
    assert (parts["counterfactuals"], parts["effects"], parts["influence"], parts["verdict"]) == (True, True, False, False)
    json.dumps(view.meta)


def test_reports_and_results_without_their_model_offer_nothing(view, table):
    frozen, _ = view.freeze()
    assert not any(frozen["parts"].values())
    X, pay = table
    why = wg.explain(HistGradientBoostingRegressor(max_iter=3).fit(X[["hours", "age"]], pay), X[["hours", "age"]][:20])
    alone = wg.show(wg.Attribution.from_wire(*why.to_wire()))
    assert not any(alone.meta["parts"].values())
    assert not {"flips", "rule", "effect"} & set(alone.actions)


def test_flips_lead_to_the_other_class_and_leave_protected_columns_alone(view, rows):
    for row in rows[:3]:
        found, _ = ask(view, "flips", row=row)
        was = ask(view, "predict", rows=[row])[0]["p"][0][1] >= 0.5
        assert 1 <= len(found["found"]) <= 3
        assert found["found"] == sorted(found["found"], key=lambda f: f["distance"])
        changed = [j for flip in found["found"] for j, _ in flip["changes"]]
        assert len(changed) == len(set(changed)), "each by other facts"
        for flip in found["found"]:
            new = list(row)
            for j, value in flip["changes"]:
                assert j != 2, "age is protected, so it is held"
                new[j] = value
            p = ask(view, "predict", rows=[new])[0]["p"][0][1]
            assert (p >= 0.5) != was
            assert flip["p"] == pytest.approx(p)
            assert flip["said"] == int(p >= 0.5)


def test_locks_hold_and_point_the_way(view, rows):
    row = rows[0]
    held, _ = ask(view, "flips", row=row, locks={"0": "held", "1": "held", "3": "held"})
    assert held["found"] == []
    assert held["note"]
    assert held["settled"] is True
    rises, _ = ask(view, "flips", row=row, locks={"0": "rises", "1": "falls", "2": "free"})
    for flip in rises["found"]:
        changes = dict(flip["changes"])
        assert changes.get(0, row[0]) >= row[0]
        assert changes.get(1, row[1]) <= row[1]


def test_a_lock_that_is_not_understood_is_refused(view, rows):
    for locks in ({"0": "shut"}, {"9": "held"}, ["held"]):
        with pytest.raises(InputError, match="lock"):
            ask(view, "flips", row=rows[0], locks=locks)


def test_a_regression_crosses_the_line_it_is_given(table, rows):
    X, pay = table
    model = wg.wrap(HistGradientBoostingRegressor(max_iter=8, categorical_features="from_dtype").fit(X, pay), X, pay)
    view = wg.show(model)
    assert view.meta["parts"]["counterfactuals"]
    line = view.meta["base"]
    for row in rows[:2]:
        above = ask(view, "predict", rows=[row])[0]["p"][0][0] > line
        found, _ = ask(view, "flips", row=row, line=line)
        assert found["found"]
        assert all((flip["p"] <= line) if above else (flip["p"] >= line) for flip in found["found"])
    with pytest.raises(InputError, match="line="):
        ask(view, "flips", row=rows[0])


def scripted(share, turn, status="ok"):
    """What is asked when each call takes this share of its time, and finds one change of the only column."""
    calls = []

    def answer(_rows, *, budget, params, **_options):
        calls.append(budget)
        case = SimpleNamespace(proven=False, gap=np.inf, distance=1.0, prediction=np.zeros(2), encoded=np.zeros(1), changed=(0,))
        case.plausibility, case.schema = (1.0, "of them"), [SimpleNamespace(name="x"), SimpleNamespace(name="y")]
        return SimpleNamespace(
            status=(status if budget == "400ms" else "ok",),
            cases=(() if "x" in params["immutable"] else (case,),),
            notes=("every column is held" if "x" in params["immutable"] else "",),
            background_note="",
            provenance=SimpleNamespace(seconds=share * float(budget[:-2]) / 1000),
        )

    model = SimpleNamespace(task="classification", outputs=("a", "b"), can={"trees"}, data=[0])
    columns = (SimpleNamespace(name="x", role="feature", kind="numeric", ordered=False),)
    shown = SimpleNamespace(schema=SimpleNamespace(columns=columns))
    subject = SimpleNamespace(model=model, ask=answer, shown=shown, output=1, space="probability", rows=lambda m: m)
    last = panels.flips(subject, np.zeros((1, 1)), {}, turn)
    return calls, last.value


def test_a_search_that_ran_out_of_time_is_given_more():
    turn = Turn()
    calls, last = scripted(1.0, turn)
    assert calls == ["400ms", "400ms", "3000ms", "3000ms"]
    assert [part.value["settled"] for part in turn.parts] == [False]
    assert (last["settled"], len(last["found"]), last["note"]) == (True, 1, "every column is held")


def test_a_first_search_spent_on_compiling_is_no_failure():
    calls, last = scripted(1.0, Turn(), status="the time budget ran out before this row")
    assert (calls, last["settled"]) == (["400ms", "3000ms", "3000ms"], True)
    with pytest.raises(UnsupportedError, match="no number"):
        scripted(0.1, Turn(), status="no number")


def test_a_search_that_ended_early_or_is_not_wanted_is_left_at_that():
    assert scripted(0.1, Turn())[0] == ["400ms", "400ms"]
    turn = Turn()
    turn.cancelled = True
    assert scripted(1.0, turn)[0] == []


def test_the_effect_is_partial_dependence_with_the_own_curve_beside_it(view, table, rows):
    X, _ = table
    for j, name in ((0, "hours"), (3, "job")):
        found, _ = ask(view, "effect", row=rows[5], column=j)
        points = found["points"]
        assert len(points) == len(found["mean"]) == len(found["own"]) == len(found["errors"]) == len(found["away"])
        own, mean = [], []
        for k in (0, len(points) - 1):
            moved = [[points[k] if c == j else v for c, v in enumerate(row)] for row in rows]
            p = np.array(ask(view, "predict", rows=moved)[0]["p"])[:, 1]
            own.append(p[5])
            mean.append(p.mean())
        assert [found["own"][0], found["own"][-1]] == pytest.approx(own, abs=1e-9)
        assert found["rows"] == len(X)
        assert [found["mean"][0], found["mean"][-1]] == pytest.approx(mean, abs=1e-9)
        assert name in X


def test_an_effect_of_no_column_is_refused(view, rows):
    for column in (4, -1, "hours", True, None):
        with pytest.raises(InputError, match="column"):
            ask(view, "effect", row=rows[0], column=column)


def test_a_rule_travels_with_its_conditions_and_its_interval(view, rows, monkeypatch):
    subject = view.actions["rule"].run.__self__.subject
    column = subject.shown.schema[0]
    rule = Rule((Predicate(column, 0, low=20.0),), "1", 0.96, (0.9, 0.99), "interventional", 0.25, True, schema=subject.shown.schema)

    def answer(asked, *, method, **_options):
        assert method == "anchors"
        return Rules(rules=(rule,), dataset=asked, background_note="rows like the training rows")

    monkeypatch.setattr(panels, "_asker", lambda *_: answer)
    found, _ = ask(view, "rule", row=rows[0])
    assert (found["precision"], found["low"], found["high"], found["coverage"], found["met"]) == (0.96, 0.9, 0.99, 0.25, True)
    assert [(p["at"], p["low"], p["high"]) for p in found["predicates"]] == [(0, 20.0, None)]
    json.dumps(found)


def test_a_row_that_cannot_be_asked_about_says_why(view, rows, monkeypatch):
    def answer(asked, **_options):
        status = ("the model does not answer this row with a number",)
        return SimpleNamespace(status=status, provenance=SimpleNamespace(seconds=0.0), background_note="", notes=("",))

    monkeypatch.setattr(panels, "_asker", lambda *_: answer)
    for action in ("flips", "rule"):
        with pytest.raises(UnsupportedError, match="does not answer"):
            ask(view, action, row=rows[0])
