"""Counterfactuals against every allowed row there is: missing values, unseen categories, small budgets, several in turn, coarse census."""

import itertools
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import whyglass as wg
from whyglass.core.executor import Executor
from whyglass.explainers.counterfactual import hunt

KINDS = ["brick", "clay", "stone"]
COUNTS = ["rooms", "floors"]


def houses(rows=220, seed=0, odd=False):
    """A small grid with gaps; ``odd`` rows hold a category that training never saw."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"rooms": rng.integers(0, 6, rows) / 1.0, "floors": rng.integers(1, 5, rows) / 1.0, "age": rng.integers(0, 5, rows)}
    )
    frame["kind"] = pd.Categorical(rng.choice([*KINDS, "glass"] if odd else KINDS, rows), categories=[*KINDS, "glass"] if odd else KINDS)
    value = frame["rooms"] * (frame["kind"] != "clay") + frame["floors"] - frame["age"] * (frame["kind"] == "stone")
    frame.loc[rng.random(rows) < 0.15, "rooms"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "kind"] = np.nan
    return frame, np.where(value.fillna(3) + rng.normal(size=rows) > 4, "dear", "cheap")


@lru_cache
def fitted(seed):
    frame, y = houses(seed=seed)
    boosting = HistGradientBoostingClassifier(
        max_iter=12, max_leaf_nodes=12, min_samples_leaf=4, categorical_features=["kind"], random_state=0
    )
    model = boosting.fit(frame, y)
    return wg.wrap(model, frame, y), model, frame


CONSTRAINTS = [
    {},
    {"immutable": ["kind"], "increase_only": ["rooms"], "ranges": {"floors": (2, 3)}},
    {"decrease_only": ["floors"], "costs": {"age": 0.2, "kind": 2.5}, "increase_only": ["age"]},
    {"allowed": {"kind": {"clay": ["brick"], "brick": ["stone"]}}, "immutable": "rooms"},
    {"implications": [({"kind": "stone"}, {"age": (2, None)}), ({"rooms": (4, None)}, {"floors": (2, None), "kind": ["brick", "stone"]})]},
    {"immutable": ["rooms", "floors", "age"], "allowed": {"kind": {}}},
]


def same(old, new):
    return (pd.isna(old) and pd.isna(new)) or old == new


def may_become(frame, case, name, params):
    """By definition: the row's own value where its range holds it, and the values of training that every rule lets it have."""
    own = case[name]
    low, high = params.get("ranges", {}).get(name, (-np.inf, np.inf))
    inside = [value for value in frame[name].dropna().unique() if name == "kind" or low <= value <= high]
    listed = {
        key: [params[key]] if isinstance(params.get(key), str) else params.get(key, [])
        for key in ("immutable", "increase_only", "decrease_only")
    }
    if name in listed["immutable"]:
        inside = []
    for key, sign in (("increase_only", 1), ("decrease_only", -1)):
        if name in listed[key]:
            inside = [] if pd.isna(own) else [value for value in inside if sign * (value - own) >= 0]
    if name in params.get("allowed", {}):
        inside = [value for value in inside if value in params["allowed"][name].get(own, [])]
    keep = [own] if pd.isna(own) or name == "kind" or low <= own <= high else []
    return keep + [value for value in inside if not same(own, value)]


def holds(grid, conditions):
    fine = np.ones(len(grid), bool)
    for name, wanted in conditions.items():
        if name == "kind":
            fine &= grid[name].isin([wanted] if isinstance(wanted, str) else wanted).to_numpy()
        else:
            low, high = (openly if end is None else end for end, openly in zip(wanted, (-np.inf, np.inf), strict=True))
            fine &= ((grid[name] >= low) & (grid[name] <= high)).to_numpy()
    return fine


def everything(frame, case, params, kinds):
    """Every allowed row and its distance."""
    grid = pd.DataFrame(list(itertools.product(*(may_become(frame, case, name, params) for name in frame))), columns=list(frame))
    grid["kind"] = pd.Categorical(grid["kind"], categories=kinds)
    for first, second in params.get("implications", ()):
        grid = grid[~holds(grid, first) | holds(grid, second)]
    far = np.zeros(len(grid))
    for name in frame:
        cost, own = params.get("costs", {}).get(name, 1.0), case[name]
        whole = name == "kind" or pd.isna(own)
        step = np.ones(len(grid)) if whole else (grid[name] - own).abs().to_numpy() / np.nanstd(frame[name].to_numpy(float))
        far += cost * np.where(left(grid, case, name), 0.0, step)
    return grid, far


