"""What shap's explainers give comes in as an Attribution: same numbers, right axes, real categories, and views that take it."""

from __future__ import annotations

import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.ensemble import RandomForestClassifier

import whyglass as wg

shap = pytest.importorskip("shap")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["age", "hours", "gain"])
    return X, (X["age"] + X["hours"] * X["gain"] > 0).map({True: "rich", False: "poor"})


@pytest.fixture(scope="module")
def forest(table):
    X, y = table
    fitted = RandomForestClassifier(6, max_depth=4, random_state=0).fit(X, y)
    return fitted, wg.wrap(fitted, X, y), shap.TreeExplainer(fitted)(X)


@pytest.fixture(scope="module")
def boosting(table):
    """A margin, and a column of categories."""
    X, y = table
    X = X.assign(colour=pd.Categorical(np.where(X["age"] > 0.5, "red", np.where(X["hours"] > 0, "green", "blue"))))
    fitted = lightgbm.LGBMClassifier(n_estimators=8, min_child_samples=3, verbose=-1, n_jobs=1).fit(X, y)
    return X, wg.wrap(fitted, X, y), shap.TreeExplainer(fitted)(X)


def test_numbers_names_and_rows(table, forest):
    X, _ = table
    _, model, theirs = forest
    why = wg.from_shap(theirs, model=model, exact=True)
    np.testing.assert_array_equal(why.values, theirs.values)
    np.testing.assert_array_equal(why.base_values, theirs.base_values)
    assert (why.feature_names, why.output_names) == (("age", "hours", "gain"), ("poor", "rich"))
    assert (why.space, why.exact, why.additive) == ("probability", True, True)
    np.testing.assert_allclose(why.predictions, model.predict(X), atol=1e-9)
    assert why.provenance.versions["shap"] == shap.__version__
    assert why.provenance.model_hash == model.model_hash
    assert "exact (shap.Explanation)" in repr(why)


def test_it_is_what_we_say_ourselves(table, forest):
    X, _ = table
    _, model, theirs = forest
    ours = wg.explain(model, X)
    taken = wg.from_shap(theirs, model=model, data=X, exact=True)
    np.testing.assert_allclose(taken.values, ours.values, atol=1e-10)
    assert taken.dataset.content_hash() == ours.dataset.content_hash()


def test_without_a_model_nothing_is_claimed(forest):
    why = wg.from_shap(forest[2])
    assert (why.space, why.exact, why.std_errors) == ("value", False, None)
    assert why.output_names == ("Output 0", "Output 1")
    assert "errors unknown" in repr(why)
    assert wg.from_shap(forest[2], space="probability").space == "probability"


def test_a_margin_is_told_from_a_probability(boosting):
    X, model, theirs = boosting
    why = wg.from_shap(theirs, model=model, exact=True)
    assert (why.space, why.output_names) == ("margin", ("rich",))
    np.testing.assert_allclose(why.values, wg.explain(model, X).values, atol=1e-9)
    with pytest.raises(wg.InputError, match="add up to the margin"):
        wg.from_shap(theirs, model=model, space="probability")


def test_values_of_another_model_do_not_add_up(table, forest):
    X, y = table
    other = wg.wrap(RandomForestClassifier(3, max_depth=2, random_state=5).fit(X, y), X, y)
    why = wg.from_shap(forest[2], model=other)
    assert not why.additive
    np.testing.assert_allclose(why.predictions, other.predict(X), atol=1e-9)
    with pytest.raises(wg.InputError, match="miss it by up to"):
        wg.from_shap(forest[2], model=other, exact=True)


def test_categories_come_as_themselves(boosting):
    X, model, theirs = boosting
    for known in ({}, {"model": model}, {"data": X}, {"model": model, "data": X}):
        column = wg.from_shap(theirs, **known).schema["colour"]
        assert column.kind == "categorical"
        assert set(column.categories) == {"red", "green", "blue"}


def test_displayed_text_stands_for_codes(boosting):
    X, model, theirs = boosting
    X = X.assign(age=X["age"].where(X["age"] > -1), colour=X["colour"].where(np.arange(len(X)) > 4))
    handed = wg.explain(model, X).to_shap()
    assert handed.data.dtype == float
    assert handed.display_data[0, 3] == "missing"
    back = wg.from_shap(handed)
    assert set(back.schema["colour"].categories) == {"red", "green", "blue"}
    assert np.isnan(back.dataset.matrix[:5, 3]).all()
    assert wg.from_shap(handed, model=model).dataset.content_hash() == wg.explain(model, X).dataset.content_hash()
    assert theirs.display_data is None


