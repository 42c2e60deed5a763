"""Every scikit-learn estimator with predict is wrapped and answers as itself, or is refused with a reason listed here."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn import base, cluster, compose, datasets, ensemble, linear_model, mixture, multioutput, neighbors, pipeline, preprocessing, svm
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances

from whyglass.adapters.frames import read, write
from whyglass.adapters.models.sklearn import adapt
from whyglass.core.errors import ModelError
from whyglass.core.wanted import Wanted

# refused by name: what the message says
REFUSED = {
    "ClassifierChain": "several targets",
    "MultiOutputClassifier": "several targets",
}
SEVERAL = {"MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV", "CCA", "PLSCanonical", "RegressorChain"}
SEVERAL |= {"MultiOutputRegressor"}
PREDICTING = [(name, kind) for name, kind in all_estimators() if hasattr(kind, "predict")]
# besides prediction: what is read of these exactly
TREES = {
    "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor", "ExtraTreesClassifier",
    "ExtraTreesRegressor", "GradientBoostingClassifier", "GradientBoostingRegressor", "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor", "IsolationForest", "RandomForestClassifier", "RandomForestRegressor",
}  # fmt: skip


def training(name, estimator):
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(size=(90, 1 if name == "IsotonicRegression" else 3)))
    X = X.round() if name == "CategoricalNB" else X
    if name in REFUSED:
        return X, np.column_stack((X[:, 0] > 0.6, X[:, 1] > 0.6)).astype(int)
    if name in SEVERAL:
        return X, np.column_stack((X[:, 0] + X[:, 1], X[:, 1] - X[:, 2]))
    if base.is_classifier(estimator):
        score = X[:, 0] + X[:, 1]
        return X, np.array(["a", "b", "c"])[np.digitize(score, [1.1, 1.9])] if name != "TunedThresholdClassifierCV" else score > 1.4
    return X, X[:, 0] + 0.3 * X.sum(axis=1) + 0.1


def instance(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return base.clone(next(iter(_construct_instances(kind))))


def fitted(name, kind):
    estimator = instance(kind)
    X, y = training(name, estimator)
    if name == "FixedThresholdClassifier":
        y = y == "a"
    if name == "SelfTrainingClassifier":
        y = y.astype(object)
    if name == "LocalOutlierFactor":
        estimator.set_params(novelty=True)
    if name == "DummyClassifier":
        estimator.set_params(strategy="prior")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y), X, y


@pytest.mark.parametrize(("name", "kind"), PREDICTING, ids=[n for n, _ in PREDICTING])
def test_every_estimator_answers_as_itself_or_is_refused(name, kind):
    if name == "Pipeline":
        estimator = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge())
        X, y = training(name, estimator)
        estimator.fit(X, y)
    else:
        estimator, X, y = fitted(name, kind)
    data = read(X)
    if name in REFUSED:
        with pytest.raises(ModelError, match=REFUSED[name]):
            adapt(estimator, Wanted(data=data))
        return
    model = adapt(estimator, Wanted(data=data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = model.predict(X)
        X = write(data.matrix, data.schema, data.frame)
        own = estimator.predict(X)
        if base.is_outlier_detector(estimator):
            own_score = estimator.score_samples(X)
            np.testing.assert_array_equal(answer[:, 0], -own_score)
        elif hasattr(estimator, "predict_proba"):
            np.testing.assert_array_equal(answer, estimator.predict_proba(X))
        elif base.is_regressor(estimator) or name == "TransformedTargetRegressor":
            np.testing.assert_array_equal(answer, np.asarray(own, dtype=float).reshape(len(X), -1))
        elif base.is_clusterer(estimator):
            assert set(np.unique(answer)) <= {0.0, 1.0}
            names = np.array([f"cluster {label}" for label in own])
            np.testing.assert_array_equal(np.array(model.outputs)[answer.argmax(axis=1)], names)
        else:
            np.testing.assert_array_equal(np.array(model.outputs)[answer.argmax(axis=1)], own.astype(str))
    assert answer.shape == (len(X), len(model.outputs))
    assert model.task in {"classification", "regression"}
    assert ("trees" in model.can) == (name in TREES), model.provenance["refused"]
    assert set(model.provenance["refused"]) == {"trees", "linear"} - model.can
    assert all(model.provenance["refused"].values())
    assert model.model_hash


def test_the_table_of_refusals_names_real_estimators():
    assert set(REFUSED) <= {name for name, _ in PREDICTING}


@pytest.mark.parametrize(("name", "kind"), PREDICTING, ids=[n for n, _ in PREDICTING])
def test_an_unfitted_estimator_is_told_to_fit(name, kind):
    estimator = pipeline.make_pipeline(linear_model.Ridge()) if name == "Pipeline" else instance(kind)
    with pytest.raises(ModelError, match="fit"):
        adapt(estimator, Wanted(data=read(np.zeros((3, 2)))))


def test_what_cannot_predict_is_refused():
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ModelError, match="no predict"):
        adapt(preprocessing.StandardScaler().fit(X), Wanted(data=read(X)))
    with pytest.raises(ModelError, match="no predict"):
        adapt(cluster.DBSCAN().fit(X), Wanted(data=read(X)))
    with pytest.raises(ModelError, match="no predict"):
        adapt(neighbors.LocalOutlierFactor(n_neighbors=3).fit(X), Wanted(data=read(X)))


def iris():
    X, y = datasets.load_iris(return_X_y=True, as_frame=True)
    return X, y.map(dict(enumerate(["setosa", "versicolor", "virginica"])))


def test_words_for_people():
    X, y = iris()
    cases = {
        "random forest, 10 trees": ensemble.RandomForestClassifier(n_estimators=10),
        "gradient-boosted trees, 15 trees": ensemble.HistGradientBoostingClassifier(max_iter=5),
        "logistic regression": linear_model.LogisticRegression(max_iter=1000),
        "nearest neighbours": neighbors.KNeighborsClassifier(),
        "linear support-vector classifier (says a class, no probability)": svm.LinearSVC(),
        "Gaussian mixture": mixture.GaussianMixture(2),
    }
    for words, estimator in cases.items():
        model = adapt(estimator.fit(X, y), Wanted(data=read(X, y=y)))
        assert model.kind == words


def test_names_of_outputs():
    X, y = iris()
    model = adapt(ensemble.RandomForestClassifier(3).fit(X, y), Wanted(data=read(X, y=y)))
    assert model.outputs == ("setosa", "versicolor", "virginica")
    named = adapt(linear_model.Ridge().fit(X, y.str.len()), Wanted(data=read(X), outputs=("letters",)))
    assert named.outputs == ("letters",)
    with pytest.raises(ModelError, match="outputs names 2"):
        adapt(linear_model.Ridge().fit(X, y.str.len()), Wanted(data=read(X), outputs=("a", "b")))
    clusters = adapt(cluster.KMeans(2, n_init=1).fit(X), Wanted(data=read(X)))
    assert clusters.outputs == ("cluster 0", "cluster 1")
    several = adapt(multioutput.MultiOutputRegressor(linear_model.Ridge()).fit(X, X.iloc[:, :2]), Wanted(data=read(X)))
    assert several.outputs == ("prediction 0", "prediction 1")


def test_a_decision_score_is_a_value_when_asked_for():
    X, y = iris()
    model = adapt(svm.LinearSVC().fit(X, y), Wanted(data=read(X)))
    assert "linear" not in model.can
    assert "task='regression'" in model.provenance["refused"]["linear"]
    for target, width in ((y, 3), (y == "setosa", 1)):
        estimator = svm.LinearSVC().fit(X, target)
        scores = adapt(estimator, Wanted(data=read(X), task="regression"))
        linear = scores.linear()
        wanted = np.asarray(estimator.decision_function(X)).reshape(len(X), -1)
        np.testing.assert_allclose(X.to_numpy() @ linear.coefficients.T + linear.intercept, wanted, rtol=0, atol=1e-9)
        np.testing.assert_allclose(scores.predict(X), wanted, rtol=0, atol=1e-12)
        assert len(scores.outputs) == width
    with pytest.raises(ModelError, match="predicts numbers"):
        adapt(linear_model.Ridge().fit(X, y.str.len()), Wanted(data=read(X), task="classification"))


def test_columns_that_do_not_fit_are_named():
    X, y = iris()
    estimator = ensemble.RandomForestClassifier(3).fit(X, y)
    with pytest.raises(ModelError, match=r"lacks .*petal width"):
        adapt(estimator, Wanted(data=read(X.drop(columns=["petal width (cm)"]))))
    with pytest.raises(ModelError, match="besides"):
        adapt(estimator, Wanted(data=read(X.assign(more=1.0))))
    with pytest.raises(ModelError, match="order"):
        adapt(estimator, Wanted(data=read(X.iloc[:, ::-1])))
    with pytest.raises(ModelError, match="fitted with 4 columns, X has 3"):
        adapt(estimator, Wanted(data=read(X.to_numpy()[:, :3])))


def test_a_column_transformer_takes_columns_in_any_order():
    X, y = iris()
    front = compose.make_column_transformer((preprocessing.StandardScaler(), list(X.columns[1:])))
    estimator = pipeline.make_pipeline(front, ensemble.RandomForestClassifier(3, random_state=0)).fit(X, y)
    turned = X.assign(more=0.5).iloc[:, ::-1]
    model = adapt(estimator, Wanted(data=read(turned)))
    assert "trees" in model.can
    np.testing.assert_array_equal(model.predict(turned), estimator.predict_proba(X))


def test_an_array_borrows_the_names_of_the_fit():
    X, y = iris()
    model = adapt(ensemble.RandomForestClassifier(3).fit(X, y), Wanted(data=read(X.to_numpy())))
    assert model.schema.names == tuple(X.columns)
    assert model.predict(X.to_numpy()).shape == (150, 3)


@pytest.mark.parametrize("frame", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "arrow"])
def test_other_frames_reach_the_estimator(frame):
    X, y = iris()
    X = X.assign(kind=np.where(X.iloc[:, 0] > 5.5, "long", "short"))
    front = compose.make_column_transformer((preprocessing.OneHotEncoder(), ["kind"]), remainder="passthrough")
    estimator = pipeline.make_pipeline(front, ensemble.RandomForestClassifier(3, random_state=0)).fit(X, y)
    model = adapt(estimator, Wanted(data=read(frame(X))))
    assert "trees" in model.can, model.provenance["refused"]
    np.testing.assert_array_equal(model.predict(frame(X)), estimator.predict_proba(X))


def test_a_model_alone_knows_its_columns(walker):
    X, y = iris()
    X = X.assign(kind=np.where(X.iloc[:, 0] > 5.5, "long", "short"))
    front = compose.make_column_transformer((preprocessing.OneHotEncoder(), ["kind"]), remainder="passthrough")
    estimator = pipeline.make_pipeline(front, ensemble.RandomForestClassifier(3, random_state=0)).fit(X, y)
    model = adapt(estimator, Wanted())
    assert model.schema.names == tuple(X.columns)
    assert model.schema["kind"].categories == ("long", "short")
    rows = model.encode(X)
    np.testing.assert_allclose(walker.predict(model.trees(), rows.matrix), estimator.predict_proba(X), rtol=0, atol=1e-12)
    bare = adapt(ensemble.RandomForestRegressor(3).fit(X.iloc[:, :4].to_numpy(), X.iloc[:, 0]), Wanted())
    assert bare.frame == "numpy"
    assert bare.schema.names == ("x0", "x1", "x2", "x3")


def test_a_category_model_alone_knows_its_categories(walker):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=400), "c": pd.Categorical(rng.choice(["x", "y", "z"], 400))})
    y = X.a + (X.c == "y") * 2
    estimator = ensemble.HistGradientBoostingRegressor(max_iter=10).fit(X, y)
    model = adapt(estimator, Wanted())
    rows = model.encode(X)
    np.testing.assert_allclose(walker.predict(model.trees(), rows.matrix)[:, 0], estimator.predict(X), rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.predict(X)[:, 0], estimator.predict(X), rtol=0, atol=0)


def test_scores_of_boosted_trees_and_logistic_regression_are_values_when_asked_for(walker):
    X, y = iris()
    data = read(X)
    for target in (y, y == "setosa"):
        boosted = ensemble.HistGradientBoostingClassifier(max_iter=5).fit(X, target)
        model = adapt(boosted, Wanted(data=data, task="regression"))
        score = np.asarray(boosted.decision_function(X)).reshape(len(X), -1)
        np.testing.assert_allclose(walker.predict(model.trees(), data.matrix), score, rtol=0, atol=1e-12)
        logistic = linear_model.LogisticRegression(max_iter=1000).fit(X, target)
        linear = adapt(logistic, Wanted(data=data, task="regression")).linear()
        score = np.asarray(logistic.decision_function(X)).reshape(len(X), -1)
        np.testing.assert_allclose(data.matrix @ linear.coefficients.T + linear.intercept, score, rtol=0, atol=1e-9)
    forest = adapt(
        ensemble.GradientBoostingClassifier(n_estimators=3, loss="exponential").fit(X, y == "setosa"), Wanted(data=data, task="regression")
    )
    assert "decision score" in forest.provenance["refused"]["trees"]
    with pytest.raises(ModelError, match="no decision score"):
        adapt(ensemble.RandomForestClassifier(3).fit(X, y), Wanted(data=data, task="regression"))


def test_a_frame_given_to_a_model_of_arrays_does_not_warn_at_every_call():
    X, y = iris()
    model = adapt(ensemble.RandomForestClassifier(3).fit(X.to_numpy(), y), Wanted(data=read(X)))
    assert model.predict(X).shape == (150, 3)
    assert model.schema.names == tuple(X.columns)


def test_several_targets_of_one_forest(walker):
    X, _ = iris()
    estimator = ensemble.RandomForestRegressor(5, random_state=0).fit(X, X.iloc[:, 1:3])
    model = adapt(estimator, Wanted(data=read(X)))
    np.testing.assert_allclose(walker.predict(model.trees(), model.data.matrix), estimator.predict(X), rtol=0, atol=1e-12)


def test_a_date_that_does_not_reach_the_model_is_no_hindrance():
    X, y = iris()
    X = X.assign(day=pd.date_range("2020-01-01", periods=len(X)), flag=X.iloc[:, 0] > 5)
    front = compose.make_column_transformer(("passthrough", [*X.columns[:4], "flag"]))
    model = adapt(pipeline.make_pipeline(front, ensemble.RandomForestClassifier(3)).fit(X, y), Wanted(data=read(X)))
    assert "trees" in model.can, model.provenance["refused"]
    assert model.predict(X).shape == (150, 3)
