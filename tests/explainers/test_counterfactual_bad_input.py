"""Counterfactuals when the question, the row or the model is odd: a clear answer each, never an exception out of a batch."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import whyglass as wg
from whyglass.core.errors import InputError


def people(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.integers(18, 60, rows), "pay": np.round(rng.normal(30, 8, rows), 1), "days": rng.integers(0, 8, rows)})
    return frame, np.where(frame["age"] + frame["pay"] > 68, "yes", "no")


FRAME, Y = people()
MODEL = wg.wrap(RandomForestClassifier(12, max_depth=6, random_state=0).fit(FRAME, Y), FRAME, Y)
X = people(5, seed=3)[0]


def ask(model=MODEL, rows=X, **options):
    return wg.explain(model, rows, method="counterfactual", **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "yess"}, "Did you mean 'yes'"),
        ({"target": (1, 2)}, "There is no output"),
        ({"k": 0}, "k=0"),
        ({"k": True}, "k=True"),
        ({"plausible": "very"}, "neither True nor False"),
        ({"immutable": ["agee"]}, "Did you mean 'age'"),
        ({"immutable": 7}, "no list of column names"),
        ({"increase_only": ["age"], "decrease_only": ["age"]}, "immutable"),
        ({"ranges": {"age": (65, 18)}}, "holds nothing"),
        ({"ranges": {"age": 18}}, "no pair"),
        ({"ranges": {"age": ("old", None)}}, "where a number is wanted"),
        ({"ranges": {"age": (math.nan, 3)}}, "where a number is wanted"),
        ({"ranges": [18, 65]}, "no mapping"),
        ({"allowed": {"age": {1: [2]}}}, "ranges"),
        ({"costs": {"age": 0}}, "above 0"),
        ({"costs": {"aeg": 2}}, "Did you mean 'age'"),
        ({"implications": "age"}, "list of pairs"),
        ({"implications": [({}, {"age": (1, 2)})]}, "no such pair"),
        ({"implications": [({"age": (3, 1)}, {"pay": (1, 2)})]}, "holds nothing"),
        ({"implications": [({"age": (1, 2, 3)}, {"pay": (1, 2)})]}, "neither a number nor a pair"),
    ],
)
def test_wrong_arguments_teach(options, words):
    with pytest.raises(InputError, match=words):
        ask(**options)


def test_categories_are_checked_by_name():
    frame = FRAME.assign(job=pd.Categorical(np.resize(["cook", "nurse"], len(FRAME))))
    model = wg.wrap(lambda rows: (rows["age"] > 30).to_numpy().astype(float), frame, task="regression")
    for options in ({"allowed": {"job": {"cook": ["nurze"]}}}, {"implications": [({"job": "nurze"}, {"age": 3})]}):
        with pytest.raises(InputError, match="nurse"):
            wg.explain(model, frame.iloc[:2], method="counterfactual", target=(0.5, None), **options)
    with pytest.raises(InputError, match="no order"):
        wg.explain(model, frame.iloc[:2], method="counterfactual", target=(0.5, None), increase_only=["job"])
    with pytest.raises(InputError, match="categories"):
        wg.explain(model, frame.iloc[:2], method="counterfactual", target=(0.5, None), ranges={"job": (1, 2)})


def test_a_regression_wants_a_range():
    model = wg.wrap(RandomForestRegressor(5, random_state=0).fit(FRAME, FRAME["age"] * 2.0), FRAME, FRAME["age"] * 2.0)
    for target in (None, "high", 3, (3, 1), (None, None), ("a", 2), (True, 2)):
        with pytest.raises(InputError, match="range"):
            ask(model, target=target)
    assert ask(model, target=(80, None), plausible=False).target == "at least 80"


def test_nothing_may_change():
    found = ask(immutable=list(FRAME.columns))
    assert found.cases == ((),) * 5
    assert set(found.notes) == {"every column is held, so nothing can change"}
    assert found.status == ("ok",) * 5


def test_ranges_that_no_value_meets_give_a_proven_none():
    for plausible in (True, False):
        found = ask(ranges={"age": (1000, 2000)}, plausible=plausible)
        assert all(note.startswith("none exists under these constraints") for note in found.notes)


def test_one_way_against_a_range_is_a_proven_none():
    rows = X.assign(age=50)
    found = ask(rows=rows, increase_only=["age"], ranges={"age": (18, 40)}, plausible=False)
    assert set(found.notes) == {"none exists under these constraints"}


def test_a_row_outside_a_range_is_led_into_it():
    found = ask(rows=X.assign(age=59), ranges={"age": (18, 40)}, plausible=False)
    assert any(found.cases)
    assert all(c.row["age"].iloc[0] <= 40 for cases in found.cases for c in cases)


def test_a_constant_model_says_so():
    constant = wg.wrap(RandomForestClassifier(5, random_state=0).fit(FRAME, np.where(np.arange(len(FRAME)) < 2, "no", "no")), FRAME)
    with pytest.raises(InputError, match="one class only"):
        ask(constant)
    stump = RandomForestClassifier(3, max_depth=1, min_samples_leaf=90, random_state=0).fit(
        FRAME, np.where(np.arange(len(FRAME)) < 10, "no", "yes")
    )
    found = ask(wg.wrap(stump, FRAME), target="no", plausible=False)
    assert set(found.notes) == {"none exists under these constraints"}, "a class that is never predicted"


def test_it_says_so_already():
    said = MODEL.predict(X).argmax(axis=1)
    found = ask(target="yes")
    assert [note == "the model says yes already" for note in found.notes] == [k == 1 for k in said]


def test_missing_values_stay_or_are_filled_in():
    frame = FRAME.astype(float)
    frame.iloc[::7, 0] = np.nan
    frame.iloc[::5, 1] = np.nan
    model = wg.wrap(HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(frame, Y), frame, Y)
    rows = X.astype(float)
    rows.iloc[:4, 0] = np.nan
    rows.iloc[2:, 1] = np.nan
    for plausible in (True, False):
        found = ask(model, rows, plausible=plausible)
        assert found.status == ("ok",) * 5
        assert any(found.cases)
        for cases, own in zip(found.cases, model.predict(rows), strict=True):
            for c in cases:
                assert model.predict(c.row).argmax() != own.argmax()
                assert c.distance == pytest.approx(sum(_step(frame, name, *pair) for name, pair in c.changes.items()))
                assert all(to is not None for _, to in c.changes.values()), "nothing becomes missing"
    held = ask(model, rows, increase_only=["age", "pay"], plausible=False)
    assert all("age" not in c.changes for cases in held.cases[:4] for c in cases), "a rise cannot be shown from an unknown value"


def _step(frame, name, old, new):
    return 1.0 if old is None else abs(new - old) / float(np.nanstd(frame[name].to_numpy()))


def test_an_infinite_value_is_that_rows_status():
    rows = X.astype(float)
    rows.iloc[1, 1] = np.inf
    found = ask(rows=rows)
    assert "infinite" in found.status[1]
    assert found[1] == []
    assert sum(bool(c) for c in found.cases) >= 3


def test_five_thousand_categories():
    rng = np.random.default_rng(0)
    town = pd.Categorical([f"town {k}" for k in rng.integers(0, 5000, 6000)], categories=[f"town {k}" for k in range(5000)])
    frame = pd.DataFrame({"town": town, "age": rng.integers(18, 70, 6000)})
    y = np.where((frame["town"].cat.codes % 2 == 0) & (frame["age"] > 40), "yes", "no")
    encoded = frame.assign(town=frame["town"].cat.codes)
    forest = RandomForestClassifier(5, max_depth=12, random_state=0).fit(encoded, y)
    model = wg.wrap(lambda rows: forest.predict_proba(rows.assign(town=rows["town"].cat.codes)), frame, y, outputs=["no", "yes"])
    found = wg.explain(model, frame.iloc[:3], method="counterfactual", budget=500)
    assert found.status == ("ok",) * 3
    trees = wg.wrap(forest, encoded, y, categorical=["town"])
    exact = wg.explain(trees, encoded.iloc[:3], method="counterfactual", plausible=False)
    assert exact.status == ("ok",) * 3
    assert all(c and c[0].proven for c in exact.cases)


def test_a_model_without_rows_cannot_say_which_values_there_are():
    bare = wg.wrap(RandomForestClassifier(3, random_state=0).fit(FRAME, Y))
    with pytest.raises(InputError, match="wrapped without rows"):
        ask(bare)


@pytest.mark.parametrize("budget", [1, 3, "1ms", "50ms"])
def test_a_small_budget_gives_less_and_says_so(budget):
    found = ask(budget=budget, k=3, plausible=False)
    for cases, note, status in zip(found.cases, found.notes, found.status, strict=True):
        assert len(cases) == 3 or note or status != "ok"
        assert all(c.valid and c.gap >= 0 and c.proven == (c.gap == 0) for c in cases)


COLUMNS = list(FRAME.columns)


@st.composite
def constraints(draw):
    edge = draw(st.tuples(st.integers(20, 55), st.integers(1, 6)))
    return {
        "immutable": draw(st.sets(st.sampled_from(COLUMNS), max_size=1)),
        "increase_only": draw(st.sets(st.sampled_from(COLUMNS), max_size=2)),
        "ranges": {"age": draw(st.tuples(st.integers(15, 40), st.integers(40, 70)))},
        "costs": {"pay": draw(st.floats(0.2, 5.0))},
        "implications": [({"age": (edge[0], None)}, {"days": (None, edge[1])})],
        "plausible": draw(st.booleans()),
    }


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(held=constraints(), row=st.integers(0, 30))
def test_constraints_hold_whatever_they_are(held, row):
    rows = people(31, seed=9)[0].iloc[[row]]
    found = ask(rows=rows, k=2, budget=200, **held)
    assert found.status == ("ok",)
    assert found.cases[0] or found.notes[0]
    case, (low, high) = rows.iloc[0], held["ranges"]["age"]
    (((_, (late, _)),), ((_, (_, few)),)) = (tuple(part.items()) for part in held["implications"][0])
    for c in found.cases[0]:
        to = c.row.iloc[0]
        assert all(to[name] == case[name] for name in held["immutable"])
        assert all(to[name] >= case[name] for name in held["increase_only"])
        assert low <= to["age"] <= high
        assert to["age"] < late or to["days"] <= few
        assert all(to[name] == case[name] or to[name] in set(FRAME[name]) for name in COLUMNS)
        assert MODEL.predict(c.row).argmax() != MODEL.predict(rows).argmax()
        weights = [held["costs"].get(name, 1.0) for name in COLUMNS]
        far = np.abs(to.to_numpy(float) - case.to_numpy(float)) / FRAME.to_numpy(float).std(axis=0) * weights
        assert c.distance == pytest.approx(far.sum())


TOWNS = ["bonn", "jena", "ulm"]


def settled(rows=200, seed=0):
    frame, y = people(rows, seed)
    return frame.astype({"age": float}).assign(town=pd.Categorical(np.random.default_rng(seed).choice(TOWNS, rows), categories=TOWNS)), y


def both_kinds():
    """The same forest with its trees and as something that is only asked."""
    frame, y = settled()
    forest = RandomForestClassifier(8, max_depth=5, random_state=0).fit(frame.assign(town=frame["town"].cat.codes), y)
    asked = wg.wrap(lambda rows: forest.predict_proba(rows.assign(town=rows["town"].cat.codes)), frame, y, outputs=["no", "yes"])
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["town"]), remainder="passthrough")
    pipe = make_pipeline(encode, clone(forest))
    return {"trees": wg.wrap(pipe.fit(frame, y), frame, y), "any": asked}


KINDS = both_kinds()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plausible", [True, False])
def test_implications_that_contradict_each_other_leave_nothing(kind, plausible):
    never = [({"age": (0, None)}, {"pay": (None, 10)}), ({"age": (0, None)}, {"pay": (50, None)})]
    found = ask(KINDS[kind], settled(4, 3)[0], implications=never, plausible=plausible, budget=300)
    assert found.status == ("ok",) * 4
    assert found.cases == ((),) * 4
    assert all(note.startswith("none ") for note in found.notes)
    if kind == "trees":
        assert all(note.startswith("none exists under these constraints") for note in found.notes)


@pytest.mark.parametrize("kind", KINDS)
def test_every_oddity_in_one_batch_is_its_own_rows_affair(kind):
    rows = settled(6, 3)[0]
    rows["town"] = rows["town"].cat.add_categories(["york"])
    rows.loc[1, "town"], rows.loc[2, "pay"], rows.loc[3, "age"], rows.loc[4, "pay"] = "york", np.nan, np.inf, 1e9
    found = ask(KINDS[kind], rows, budget=300, ranges={"pay": (0, 100)})
    assert "infinite" in found.status[3]
    assert [found.status[at] for at in (0, 1, 5)] == ["ok"] * 3
    for at in (0, 1, 5):
        assert found.cases[at] or found.notes[at]
    assert found.cases[0]
    assert all(c.valid and c.changes.get("town", (None, TOWNS[0]))[1] in TOWNS for c in found.cases[1])
    alone = ask(KINDS[kind], rows.iloc[[0]], budget=300, ranges={"pay": (0, 100)})
    assert [str(c) for c in alone.cases[0]] == [str(c) for c in found.cases[0]]


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_there_are_and_none_at_all(kind):
    rows = settled(2, 3)[0]
    found = ask(KINDS[kind], rows, k=60, budget=300)
    assert all(0 < len(cases) < 60 and f"{len(cases)} of 60" in note for cases, note in zip(found.cases, found.notes, strict=True))
    assert len(ask(KINDS[kind], rows.iloc[:0])) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_time_that_is_over_before_it_began_says_so(kind):
    found = ask(KINDS[kind], settled(3, 3)[0], budget="0.000001ms")
    assert all("time" in status for status in found.status)
    assert found.cases == ((),) * 3
