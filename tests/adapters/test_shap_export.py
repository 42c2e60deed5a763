"""Answers handed over to shap keep their numbers, names and readable values, and its plots take them."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import whyglass as wg

shap = pytest.importorskip("shap")
# what shap's own code does
pytestmark = [
    pytest.mark.filterwarnings("ignore:The NumPy global RNG was seeded:FutureWarning"),
    pytest.mark.filterwarnings("ignore:All-NaN slice encountered:RuntimeWarning"),
]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"colour": pd.Categorical(rng.choice(["red", "blue"], 80)), "age": rng.normal(size=80)})
    return X, (X["age"] + (X["colour"] == "red") > 0.5).astype(int).to_numpy()


@pytest.fixture(scope="module")
def forest():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(60, 4)), columns=["age", "hours", "gain", "loss"])
    y = (X["age"] + X["hours"] * X["gain"] > 0).astype(int)
    fitted = RandomForestClassifier(8, max_depth=4, random_state=0).fit(X, y)
    return fitted, X, wg.explain(wg.wrap(fitted, X, y), X)


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


def test_it_is_what_shap_itself_says(forest):
    fitted, X, why = forest
    theirs, ours = shap.TreeExplainer(fitted)(X), why.to_shap()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-10)
    np.testing.assert_allclose(ours.base_values, theirs.base_values, atol=1e-10)
    np.testing.assert_array_equal(ours.data, theirs.data)
    assert list(ours.feature_names) == list(theirs.feature_names)


def test_interactions_are_what_shap_itself_says(forest):
    fitted, X, why = forest
    theirs = shap.TreeExplainer(fitted)(X, interactions=True)
    ours = wg.explain(why.model, X, interactions=True).to_shap(interactions=True)
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-8)
    np.testing.assert_allclose(ours.base_values, theirs.base_values, atol=1e-10)


def some_pairs(why):
    """Interactions that sum to the values, and that no two swapped axes would leave as they are."""
    rows, features, outputs = why.values.shape
    half = np.random.default_rng(3).normal(size=(rows, features, features, outputs))
    pairs = half + half.transpose(0, 2, 1, 3)
    for j in range(features):
        pairs[:, j, j] += why.values[:, j] - pairs[:, j].sum(axis=1)
    return pairs


def test_interactions_follow_shaps_convention(forest):
    fitted, X, why = forest
    theirs = shap.TreeExplainer(fitted)(X, interactions=True)
    pairs = some_pairs(why)
    for result in (replace(why, interactions=pairs), replace(why, interactions=theirs.values)):
        ours = result.to_shap(interactions=True)
        assert ours.shape == theirs.shape == (60, 4, 4, 2)
        np.testing.assert_array_equal(ours.values, result.interactions)
        np.testing.assert_allclose(ours.values.sum(axis=2), why.values, atol=1e-10)
        one = ours[..., 1]
        shap.summary_plot(one.values, X, max_display=3, show=False)
        plt.close("all")
    np.testing.assert_array_equal(replace(why, interactions=pairs).to_shap().values, why.values)


def test_interactions_that_are_not_there_are_said(forest):
    with pytest.raises(wg.InputError, match="interactions=True"):
        forest[2].to_shap(interactions=True)


def test_estimates_carry_their_errors(forest):
    _, _, why = forest
    errors = np.full(why.values.shape, 0.1)
    handed = replace(why, exact=False, std_errors=errors).to_shap()
    np.testing.assert_array_equal(handed.error_std, errors)
    np.testing.assert_allclose(handed.upper_bounds - handed.lower_bounds, 2 * 1.959964 * errors)
    np.testing.assert_allclose(handed.upper_bounds + handed.lower_bounds, 2 * why.values, atol=1e-12)
    assert why.to_shap().error_std is None
    assert why.to_shap().lower_bounds is None


def test_groups_of_columns_are_players(forest):
    _, X, alone = forest
    why = wg.explain(alone.model, X, groups={"work": ["hours", "gain"]})
    handed = why.to_shap()
    work = list(why.feature_names).index("work")
    assert sorted(handed.feature_names) == ["age", "loss", "work"]
    np.testing.assert_array_equal(handed.values, why.values)
    for name in ("age", "loss"):
        np.testing.assert_array_equal(handed.data[:, handed.feature_names.index(name)], X[name])
    assert np.isnan(handed.data[:, work]).all()
    hours, gain = (why.schema[j].write(why.dataset.matrix[0, j]) for j in (1, 2))
    assert handed.display_data[0, work] == f"{hours}, {gain}"
    draw(lambda: shap.plots.waterfall(handed[0, :, 1], show=False))
    draw(lambda: shap.plots.beeswarm(handed[..., 1], show=False))


def draw(plot) -> int:
    """Draw, and count what stands on the figure."""
    with mpl.rc_context({"backend": "Agg"}):
        plot()
        figure = plt.gcf()
        figure.canvas.draw()
        marks = sum(len(axes.get_children()) for axes in figure.axes)
        plt.close("all")
    return marks


PLOTS = {
    "waterfall": lambda e: shap.plots.waterfall(e[0], show=False),
    "beeswarm": lambda e: shap.plots.beeswarm(e, show=False),
    "bar": lambda e: shap.plots.bar(e, show=False),
    "bar of one": lambda e: shap.plots.bar(e[0], show=False),
    "bar of cohorts": lambda e: shap.plots.bar(e.cohorts(2).abs.mean(0), show=False),
    "scatter": lambda e: shap.plots.scatter(e[:, "age"], color=e, show=False),
    "scatter by name": lambda e: shap.plots.scatter(e[:, "age"], color=e[:, "hours"], show=False),
    "heatmap": lambda e: shap.plots.heatmap(e, show=False),
    "decision": lambda e: shap.plots.decision(e.base_values[0], e.values, e.data, feature_names=e.feature_names, show=False),
    "force": lambda e: shap.plots.force(e[0], matplotlib=True, show=False),
    "violin": lambda e: shap.plots.violin(e, show=False),
    "summary": lambda e: shap.summary_plot(e.values, e.data, e.feature_names, show=False),
    "group difference": lambda e: shap.plots.group_difference(e.values, np.arange(len(e)) % 2 == 0, e.feature_names, show=False),
}


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("kind", ["exact", "estimated"])
def test_shaps_plots_take_it(forest, plot, kind):
    _, _, why = forest
    if kind == "estimated":
        why = replace(why, exact=False, std_errors=np.full(why.values.shape, 0.01))
    assert draw(lambda: PLOTS[plot](why.to_shap()[..., 1])) > 10


def test_a_plot_that_cannot_be_drawn_is_seen(forest):
    with pytest.raises(ValueError, match="single explanation"):
        draw(lambda: PLOTS["waterfall"](forest[2].to_shap()))
