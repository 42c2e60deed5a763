"""What is asked about groups, pairs and tolerances: linear models answer it, and what cannot be meant is named."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

import whyglass as wg
from whyglass.core.background import _encoded as encoded_for_medoids
from whyglass.core.errors import InputError

GROUPS = {"address": ["street", "zip"]}


def table(rows=80):
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(rows, 4)), columns=["age", "street", "income", "zip"])
    return X, (X["age"] + X["street"] * X["zip"] > 0).astype(int)


def linear():
    X, y = table()
    return X, wg.wrap(LogisticRegression().fit(X, y), X)


def trees():
    X, y = table()
    return X, wg.wrap(GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=0).fit(X, y), X, y)


def test_a_group_of_a_linear_model_adds_what_its_columns_add():
    X, model = linear()
    alone, why = wg.explain(model, X[:6]), wg.explain(model, X[:6], groups=GROUPS, interactions=True)
    assert why.provenance.method == "shap.linear"
    assert why.feature_names == ("age", "address", "income")
    wanted = np.stack([alone.values[:, 0], alone.values[:, 1] + alone.values[:, 3], alone.values[:, 2]], axis=1)
    assert np.abs(why.values - wanted).max() <= 1e-14
    assert np.abs(why.values[:, 1] - alone.values[:, 1]).max() > 1e-3, "a group must not be one of its columns"
    truth = wg.explain(model, X[:6], groups=GROUPS, interactions=True, method="shap.enumerated", space="margin", background=X)
    assert np.abs(why.values - truth.values).max() <= 1e-12
    assert np.abs(why.interactions - truth.interactions).max() <= 1e-12


def test_a_linear_row_that_is_lost_has_no_interactions():
    X, model = linear()
    rows = X[:3].copy()
    rows.iloc[1, 0] = np.nan
    why = wg.explain(model, rows, interactions=True)
    assert [status == "ok" for status in why.status] == [True, False, True]
    assert np.isnan(why.interactions[1]).all()
    assert np.isfinite(why.interactions[[0, 2]]).all()


def test_columns_of_a_group_go_by_position_too():
    X, model = trees()
    by_name, by_place = wg.explain(model, X[:5], groups=GROUPS), wg.explain(model, X[:5], groups={"address": [np.int64(1), 3]})
    assert np.array_equal(by_name.values, by_place.values)
    assert by_name.groups == by_place.groups


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"a": None}, "is not of the form"),
        ({"a": 3}, "is not of the form"),
        ({"a": ["zip", "zip"]}, "'zip' is in the group 'a' twice"),
        ({"a": ["zip", 3]}, "'zip' is in the group 'a' twice"),
        ({"a": ["zip"], "b": ["zip"]}, "in the groups 'a' and 'b'"),
        ({"a": [4]}, "names 4, which is no column. Positions go from 0 to 3"),
        ({"a": [-1]}, "Positions go from 0 to 3"),
        ({"a": [True]}, "names True, which is no column"),
        ({"a": ["stret"]}, "Did you mean 'street'"),
    ],
)
def test_groups_that_cannot_be_meant(groups, said):
    X, model = trees()
    with pytest.raises(InputError, match=said):
        wg.explain(model, X[:2], groups=groups)


def test_exact_answers_meet_any_tolerance():
    X, model = trees()
    plain, why = wg.explain(model, X[:4]), wg.explain(model, X[:4], tolerance=0.01)
    assert (why.provenance.method, why.space, why.exact) == ("shap.tree", "margin", True)
    assert np.array_equal(why.values, plain.values)
    assert wg.explain(*reversed(linear()), tolerance=0.5).provenance.method == "shap.linear"


@pytest.mark.parametrize("tolerance", [0, -1, "small", math.nan, math.inf, True])
def test_a_tolerance_that_is_none_is_refused_for_trees_too(tolerance):
    X, model = trees()
    with pytest.raises(InputError, match="tolerance="):
        wg.explain(model, X[:2], tolerance=tolerance)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"first": 0}, "first=0 is not a positive number"),
        ({"interactions": "no"}, "interactions='no' is neither True nor False"),
        ({"interactions": 2}, "interactions=2 is neither True nor False"),
        ({"method": ""}, "There is no method ''"),
        ({"method": "shap.tree", "tolerance": 0.1}, "has no parameter 'tolerance'. It belongs to 'shap.sampled'"),
        ({"background": "median"}, "background='median' is neither rows nor a choice"),
        ({"background": 5}, "background= cannot be read"),
        ({"background": table()[0][["age"]]}, "background= cannot be read: X lacks 3 of 4 columns"),
    ],
)
def test_parameters_that_cannot_be_meant(params, said):
    X, model = trees()
    with pytest.raises(InputError, match=said):
        wg.explain(model, X[:2], **params)


def test_outcomes_beside_data_are_those_of_data():
    X, y = table()
    fitted = GradientBoostingClassifier(n_estimators=2).fit(X, y)
    with pytest.raises(InputError, match="wrap the model first"):
        wg.explain(fitted, X[:3], y=y, data=X, space="log_loss")


def test_a_name_that_two_columns_have_is_no_name_of_one():
    X = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=["a", "a", "b"])
    model = wg.wrap(lambda rows: np.asarray(rows).sum(axis=1), X)
    with pytest.raises(InputError, match="as 2 columns are called; name them by position"):
        wg.explain(model, X, groups={"g": ["a", "b"]})
    assert wg.explain(model, X, groups={"g": [1, 2]}).groups == (("a", (0,)), ("g", (1, 2)))


def test_a_model_and_the_table_of_methods_read_well():
    _, model = trees()
    assert repr(model) == (
        f"Model: GradientBoostingClassifier ({model.kind}), classification over 4 columns, wrapped with 80 training rows\n"
        f"  outputs: 0, 1\n  can: {', '.join(sorted(model.can))}"
    )
    assert "wrapped without rows" in repr(wg.wrap(LogisticRegression().fit(*table())))
    rows = {row.name: repr(row) for row in wg.methods()}
    assert rows["shap.sampled"].startswith("<shap.sampled(groups=None, tolerance=None): Shapley values of any model")


def test_medoids_of_a_column_with_thousands_of_categories():
    rng = np.random.default_rng(0)
    common = [f"c{k}" for k in range(64)] * 20
    X = pd.DataFrame({"id": common + [f"rare {k}" for k in range(3000)], "size": rng.normal(size=1280 + 3000)})
    model = wg.wrap(lambda rows: np.asarray(rows["size"]), X)
    points = encoded_for_medoids(model.data)
    assert points.shape == (4280, 64 + 1 + 1)
    assert len(np.unique(points[1280:, :-1], axis=0)) == 1, "the rarer ones count as one"
    assert len(np.unique(points[:64, :-1], axis=0)) == 64
    why = wg.explain(model, X[:2], background="medoids:8")
    assert why.background_note.startswith("8 medoids of 4,280 training rows")


def test_the_nearest_name_is_found_whatever_its_case():
    X, model = trees()
    with pytest.raises(InputError, match="Did you mean 'shap'"):
        wg.explain(model, X, method="SHAP")