def test_there_and_back(boosting):
    X, model, _ = boosting
    why = wg.explain(model, X)
    back = wg.from_shap(why.to_shap(), model=model, data=X, exact=True)
    assert (back.space, back.output_names, back.additive) == (why.space, why.output_names, True)
    np.testing.assert_array_equal(back.values, why.values)
    np.testing.assert_allclose(back.predictions, why.predictions, atol=1e-12)


def test_errors_come_along():
    rng = np.random.default_rng(0)
    values, errors = rng.normal(size=(5, 3)), rng.random((5, 3))
    why = wg.from_shap(shap.Explanation(values, base_values=np.zeros(5), data=values, error_std=errors))
    np.testing.assert_array_equal(why.std_errors[:, :, 0], errors)
    assert "with standard errors" in repr(why)
    assert wg.from_shap(why.to_shap()).std_errors.tolist() == why.std_errors.tolist()


def test_interactions_sum_to_the_values(table, forest):
    X, _ = table
    fitted, model, theirs = forest
    pairs = shap.TreeExplainer(fitted)(X, interactions=True)
    why = wg.from_shap(pairs, model=model)
    assert why.interactions.shape == (60, 3, 3, 2)
    np.testing.assert_allclose(why.values, theirs.values, atol=1e-8)
    one = wg.from_shap(pairs[..., 1])
    assert one.interactions.shape == (60, 3, 3, 1)
    np.testing.assert_allclose(one.values[:, :, 0], theirs.values[:, :, 1], atol=1e-8)
    alone = wg.from_shap(pairs[4, :, :, 1])
    np.testing.assert_array_equal(alone.interactions[0], one.interactions[4])


def test_as_many_outputs_as_features_are_no_interactions():
    rng = np.random.default_rng(0)
    values, base = rng.normal(size=(7, 3, 3)), rng.normal(size=(7, 3))
    why = wg.from_shap(shap.Explanation(values, base_values=base, data=rng.normal(size=(7, 3))))
    assert why.interactions is None
    np.testing.assert_array_equal(why.values, values)
    flat = wg.from_shap(shap.Explanation(values, base_values=base[0], data=rng.normal(size=(7, 3)), output_names=["a", "b", "c"]))
    np.testing.assert_array_equal(flat.base_values, np.tile(base[0], (7, 1)))
    assert flat.output_names == ("a", "b", "c")
    with pytest.raises(wg.InputError, match="one for each output"):
        wg.from_shap(shap.Explanation(values, base_values=np.zeros(7), data=rng.normal(size=(7, 3))))


V = np.arange(12.0).reshape(4, 3)
ROW, CUBE = V[0], np.stack([V, -V], axis=2)


@pytest.mark.parametrize(
    ("values", "base", "data", "shape", "wanted"),
    [
        (V, 0.5, V, (4, 3, 1), 0.5),
        (V, np.full(4, 0.5), V, (4, 3, 1), 0.5),
        (V, np.full((4, 1), 0.5), V, (4, 3, 1), 0.5),
        (V, np.array([0.5]), None, (4, 3, 1), 0.5),
        (CUBE, np.array([0.5, 0.5]), V, (4, 3, 2), 0.5),
        (CUBE, np.full((4, 2), 0.5), V, (4, 3, 2), 0.5),
        (CUBE, np.full((4, 2), 0.5), None, (4, 3, 2), 0.5),
        (ROW, 0.5, ROW, (1, 3, 1), 0.5),
        (ROW, np.array([0.5]), None, (1, 3, 1), 0.5),
        (CUBE[0], np.array([0.5, 0.5]), ROW, (1, 3, 2), 0.5),
    ],
)
@pytest.mark.parametrize("names", [None, ["a", "b", "c"]])
def test_every_shape(values, base, data, shape, wanted, names):  # noqa: PLR0917
    why = wg.from_shap(shap.Explanation(values, base_values=base, data=data, feature_names=names))
    assert why.values.shape == shape
    np.testing.assert_array_equal(why.values.reshape(np.shape(values)), values)
    assert (why.base_values == wanted).all()
    np.testing.assert_allclose(why.predictions, wanted + why.values.sum(axis=1))
    assert why.feature_names == (tuple(names) if names else ("x0", "x1", "x2"))
    assert bool(np.isnan(why.dataset.matrix).all()) == (data is None)


@pytest.mark.parametrize("sliced", [np.s_[3], np.s_[3, :, 1], np.s_[..., 1], np.s_[:5], np.s_[[4, 2]]])
def test_what_shap_cuts_out(forest, sliced):
    theirs = forest[2][sliced]
    why = wg.from_shap(theirs)
    np.testing.assert_array_equal(np.squeeze(why.values), np.squeeze(theirs.values))
    np.testing.assert_array_equal(np.squeeze(why.base_values), np.squeeze(theirs.base_values))


