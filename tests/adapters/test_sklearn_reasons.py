"""What is not offered says why, and the rarer steps that are looked through."""

from __future__ import annotations

import warnings

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn import compose, ensemble, frozen, impute, linear_model, pipeline, preprocessing, svm, tree

from whyglass.adapters.frames import read, write
from whyglass.adapters.models.sklearn import adapt
from whyglass.core.errors import ModelError
from whyglass.core.wanted import Wanted

TREE = tree.DecisionTreeRegressor(max_depth=6, random_state=0)


def table(rows=600, missing=True):
    rng = np.random.default_rng(2)
    X = pd.DataFrame(
        {
            "height": rng.normal(170, 9, rows),
            "steps": rng.choice([1.0, 2.0, 5.0], rows),
            "colour": rng.choice(["red", "green", "blue", "grey"], rows),
        }
    )
    y = X.height / 9 + X.steps + (X.colour == "red") * 2 + rng.normal(size=rows)
    if missing:
        X.loc[rng.random(rows) < 0.15, ["height"]] = np.nan
        X.loc[rng.random(rows) < 0.15, ["colour"]] = np.nan
    return X, y.to_numpy()


def wrapped(estimator, X, y):
    return adapt(estimator.fit(X, y), Wanted(data=read(X, y=y)))


def one_hot():
    return preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def behind(walker, front, last=TREE):
    """The largest difference of forest and pipeline on the training rows, unseen and missing categories among them."""
    X, y = table()
    model = wrapped(pipeline.make_pipeline(front, last), X, y)
    assert "trees" in model.can, model.provenance["refused"]
    matrix = model.data.matrix.copy()
    matrix[::7, 2] = -1
    return np.abs(walker.predict(model.trees(), matrix) - model.predict_matrix(matrix)).max()


@pytest.mark.parametrize(
    "front",
    [
        compose.make_column_transformer(
            (pipeline.make_pipeline(impute.SimpleImputer(strategy="most_frequent", add_indicator=True), one_hot()), ["colour"]),
            (impute.SimpleImputer(), ["height", "steps"]),
        ),
        pipeline.make_union(
            compose.make_column_transformer((impute.SimpleImputer(), ["height"]), (one_hot(), ["colour"])),
            pipeline.make_pipeline(compose.make_column_transformer(("passthrough", ["height", "colour"])), impute.MissingIndicator()),
        ),
        compose.make_column_transformer(
            (pipeline.make_pipeline(impute.MissingIndicator(), preprocessing.StandardScaler()), ["height"]), (one_hot(), ["colour"])
        ),
        compose.make_column_transformer(
            (pipeline.make_pipeline(preprocessing.OrdinalEncoder(), preprocessing.StandardScaler(), impute.SimpleImputer()), ["steps"]),
            (pipeline.make_pipeline(one_hot(), preprocessing.MinMaxScaler()), ["colour"]),
        ),
        compose.make_column_transformer(
            (
                pipeline.make_pipeline(
                    preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=9),
                    preprocessing.KBinsDiscretizer(3, strategy="uniform"),
                ),
                ["colour"],
            ),
            sparse_threshold=0,
        ),
        pipeline.make_pipeline(
            compose.make_column_transformer((impute.SimpleImputer(), ["height", "steps"]), (one_hot(), ["colour"])),
            frozen.FrozenEstimator(TREE),
        )[0],
    ],
    ids=["imputed and flagged words", "union of flags", "scaled flags", "scaled codes", "binned codes", "plain"],
)
def test_rarer_steps_are_looked_through(front, walker):
    assert behind(walker, front) <= 1e-12


def test_flags_leave_a_float32_table_in_float32(walker):
    X, y = table()
    X = X[["height", "steps"]].to_numpy(dtype=np.float32)
    front = (preprocessing.MaxAbsScaler(), impute.SimpleImputer(add_indicator=True), preprocessing.RobustScaler())
    model = wrapped(pipeline.make_pipeline(*front, TREE), X, y)
    assert "trees" in model.can, model.provenance["refused"]
    rows = walker.edge_rows(model.trees(), model.data.matrix, 5_000, np.random.default_rng(0))
    np.testing.assert_allclose(walker.predict(model.trees(), rows), model.predict_matrix(rows), rtol=0, atol=1e-12)


def test_a_frozen_model_is_the_model_inside(walker):
    X, y = table(missing=False)
    X = X[["height", "steps"]]
    model = adapt(frozen.FrozenEstimator(tree.DecisionTreeRegressor(max_depth=3).fit(X, y)), Wanted(data=read(X)))
    np.testing.assert_allclose(walker.predict(model.trees(), model.data.matrix), model.predict(X), atol=1e-12)