def left(grid, case, name):
    """Where a column is left alone."""
    return (grid[name].isna() if pd.isna(case[name]) else grid[name] == case[name]).to_numpy(bool)


def nearest_left(case, grid, far, fine, met):
    """Of the rows as wanted the nearest that leaves alone, of each counterfactual met, one of the columns it changes."""
    for cf in met:
        fine = fine & np.logical_or.reduce([left(grid, case, name) for name in cf.changes])
    return far[fine].min(initial=np.inf)


def check(seed, params, *, k=2, budget=None, odd=False):
    """What was found is nearest, in turn; what was not is not there; what a gap rules out is not there. How many were not proven."""
    model, own, frame = fitted(seed)
    rows = houses(7, seed=seed + 50, odd=odd)[0]
    found = wg.explain(model, rows, method="counterfactual", plausible=False, k=k, budget=budget, **params)
    open_ = 0
    for at in range(len(rows)):
        case = rows.iloc[at]
        grid, far = everything(frame, case, params, rows["kind"].cat.categories)
        said = own.predict(rows.iloc[[at]])[0]
        fine = own.predict(grid.astype({"rooms": float})) != said if len(grid) else np.zeros(0, bool)
        if not found[at]:
            assert found.status[at] == "ok"
            if "none exists" in found.notes[at] or "every column is held" in found.notes[at]:
                assert not fine.any()
            continue
        for rank, cf in enumerate(found[at]):
            nearest = nearest_left(case, grid, far, fine, found[at][:rank])
            assert cf.valid
            assert cf.distance >= nearest - 1e-9, "nothing is nearer than the nearest allowed row"
            assert cf.distance - cf.gap <= nearest + 1e-9, "a gap that rules out what is there"
            assert cf.proven == (cf.gap == 0)
            assert own.predict(cf.row)[0] != said
            assert np.allclose(own.predict_proba(cf.row)[0], cf.prediction, atol=1e-12)
            open_ += not cf.proven
        if len(found[at]) < k and "none exists" in found.notes[at]:
            assert np.isinf(nearest_left(case, grid, far, fine, found[at]))
    return open_


@pytest.mark.parametrize("params", CONSTRAINTS, ids=lambda p: "+".join(p) or "free")
@pytest.mark.parametrize("seed", [0, 1])
def test_missing_values_and_categories_against_every_row(seed, params):
    assert check(seed, params) == 0, "all proven"


def test_a_category_never_seen_is_a_case_like_any_other():
    check(0, CONSTRAINTS[4], odd=True)
    check(0, CONSTRAINTS[3], odd=True)


def test_a_gap_of_a_search_cut_short_is_never_wrong():
    assert sum(check(seed, CONSTRAINTS[at], budget=1) for seed in (0, 1) for at in (0, 2, 4)) > 0, "some are cut short"


def test_a_bound_too_high_is_caught(monkeypatch):
    bounded = hunt.Hunt._bounded
    monkeypatch.setattr(hunt.Hunt, "_bounded", lambda self, floor: bounded(self, 1.5 * floor + 0.3))
    with pytest.raises(AssertionError, match="rules out"):
        assert [check(seed, CONSTRAINTS[at], budget=1) for seed in (0, 1) for at in (0, 2, 4)]


@lru_cache
def coarse_census():
    """Census people in round figures: few values a column, so that all changes of up to three can be tried."""
    people = wg.datasets.census("pandas")
    order = np.random.default_rng(3).permutation(len(people.X))[:3000]
    X, y = people.X.iloc[order].reset_index(drop=True), np.asarray(people.y)[order]
    names = [name for name in X if X[name].dtype.name == "category"]
    for name in names:
        common = X[name].value_counts().index[:4]
        X[name] = X[name].astype(object).where(X[name].isin(common), "other").astype(str)
    for name in [name for name in X if name not in names]:
        edges = np.unique(np.quantile(X[name].astype(float), np.linspace(0, 1, 7)))
        X[name] = edges[np.clip(np.searchsorted(edges, X[name].astype(float)), 0, len(edges) - 1)]
    encode = make_column_transformer((OneHotEncoder(), names), remainder="passthrough")
    pipe = make_pipeline(encode, RandomForestClassifier(12, max_depth=7, random_state=0)).fit(X[:2900], y[:2900])
    return wg.wrap(pipe, X[:2900], y[:2900], protected=people.protected), pipe, X[:2900], X[2900:], names


