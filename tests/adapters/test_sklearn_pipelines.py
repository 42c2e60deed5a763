"""Pipelines are looked through: forests and linear models speak of the user's own columns and answer alike."""

from __future__ import annotations

import warnings

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn import compose, ensemble, feature_selection, linear_model, pipeline, preprocessing, tree
from sklearn import impute as imputing
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

from whyglass.adapters.frames import read, write
from whyglass.adapters.models import sklearn_wires
from whyglass.adapters.models.sklearn import adapt
from whyglass.core.wanted import Wanted

ROWS = 10_000
NUMBERS = ["age", "gain", "tiny"]
WORDS = ["work", "home", "rare"]


def table(seed=0, rows=2000, missing=True):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(17, 90, rows).astype(float),
            "work": rng.choice(["Private", "Self", "State", "Federal"], rows),
            "gain": rng.exponential(2000, rows) * (rng.random(rows) < 0.6),
            "home": rng.choice(["yes", "no"], rows),
            "tiny": rng.normal(size=rows) * 1e-5 + 1,
            "rare": rng.choice([f"r{i}" for i in range(12)], rows, p=[0.5, 0.3, *[0.02] * 10]),
        }
    )
    score = X.age / 40 + X.work.isin(["Self", "State"]) + X.gain / 2000 + (X.home == "yes") + (X.tiny - 1) * 3e4 + X.rare.isin(["r0", "r7"])
    y = score + rng.normal(size=rows) * 0.4
    if missing:
        for name in ("age", "gain", "work", "rare"):
            X.loc[rng.random(rows) < 0.08, name] = np.nan
    return X, np.asarray(y)


def kinds(y):
    return np.digitize(y, np.quantile(y, [0.4, 0.75]))


def rows_of(model, walker, seed=1, unseen=True):
    rng = np.random.default_rng(seed)
    forest = model.trees()
    X = walker.edge_rows(forest, model.data.matrix, ROWS, rng)
    for place, column in enumerate(model.schema.columns):
        if column.kind == "categorical":
            X[:, place] = rng.integers(-1 if unseen else 0, len(column.categories), ROWS)
            gone = np.isnan(model.data.matrix[:, place]).any()
            if gone:
                X[rng.random(ROWS) < 0.1, place] = np.nan
    return X


def asked(estimator, model, matrix):
    frame = write(matrix, model.schema, model.frame)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.predict_proba(frame) if hasattr(estimator, "predict_proba") else estimator.predict(frame)[:, None]


def one_hot(**options):
    return preprocessing.OneHotEncoder(**{"handle_unknown": "ignore", **options})


def columns(numbers, words, remainder="drop", **options):
    return compose.ColumnTransformer([("n", numbers, NUMBERS), ("w", words, WORDS)], remainder=remainder, **options)