def test_explainers_of_any_function(table):
    X, _ = table
    model = wg.wrap(lambda rows: np.tanh(np.asarray(rows)[:, 0] * np.asarray(rows)[:, 1]), X.to_numpy(), task="regression")
    said = model.predict(X.to_numpy()[:4])
    for kind in (shap.KernelExplainer, shap.ExactExplainer, shap.PermutationExplainer):
        theirs = kind(lambda rows: np.tanh(rows[:, 0] * rows[:, 1]), X.to_numpy()[:10])(X.to_numpy()[:4])
        why = wg.from_shap(theirs, model=model)
        assert (why.space, why.additive) == ("value", True)
        np.testing.assert_allclose(why.predictions, said, atol=1e-6)


def test_data_of_other_kinds(table):
    X, _ = table
    base = np.zeros(60)
    for data in (X, X.to_numpy(), scipy.sparse.csr_matrix(X.to_numpy())):
        why = wg.from_shap(shap.Explanation(X.to_numpy(), base_values=base, data=data, feature_names=list(X.columns)))
        np.testing.assert_array_equal(why.dataset.matrix, X.to_numpy())


def test_columns_in_another_order_find_their_place(table, forest):
    X, _ = table
    _, model, theirs = forest
    turned = shap.Explanation(
        theirs.values, theirs.base_values, data=X[["gain", "age", "hours"]].to_numpy(), feature_names=["gain", "age", "hours"]
    )
    why = wg.from_shap(turned, model=model)
    np.testing.assert_array_equal(why.values, theirs.values[:, [1, 2, 0]])
    np.testing.assert_array_equal(why.dataset.matrix, X.to_numpy())


def test_rows_without_values_are_said():
    values = V.copy()
    values[2, 1] = np.nan
    why = wg.from_shap(shap.Explanation(values, base_values=0.0, data=V))
    assert [status == "ok" for status in why.status] == [True, True, False, True]


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (V, {}, "explainer.shap_values"),
        ([V, -V], {}, "given a list"),
        (shap.Explanation(V, data=V), {}, "explainer.expected_value"),
        (shap.Explanation(np.array([ROW, ROW[:2]], dtype=object), base_values=0.0), {}, "from_shap takes tables"),
        (shap.Explanation(V[None, None, None], base_values=0.0, data=V), {}, "wanted \\(rows, features\\)"),
        (shap.Explanation(V, base_values=np.zeros((2, 2)), data=V), {}, r"base values have shape \(2, 2\)"),
        (shap.Explanation(V, base_values=0.0, data=V[:2]), {}, r"data has shape \(2, 3\)"),
        (shap.Explanation(V, base_values=0.0, data=V, error_std=V[:2]), {}, r"error_std has shape \(2, 3\)"),
        (shap.Explanation(V, base_values=0.0), {"data": V[:2]}, "the data has 2 rows and 3 columns"),
        (shap.Explanation(V, base_values=0.0), {"data": V[:, :2]}, "the data has 4 rows and 2 columns"),
        (shap.Explanation(V, base_values=0.0, data=V), {"space": "marginn"}, "Did you mean 'margin'"),
        (shap.Explanation(V, base_values=0.0, data=V), {"y": [1, 2]}, "wanted one outcome a row"),
        (shap.Explanation(V, base_values=0.0, data=V), {"model": 7}, "not a model whyglass knows"),
    ],
)
def test_mistakes_teach(given, options, said):
    with pytest.raises(wg.WhyglassError, match=said):
        wg.from_shap(given, **options)


@pytest.mark.parametrize("with_model", [False, True])
def test_the_views_take_it(table, forest, tmp_path, with_model):
    X, y = table
    fitted, model, _ = forest
    theirs = shap.TreeExplainer(fitted)(X)
    why = wg.from_shap(theirs, model=model, y=y, exact=True) if with_model else wg.from_shap(theirs)
    page = why.save(tmp_path / "why.html")
    assert "whyglass" in page.read_text(encoding="utf-8")
    assert wg.show(why).state["case"] in range(60)
    assert why._repr_mimebundle_()
    assert wg.load(why.save(tmp_path / "why.arrow")) == why
    assert len(why.to_frame("pandas")) == 120


def test_show_takes_it_directly(forest):
    _, model, theirs = forest
    assert wg.show(theirs).state["space"]
    assert wg.show(theirs, model=model).state == wg.show(model, theirs).state
    with pytest.raises(wg.InputError, match="given a list"):
        wg.show(theirs.values.tolist())
    with pytest.raises(wg.InputError, match="base_values"):
        wg.show(shap.Explanation(V))