def up_to_three(frame, case, held, names, most):
    """Every row nearer than ``most`` that differs in at most three columns and obeys, with its distance."""
    std = {name: frame[name].std(ddof=0) for name in frame if name not in names}
    steps = {}
    for name in [name for name in frame if name not in held]:
        values = [v for v in frame[name].unique() if v != case[name] and not (name == "Age" and v < case[name])]
        priced = [(1.0 if name in names else abs(v - case[name]) / std[name], v) for v in values]
        steps[name] = [(price, v) for price, v in priced if price < most and not (name == "Hours per week" and v > 50)]
    rows, far = [], []
    for count in (1, 2, 3):
        for columns in itertools.combinations(steps, count):
            for moves in itertools.product(*(steps[name] for name in columns)):
                if sum(price for price, _ in moves) < most:
                    rows.append({**case, **dict(zip(columns, (v for _, v in moves), strict=True))})
                    far.append(sum(price for price, _ in moves))
    return pd.DataFrame(rows, columns=list(frame)).astype(frame.dtypes.to_dict()), np.array(far)


def test_census_no_change_of_up_to_three_facts_is_nearer():
    model, pipe, frame, fresh, names = coarse_census()
    rows = fresh[fresh["Hours per week"] <= 50].iloc[:8]
    held = {"increase_only": ["Age"], "ranges": {"Hours per week": (None, 50)}}
    found = wg.explain(model, rows, method="counterfactual", plausible=False, **held)
    tried = 0
    for at in range(len(rows)):
        (best,) = found[at]
        assert best.proven
        grid, _ = up_to_three(frame, dict(rows.iloc[at]), ["Gender", "Ethnicity"], names, best.distance - 1e-6)
        said = pipe.predict(rows.iloc[[at]])[0]
        assert pipe.predict(best.row)[0] != said
        assert not len(grid) or (pipe.predict(grid) == said).all(), "a nearer row is as wanted"
        wider, _ = up_to_three(frame, dict(rows.iloc[at]), ["Gender", "Ethnicity"], names, best.distance + 1e-6)
        if len(best.changes) <= 3:
            assert (pipe.predict(wider) != said).any(), "the check sees the answer itself"
        tried += len(grid)
    assert tried > 300


def test_one_answer_whatever_the_batch_the_order_and_the_threads():
    model, _, _, fresh, _ = coarse_census()
    rows = fresh.iloc[:6]
    options = {"method": "counterfactual", "k": 2, "increase_only": ["Age"]}
    for plausible in (True, False):
        whole = wg.explain(model, rows, plausible=plausible, executor=Executor(1), **options)
        assert whole == wg.explain(model, rows, plausible=plausible, executor=Executor(3), **options)
        back = wg.explain(model, rows.iloc[::-1], plausible=plausible, executor=Executor(2), **options)
        for at in range(len(rows)):
            lone = wg.explain(model, rows.iloc[[at]], plausible=plausible, executor=Executor(1), **options)
            for other in (lone[0], back[len(rows) - 1 - at]):
                assert [(str(c), c.distance, c.proven, c.gap, c.plausibility) for c in other] == [
                    (str(c), c.distance, c.proven, c.gap, c.plausibility) for c in whole[at]
                ]
                assert all(np.array_equal(a.prediction, b.prediction) for a, b in zip(other, whole[at], strict=True))


def test_what_is_shown_is_what_the_users_model_and_frame_say():
    model, pipe, frame, fresh, names = coarse_census()
    rows = fresh.iloc[:8]
    found = wg.explain(model, rows, method="counterfactual", k=2)
    spread = {name: frame[name].std(ddof=0) for name in frame if name not in names}
    for at, cases in enumerate(found.cases):
        case = rows.iloc[at]
        for c in cases:
            row = c.row.iloc[0]
            assert {name for name in frame if row[name] != case[name]} == set(c.changes)
            assert all(pair == (case[name], row[name]) for name, pair in c.changes.items())
            far = sum(1.0 if name in names else abs(row[name] - case[name]) / spread[name] for name in c.changes)
            assert c.distance == pytest.approx(far, abs=1e-9)
            assert np.allclose(pipe.predict_proba(c.row)[0], c.prediction, atol=1e-12)
            assert pipe.predict(c.row)[0] != pipe.predict(rows.iloc[[at]])[0]
            assert not {"Gender", "Ethnicity"} & set(c.changes)
            leaves = [pipe[-1].apply(pipe[:-1].transform(part)) for part in (frame, c.row)]
            assert c.plausibility[0] == pytest.approx((leaves[0] == leaves[1]).mean(axis=1).max())
    assert sum(len(cases) for cases in found.cases) > 8