MEAN = imputing.SimpleImputer()
FRONTS = {
    "scaled one-hot": columns(pipeline.make_pipeline(imputing.SimpleImputer(strategy="median"), preprocessing.StandardScaler()), one_hot()),
    "min-max drop first": columns(
        pipeline.make_pipeline(imputing.SimpleImputer(add_indicator=True), preprocessing.MinMaxScaler()),
        one_hot(drop="first", handle_unknown="ignore"),
    ),
    "robust if-binary dense": columns(
        pipeline.make_pipeline(preprocessing.RobustScaler(), MEAN), one_hot(drop="if_binary", sparse_output=False)
    ),
    "max-abs infrequent": columns(
        pipeline.make_pipeline(preprocessing.MaxAbsScaler(), imputing.SimpleImputer(strategy="constant", fill_value=-3)),
        one_hot(handle_unknown="infrequent_if_exist", min_frequency=0.05),
    ),
    "max categories": columns(MEAN, one_hot(handle_unknown="infrequent_if_exist", max_categories=3, drop="first")),
    "ordinal": columns(
        "passthrough", preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-7, encoded_missing_value=-2)
    ),
    "imputed words": columns(
        MEAN, pipeline.make_pipeline(imputing.SimpleImputer(strategy="most_frequent", add_indicator=False), one_hot(), "passthrough")
    ),
    "constant words": columns(MEAN, pipeline.make_pipeline(imputing.SimpleImputer(strategy="constant", fill_value="gone"), one_hot())),
    "falling": columns(
        pipeline.make_pipeline(preprocessing.FunctionTransformer(np.negative), preprocessing.StandardScaler(), MEAN), one_hot()
    ),
    "clipped": columns(pipeline.make_pipeline(preprocessing.MinMaxScaler(clip=True), MEAN), one_hot()),
    "binned": columns(
        pipeline.make_pipeline(MEAN, preprocessing.KBinsDiscretizer(7, encode="ordinal", strategy="uniform")),
        one_hot(),
    ),
    "remainder": compose.make_column_transformer(
        (one_hot(), WORDS), (preprocessing.StandardScaler(), ["gain"]), remainder="passthrough", sparse_threshold=0
    ),
    "pandas out": columns(pipeline.make_pipeline(MEAN), one_hot(sparse_output=False)).set_output(transform="pandas"),
    "union": pipeline.FeatureUnion(
        [("a", columns(MEAN, one_hot())), ("b", columns(pipeline.make_pipeline(preprocessing.StandardScaler(), MEAN), "drop"))]
    ),
    "selected": pipeline.make_pipeline(columns(MEAN, one_hot()), feature_selection.VarianceThreshold(0.05)),
    "power": columns(pipeline.make_pipeline(preprocessing.PowerTransformer(), MEAN), one_hot()),
    "quantiles": columns(pipeline.make_pipeline(preprocessing.QuantileTransformer(n_quantiles=50), MEAN), one_hot()),
    "target": columns(MEAN, preprocessing.TargetEncoder()),
}
TAKES_NAN = ensemble.RandomForestClassifier(8, max_depth=9, random_state=0)


@pytest.mark.parametrize("front", FRONTS)
def test_a_forest_behind_steps_is_a_forest_over_the_users_columns(front, walker):
    X, y = table()
    estimator = pipeline.make_pipeline(FRONTS[front], TAKES_NAN).fit(X, kinds(y))
    model = adapt(estimator, Wanted(data=read(X, y=kinds(y))))
    assert "trees" in model.can, model.provenance["refused"]
    forest = model.trees()
    assert forest.n_features == X.shape[1]
    matrix = rows_of(model, walker)
    np.testing.assert_allclose(walker.predict(forest, matrix), asked(estimator, model, matrix), rtol=0, atol=1e-12)
    assert model.schema.names == tuple(X.columns)


LAST = {
    "tree": tree.DecisionTreeRegressor(max_depth=8, random_state=0),
    "gradient": ensemble.GradientBoostingRegressor(n_estimators=20, random_state=0),
    "extra": ensemble.ExtraTreesRegressor(8, max_depth=10, random_state=0),
    "hist": ensemble.HistGradientBoostingRegressor(max_iter=20, random_state=0),
    "isolation": ensemble.IsolationForest(n_estimators=20, random_state=0),
}


@pytest.mark.parametrize("last", LAST)
def test_every_ensemble_is_read_behind_scaled_and_one_hot_columns(last, walker):
    X, y = table()
    front = columns(
        pipeline.make_pipeline(
            imputing.SimpleImputer(strategy="median"), preprocessing.StandardScaler(), preprocessing.MinMaxScaler((-2, 5))
        ),
        one_hot(handle_unknown="infrequent_if_exist", min_frequency=0.05, sparse_output=False),
    )
    estimator = pipeline.make_pipeline(front, LAST[last]).fit(X, y)
    model = adapt(estimator, Wanted(data=read(X, y=y)))
    matrix = rows_of(model, walker)
    frame = write(matrix, model.schema, model.frame)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = -estimator.score_samples(frame) if last == "isolation" else estimator.predict(frame)
    np.testing.assert_allclose(walker.predict(model.trees(), matrix)[:, 0], answer, rtol=1e-12, atol=1e-12)


