"""Answers handed over to shap keep their numbers, names and readable values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import whyglass as wg

shap = pytest.importorskip("shap")


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"colour": pd.Categorical(rng.choice(["red", "blue"], 80)), "age": rng.normal(size=80)})
    return X, (X["age"] + (X["colour"] == "red") > 0.5).astype(int).to_numpy()


def answer(model, X):
    return wg.explain(model, X[:6], background=X[:20])


def test_one_output_is_flat(table):
    X, y = table
    tree = DecisionTreeRegressor(max_depth=3).fit(X[["age"]], y)
    why = answer(wg.wrap(tree, X[["age"]], y), X[["age"]])
    handed = why.to_shap()
    assert isinstance(handed, shap.Explanation)
    np.testing.assert_array_equal(handed.values, why.values[:, :, 0])
    np.testing.assert_array_equal(handed.base_values, why.base_values[:, 0])
    assert handed.feature_names == ["age"]
    np.testing.assert_allclose(handed.values.sum(axis=1) + handed.base_values, tree.predict(X[["age"]][:6]), atol=1e-9)


def test_several_outputs_keep_their_axis_and_categories_are_written(table):
    X, y = table
    tree = DecisionTreeClassifier(max_depth=3).fit(X[["age"]], y)
    model = wg.wrap(lambda rows: tree.predict_proba(rows[["age"]]), X, y, task="classification")
    why = answer(model, X)
    handed = why.to_shap()
    assert handed.shape == (6, 2, 2)
    assert list(handed.output_names) == list(why.output_names)
    assert list(handed.display_data[:, 0]) == list(X["colour"][:6])
    np.testing.assert_array_equal(handed.data, why.dataset.matrix)
