"""Anchors: rules that hold on fresh draws, an interval that survives its looks, and a reason where there is no rule."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

import whyglass as wg

JOBS = ["Clerk", "Farmer", "Nurse", "Smith"]


def people(rows=3000, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows),
            "hours": np.round(rng.normal(40, 10, rows)),
            "job": rng.choice(JOBS, rows),
            "married": rng.choice(["yes", "no"], rows),
            "sex": rng.choice(["f", "m"], rows),
        }
    )


def rich(X):
    """Says yes where hours are long and the job pays, with a border that no bin follows."""
    score = (X["hours"] - 40) / 6 + (X["job"] == "Smith") * 2.0 - (X["job"] == "Farmer") * 2.0 + (X["age"] - 50) / 25
    score = score.to_numpy(float)
    return np.column_stack([1 / (1 + np.exp(score)), 1 / (1 + np.exp(-score))])


def wrapped(function=rich, X=None, **options):
    given = {"task": "classification", "outputs": ["poor", "rich"], "protected": ["sex"]}
    return wg.wrap(function, people() if X is None else X, **{**given, **options})


def fresh(rule, X, rng, rows=20_000):
    """Draw under a rule as the contract says, by its words alone."""
    out = X.iloc[rng.integers(0, len(X), rows)].reset_index(drop=True)
    for predicate in rule.predicates:
        name = predicate.feature
        own = type(rule)((predicate,), "", 0, (0, 1), "interventional", 0, met=True, schema=rule.schema)
        values = X[name].to_numpy()[own.mask(X)]
        out[name] = values[rng.integers(0, len(values), rows)]
    return out


def says(model, X):
    return np.array(model.outputs)[model.predict(X).argmax(axis=1)]


def boosted():
    X = people()
    y = rich(X)[:, 1] + 0.1 * np.random.default_rng(1).normal(size=len(X)) > 0.5
    data = X.assign(job=X["job"].astype("category"), married=X["married"].astype("category"), sex=X["sex"].astype("category"))
    return wg.wrap(
        HistGradientBoostingClassifier(max_iter=30, categorical_features="from_dtype", random_state=0).fit(data, y), data, y
    ), data


def logistic():
    X = people()[["age", "hours"]]
    y = X["hours"] + X["age"] > 90
    return wg.wrap(LogisticRegression().fit(X, y), X, y), X


MODELS = {"function": lambda: (wrapped(), people()), "boosting": boosted, "logistic": logistic}


@pytest.mark.parametrize("name", MODELS)
def test_rules_that_are_met_hold_on_fresh_draws(name):
    model, X = MODELS[name]()
    cases = X.iloc[:25]
    found = wg.explain(model, cases, method="anchors")
    met = [k for k in range(len(found)) if found[k].met]
    assert len(met) >= 8
    rng = np.random.default_rng(7)
    true = {k: float((says(model, fresh(found[k], X, rng)) == found[k].output).mean()) for k in met}
    held = [true[k] >= 0.95 - 0.01 for k in met]
    assert np.mean(held) >= 0.95
    inside = [found[k].precision_interval[0] - 0.01 <= true[k] <= found[k].precision_interval[1] + 0.01 for k in met]
    assert np.mean(inside) >= 0.9
    said = says(model, cases)
    for k in met:
        assert found[k].output == said[k]
        assert found[k].mask(cases)[k], "a rule is true of its own row"
        assert found[k].coverage == pytest.approx(found[k].mask(X).mean())
        assert found[k].precision_interval[0] >= 0.95


def test_a_rule_without_half_of_its_conditions_is_caught_by_fresh_draws():
    model, X = wrapped(), people()
    found = wg.explain(model, X.iloc[:25], method="anchors")
    rng = np.random.default_rng(7)
    cut = [type(r)(r.predicates[1:], r.output, 0, (0, 1), "interventional", 0, met=True, schema=r.schema) for r in found.rules if r.met]
    held = [(says(model, fresh(r, X, rng, 4000)) == r.output).mean() >= 0.94 for r in cut if r.predicates]
    assert np.mean(held) < 0.5


def test_observational_rules_hold_on_other_rows():
    model, X = wrapped(X=people(12_000)), people(20_000, seed=5)
    found = wg.explain(model, X.iloc[:25], method="anchors", precision_kind="observational")
    met = [r for r in found.rules if r.met]
    assert len(met) >= 8
    said = says(model, X)
    held = [(said[r.mask(X)] == r.output).mean() >= 0.94 for r in met]
    assert np.mean(held) >= 0.95
    assert {r.precision_kind for r in met} == {"observational"}