def test_leaves_behind_a_scaler_are_the_very_same_on_every_edge(walker):
    X, y = table(missing=False)
    X = X[NUMBERS].to_numpy()
    for scaler in (preprocessing.StandardScaler(), preprocessing.MinMaxScaler((1, 3)), preprocessing.RobustScaler()):
        for dtype in (np.float64, np.float32):
            last = ensemble.RandomForestRegressor(6, max_depth=10, random_state=0)
            estimator = pipeline.make_pipeline(scaler, last).fit(X.astype(dtype), y)
            model = adapt(estimator, Wanted(data=read(X.astype(dtype), y=y)))
            matrix = rows_of(model, walker)
            leaves = walker.leaves(model.trees(), matrix) - model.trees().roots[None, :]
            wanted = last.apply(estimator[:-1].transform(write(matrix, model.schema, model.frame)))
            np.testing.assert_array_equal(leaves, wanted)


@pytest.mark.parametrize("how", ["threshold", "missing", "unseen", "bits", "ulp"])
def test_the_comparison_notices_a_broken_forest(how, walker):
    X, y = table()
    estimator = pipeline.make_pipeline(FRONTS["scaled one-hot"], TAKES_NAN).fit(X, kinds(y))
    model = adapt(estimator, Wanted(data=read(X, y=kinds(y))))
    matrix = rows_of(model, walker)
    broken = walker.predict(walker.broken(model.trees(), how), matrix)
    assert np.abs(broken - asked(estimator, model, matrix)).max() > 1e-4


def test_boosted_trees_with_own_categories_behind_an_ordinal_encoder(walker):
    X, y = table()
    front = compose.make_column_transformer(
        (preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), WORDS), remainder="passthrough"
    )
    last = ensemble.HistGradientBoostingClassifier(max_iter=20, categorical_features=[0, 1, 2], random_state=0)
    estimator = pipeline.make_pipeline(front, last).fit(X, kinds(y))
    model = adapt(estimator, Wanted(data=read(X, y=kinds(y))))
    matrix = rows_of(model, walker)
    np.testing.assert_allclose(walker.predict(model.trees(), matrix), asked(estimator, model, matrix), rtol=0, atol=1e-12)


def test_a_search_is_the_model_it_found(walker):
    X, y = table(missing=False)
    search = GridSearchCV(
        pipeline.make_pipeline(FRONTS["scaled one-hot"], LAST["tree"]), {"decisiontreeregressor__max_depth": [3, 5]}, cv=2
    )
    search.fit(X, y)
    model = adapt(search, Wanted(data=read(X, y=y)))
    matrix = rows_of(model, walker)
    np.testing.assert_allclose(walker.predict(model.trees(), matrix), asked(search, model, matrix), rtol=0, atol=1e-12)


def test_numbers_that_meet_an_encoder_become_categories(walker):
    rng = np.random.default_rng(0)
    X = np.column_stack((rng.normal(size=800), rng.choice([3.0, 5.0, 11.0, np.nan], 800)))
    y = X[:, 0] + (X[:, 1] == 5)
    y = np.where(np.isnan(y), 0.5, y)
    front = compose.make_column_transformer((one_hot(), [1]), (preprocessing.StandardScaler(), [0]))
    estimator = pipeline.make_pipeline(front, LAST["extra"]).fit(X, y)
    model = adapt(estimator, Wanted(data=read(X, y=y)))
    assert [c.kind for c in model.schema.columns] == ["numeric", "categorical"]
    assert model.schema[1].categories == (3, 5, 11)
    matrix = rows_of(model, walker)
    np.testing.assert_allclose(
        walker.predict(model.trees(), matrix)[:, 0], estimator.predict(write(matrix, model.schema, "numpy")), atol=1e-12
    )
    fresh = np.array([[0.1, 4.0], [0.1, 5.0], [0.1, np.nan]])
    np.testing.assert_allclose(model.predict(fresh)[:, 0], estimator.predict(fresh), atol=0)