def test_target_encoding_of_three_classes(walker):
    X, y = table()
    target = np.array(["low", "mid", "high"])[np.digitize(y, np.quantile(y, [0.3, 0.6]))]
    front = compose.make_column_transformer((preprocessing.TargetEncoder(), ["colour"]), (impute.SimpleImputer(), ["height"]))
    model = wrapped(pipeline.make_pipeline(front, ensemble.RandomForestClassifier(5, max_depth=5)), X, target)
    matrix = model.data.matrix.copy()
    matrix[::5, 2] = -1
    np.testing.assert_allclose(walker.predict(model.trees(), matrix), model.predict_matrix(matrix), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("front", "words"),
    [
        (compose.make_column_transformer((one_hot(), ["steps"]), ("passthrough", ["steps"])), "both as a number and as a category"),
        (
            compose.make_column_transformer((pipeline.make_pipeline(preprocessing.StandardScaler(), one_hot()), ["steps"])),
            "StandardScaler comes before an encoder",
        ),
        (
            compose.make_column_transformer((pipeline.make_pipeline(impute.MissingIndicator(), one_hot()), ["height"])),
            "indicator comes before an encoder",
        ),
        (
            compose.make_column_transformer(
                (
                    pipeline.FeatureUnion([("a", impute.SimpleImputer()), ("b", impute.SimpleImputer())], transformer_weights={"a": 2.0}),
                    ["height"],
                )
            ),
            "FeatureUnion has transformer_weights",
        ),
        (
            compose.make_column_transformer(
                (pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.PowerTransformer(method="box-cox")), ["height"])
            ),
            "box-cox",
        ),
        (compose.make_column_transformer((impute.MissingIndicator(missing_values=1.0), ["steps"])), "in between"),
    ],
)
def test_steps_that_cannot_be_mapped_back_say_why(front, words):
    X, y = table()
    model = wrapped(pipeline.make_pipeline(front, TREE), X, y)
    assert model.can == {"predict"}
    assert words in model.provenance["refused"]["trees"]
    assert model.predict(X).shape == (len(X), 1)


def test_bent_columns_have_no_straight_line():
    X, y = table(missing=False)
    front = compose.make_column_transformer((preprocessing.PowerTransformer(), ["height"]))
    model = wrapped(pipeline.make_pipeline(front, linear_model.Ridge()), X, y)
    assert "bends column 'height'" in model.provenance["refused"]["linear"]


def test_a_missing_value_that_counts_by_output_has_no_stand_in():
    X, y = table()
    target = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    front = compose.make_column_transformer((impute.SimpleImputer(add_indicator=True), ["height"]))
    three = wrapped(pipeline.make_pipeline(front, linear_model.LogisticRegression(max_iter=2000)), X, target)
    assert "A missing 'height'" in three.provenance["refused"]["linear"]
    one = wrapped(pipeline.make_pipeline(front, linear_model.LinearRegression()), X, y)
    linear = one.linear()
    height = np.where(np.isnan(one.data.matrix[:, 0]), linear.missing[0], one.data.matrix[:, 0])
    np.testing.assert_allclose(height * linear.coefficients[0, 0] + linear.intercept[0], one.predict(X)[:, 0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("estimator", [linear_model.SGDClassifier(loss="log_loss", random_state=0), linear_model.RidgeClassifier()])
def test_linear_scores_that_are_no_linked_margin_say_why(estimator):
    X, y = table(missing=False)
    model = wrapped(estimator, X[["height", "steps"]], np.digitize(y, np.quantile(y, [0.3, 0.6])))
    assert "no linear form" in model.provenance["refused"]["linear"]


def test_sparse_weights_are_read():
    X, y = table(missing=False)
    X = X[["height", "steps"]]
    estimator = linear_model.SGDClassifier(loss="log_loss", random_state=0).fit(X, y > np.median(y)).sparsify()
    linear = adapt(estimator, Wanted(data=read(X))).linear()
    margin = X.to_numpy() @ linear.coefficients.T + linear.intercept
    np.testing.assert_allclose(margin[:, 0], estimator.decision_function(X), rtol=1e-12)


def test_tweedie_links():
    X, y = table(missing=False)
    X = X[["height", "steps"]]
    for power, link in ((0, "identity"), (1.5, "exp")):
        model = wrapped(linear_model.TweedieRegressor(power=power, max_iter=1000), X, np.maximum(y, 0.1))
        assert model.linear().link == link


def test_another_librarys_own_categories_behind_steps_are_refused():
    X, y = table(missing=False)
    front = compose.make_column_transformer((preprocessing.OrdinalEncoder(), ["colour"]), ("passthrough", ["height"]))
    estimator = pipeline.make_pipeline(front, lightgbm.LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y, lgbmregressor__categorical_feature=[0])
    model = adapt(estimator, Wanted(data=read(X)))
    assert "category codes of its own" in model.provenance["refused"]["trees"]


def test_linear_trees_of_another_library_keep_its_own_reason():
    X, y = table(missing=False)
    last = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1, linear_tree=True)
    model = wrapped(pipeline.make_pipeline(preprocessing.StandardScaler(), last), X[["height", "steps"]].to_numpy(), y)
    assert "linear" in model.provenance["refused"]["trees"]


def test_columns_are_counted_before_the_model_is_asked():
    X, y = table(missing=False)
    X = X[["height", "steps"]].to_numpy()
    estimator = svm.SVR().fit(X, y)
    with pytest.raises(ModelError, match="fitted with 2 columns, X has 3"):
        adapt(estimator, Wanted(data=read(np.column_stack((X, X[:, 0])))))
    with pytest.raises(ModelError, match="feature_names has 3"):
        adapt(estimator, Wanted(feature_names=("a", "b", "c")))
    with pytest.raises(ModelError, match="does not say how many columns"):
        adapt(_Stateless(), Wanted())


class _Stateless:
    """Predicts without ever having seen a column."""

    def fit(self, *_):
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        return linear_model.Ridge().__sklearn_tags__()


def test_a_model_that_cannot_predict_the_columns_says_so():
    X, y = table(missing=False)
    estimator = linear_model.Ridge().fit(X[["height", "steps"]].to_numpy(), y)
    words = np.array([["a", "b"], ["c", "d"]], dtype=object)
    with pytest.raises(ModelError, match="cannot predict a row"):
        adapt(estimator, Wanted(data=read(words)))


def test_frames_written_for_the_probe_are_the_callers_kind():
    X, y = table(missing=False)
    model = wrapped(pipeline.make_pipeline(compose.make_column_transformer((one_hot(), ["colour"])), TREE), X, y)
    frame = write(model.data.matrix[:3], model.schema, model.frame)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == list(X.columns)