def test_categories_that_only_the_encoder_knows_join_the_schema(walker):
    X, y = table(missing=False)
    estimator = pipeline.make_pipeline(FRONTS["scaled one-hot"], LAST["tree"]).fit(X, y)
    few = X[X.work != "State"].head(300)
    model = adapt(estimator, Wanted(data=read(few)))
    assert "State" in model.schema["work"].categories
    matrix = rows_of(model, walker)
    np.testing.assert_allclose(walker.predict(model.trees(), matrix), asked(estimator, model, matrix), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("front", "word"),
    [
        (pipeline.make_pipeline(columns(MEAN, one_hot(sparse_output=False)), PCA(3)), "PCA"),
        (pipeline.make_pipeline(columns(MEAN, one_hot()), preprocessing.PolynomialFeatures(2)), "PolynomialFeatures"),
        (columns(imputing.KNNImputer(), one_hot()), "KNNImputer"),
        (columns(pipeline.make_pipeline(MEAN, imputing.SimpleImputer(missing_values=0.0)), one_hot()), "missing"),
        (columns(pipeline.make_pipeline(MEAN, preprocessing.FunctionTransformer(np.square)), one_hot()), "square"),
        (
            columns(pipeline.make_pipeline(MEAN, preprocessing.KBinsDiscretizer(3, strategy="uniform")), one_hot()),
            "KBins",
        ),
        (columns(MEAN, one_hot(), transformer_weights={"n": 2.0}), "transformer_weights"),
    ],
)
def test_what_cannot_be_looked_through_is_refused_with_its_reason(front, word):
    X, y = table()
    estimator = pipeline.make_pipeline(front, TAKES_NAN).fit(X, kinds(y))
    model = adapt(estimator, Wanted(data=read(X, y=kinds(y))))
    assert model.can == {"predict"}
    assert word in model.provenance["refused"]["trees"]
    frame = write(model.data.matrix[:100], model.schema, model.frame)
    np.testing.assert_array_equal(model.ability("predict")(frame), estimator.predict_proba(X.head(100)))


def test_a_step_that_changed_under_us_is_refused(monkeypatch):
    X, y = table(missing=False)
    X = X[NUMBERS]
    estimator = pipeline.make_pipeline(preprocessing.StandardScaler(), LAST["tree"]).fit(X, y)
    real = sklearn_wires.Stage.__call__
    monkeypatch.setattr(sklearn_wires.Stage, "__call__", lambda self, values: real(self, values) + 1e-9)
    model = adapt(estimator, Wanted(data=read(X, y=y)))
    assert "something else" in model.provenance["refused"]["trees"]


def test_a_step_that_is_not_monotone_to_the_last_bit_is_refused():
    class Wobble:
        def transform(self, X):
            bits = np.ascontiguousarray(X).view(np.int64)
            return np.where(bits % 2 == 0, X, X - 3e-15)

    stage = sklearn_wires.Stage(Wobble(), 1, 0, 0, np.dtype(np.float64))
    wire = sklearn_wires.Wire(0, False, np.dtype(np.float64)).through(stage, 1.0, 0.0)
    with pytest.raises(sklearn_wires.UnsupportedError, match="monotone"):
        sklearn_wires.crossings(wire, np.linspace(1, 2, 50), np.dtype(np.float64), single=False)


def test_the_largest_float64_that_goes_left_is_found():
    rng = np.random.default_rng(0)
    t = np.concatenate(
        (rng.normal(size=500), rng.normal(size=500) * 1e30, rng.normal(size=500) * 1e-42, [0.0, -0.0, 3.5e38, -3.5e38, 1e300])
    )
    found = sklearn_wires.largest_below(t)
    with np.errstate(over="ignore"):
        assert (found.astype(np.float32) <= t).all()
        assert (np.nextafter(found, np.inf).astype(np.float32) > t).all()


FOREIGN = {
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=15, max_depth=5, n_jobs=1),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=15, n_jobs=1, verbose=-1),
}


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", FOREIGN)
def test_another_librarys_trees_are_read_behind_the_steps(name, sparse, walker):
    X, y = table()
    front = columns(preprocessing.StandardScaler(), one_hot(sparse_output=sparse, drop="first"), sparse_threshold=float(sparse))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = pipeline.make_pipeline(front, FOREIGN[name]()).fit(X, kinds(y) if name == "lightgbm" else y > 2)
    model = adapt(estimator, Wanted(data=read(X, y=y)))
    if sparse and name == "xgboost":
        assert "sparse_output=False" in model.provenance["refused"]["trees"]
        return
    assert "trees" in model.can, model.provenance["refused"]
    matrix = rows_of(model, walker)
    np.testing.assert_allclose(walker.predict(model.trees(), matrix), asked(estimator, model, matrix), rtol=0, atol=2e-6)
    assert model.kind.startswith("gradient-boosted trees")
    broken = walker.predict(walker.broken(model.trees(), "threshold"), matrix)
    assert np.abs(broken - asked(estimator, model, matrix)).max() > 1e-3


LINEAR = {
    "logistic": linear_model.LogisticRegression(max_iter=500),
    "multinomial": linear_model.LogisticRegression(max_iter=500),
    "linear": linear_model.LinearRegression(),
    "ridge": linear_model.Ridge(),
    "poisson": linear_model.PoissonRegressor(max_iter=300),
    "sgd": linear_model.SGDClassifier(loss="log_loss", random_state=0),
}


def linear_margins(linear, matrix):
    total = np.tile(linear.intercept, (len(matrix), 1))
    for j in range(matrix.shape[1]):
        x = matrix[:, j]
        if j in linear.tables:
            count = linear.tables[j].shape[1] - 2
            code = np.where(np.isnan(x), count + 1, np.where(x < 0, count, x)).astype(int)
            total += linear.tables[j][:, code].T
        else:
            total += np.where(np.isnan(x), linear.missing[j], x)[:, None] * linear.coefficients[:, j]
    return total


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("missing", [False, True])
def test_linear_models_speak_of_the_users_columns(name, missing, walker):
    X, y = table(missing=missing)
    y = {"logistic": y > 2, "sgd": y > 2, "multinomial": kinds(y), "poisson": np.maximum(y, 0)}.get(name, y)
    numbers = pipeline.make_pipeline(imputing.SimpleImputer(strategy="median"), preprocessing.StandardScaler())
    estimator = pipeline.make_pipeline(columns(numbers, one_hot(handle_unknown="infrequent_if_exist", min_frequency=0.05)), LINEAR[name])
    estimator.fit(X, y)
    model = adapt(estimator, Wanted(data=read(X, y=y)))
    linear = model.linear()
    rng = np.random.default_rng(0)
    matrix = model.data.matrix.copy()
    for place, column in enumerate(model.schema.columns):
        if column.kind == "categorical":
            matrix[:, place] = rng.integers(-1, len(column.categories), len(matrix))
    answer = asked(estimator, model, matrix)
    np.testing.assert_allclose(walker.linked(linear_margins(linear, matrix), linear.link), answer, rtol=1e-9, atol=1e-9)
    broken = linear_margins(linear, np.where(np.isnan(matrix), 0.0, matrix + 1e-3))
    assert np.abs(walker.linked(broken, linear.link) - answer).max() > 1e-6
    assert linear.n_outputs == (3 if name == "multinomial" else 1)
