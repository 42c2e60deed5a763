"""Wrapped ONNX models: the forest answers as onnxruntime does, on the border of every split too; what it cannot is refused."""

from __future__ import annotations

import catboost as cb
import numpy as np
import onnx
import onnx_models
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import whyglass as wg
from whyglass.adapters import frames
from whyglass.adapters.models import files, routing
from whyglass.adapters.models.onnx import adapt
from whyglass.core.errors import InputError, ModelError, UnsupportedError
from whyglass.core.wanted import Wanted

ROWS = 2000
ML = "ai.onnx.ml"


def _data(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4)).astype(np.float32)
    y = X[:, 0] * X[:, 1] + X[:, 2]
    return X, y


def _targets(y):
    return {
        "value": y,
        "values": np.column_stack([y, -y]),
        "two": (y > 0).astype(int),
        "words": np.array(["no", "yes"])[(y > 0).astype(int)],
        "three": np.digitize(y, [-0.5, 0.5]),
    }


FITTED = [
    ("forest, two classes", RandomForestClassifier(7, max_depth=6, random_state=0), "words"),
    ("forest, three classes", RandomForestClassifier(7, random_state=0), "three"),
    ("extra trees", ExtraTreesClassifier(5, max_depth=5, random_state=0), "two"),
    ("one tree", DecisionTreeClassifier(max_depth=4, random_state=0), "three"),
    ("regression forest", RandomForestRegressor(6, max_depth=6, random_state=0), "value"),
    ("two targets", RandomForestRegressor(5, max_depth=4, random_state=0), "values"),
    ("boosting, two classes", GradientBoostingClassifier(n_estimators=15, random_state=0), "two"),
    ("boosting, three classes", GradientBoostingClassifier(n_estimators=6, random_state=0), "three"),
    ("boosting, values", GradientBoostingRegressor(n_estimators=15, random_state=0), "value"),
]


def _edges(forest, model, walker, missing=0.1):
    rng = np.random.default_rng(5)
    rows = walker.edge_rows(forest, model.data.matrix, ROWS, rng)
    for place, column in enumerate(model.schema.columns):
        if column.kind == "categorical":
            rows[:, place] = rng.integers(0, len(column.categories), ROWS)
        else:
            rows[rng.random(ROWS) < missing, place] = np.nan
    return rows


def _difference(model, forest, rows, walker):
    mine, theirs = walker.predict(forest, rows), model.predict_matrix(rows)
    if forest.link == "sigmoid" and forest.n_outputs > 1:
        mine = 1 / (1 + np.exp(-walker.margins(forest, rows)))
    return np.abs(mine - theirs).max()


@pytest.mark.parametrize(("estimator", "kind"), [pytest.param(e, k, id=name) for name, e, k in FITTED])
def test_converted_ensembles_answer_as_the_graph_does(estimator, kind, walker):
    X, y = _data()
    target = _targets(y)[kind]
    fitted = estimator.fit(X, target)
    model = wg.wrap(to_onnx(fitted, X[:1]), X, target if target.ndim == 1 else None)
    forest = model.trees()
    rows = _edges(forest, model, walker)
    assert _difference(model, forest, rows, walker) <= 2e-6
    own = wg.wrap(fitted, X)
    assert model.outputs == own.outputs
    assert np.abs(model.predict(X) - own.predict(X)).max() <= 1e-5
    answer = wg.explain(model, X[:20])
    assert np.abs(answer.base_values + answer.values.sum(axis=1) - answer.predictions).max() <= 1e-9


@pytest.mark.parametrize("kind", ["value", "two", "three"])
def test_what_catboost_exports_is_read_twice_alike(kind, tmp_path, walker):
    X, y = _data()
    known = cb.CatBoostRegressor if kind == "value" else cb.CatBoostClassifier
    fitted = known(iterations=10, depth=4, verbose=0, allow_writing_files=False, thread_count=1).fit(X, _targets(y)[kind])
    fitted.save_model(str(tmp_path / "model.onnx"), format="onnx")
    model, own = wg.wrap(tmp_path / "model.onnx", X), wg.wrap(fitted, X)
    assert "trees" in model.can
    rows = _edges(own.trees(), own, walker, missing=0.0)
    assert np.abs(walker.margins(model.trees(), rows) - walker.margins(own.trees(), rows)).max() <= 1e-6
    assert np.abs(model.predict(X) - own.predict(X)).max() <= 1e-6


def test_probabilities_that_stray_by_a_float32_are_still_probabilities():
    X = _data()[0][:, :2]
    two = (X[:, 0] > 0).astype(int)
    model = wg.wrap(to_onnx(RandomForestClassifier(20, max_depth=6, random_state=0).fit(X, two), X[:1]), X, two)
    answers = model.predict(X)
    assert answers.min() < 0 or answers.max() > 1, "the case this test is about"
    assert (model.task, model.outputs) == ("classification", ("0", "1"))
    assert wg.explain(model, X[:2], space="probability").exact


def test_values_are_those_of_the_trees_that_were_converted():
    """Counted on the training rows, the weights are those that a tree without bootstrap was grown with."""
    X, y = _data()
    fitted = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(X, y)
    mine = wg.explain(wg.wrap(to_onnx(fitted, X[:1]), X), X[:50])
    theirs = wg.explain(wg.wrap(fitted, X), X[:50])
    assert np.abs(mine.values - theirs.values).max() <= 1e-5
    assert np.abs(mine.values[:, ::-1] - theirs.values).max() > 1e-2


def _columns_pipeline():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"<script>": rng.choice(["red", "blue"], 300), "size": rng.normal(size=300), "count": rng.integers(0, 9, 300)})
    y = ((frame["<script>"] == "red") * frame["size"] + frame["count"] > 4).astype(int)
    pipe = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["<script>"]), (StandardScaler(), ["size", "count"])),
        LogisticRegression(),
    ).fit(frame, y)
    kinds = [("<script>", StringTensorType([None, 1])), ("size", FloatTensorType([None, 1])), ("count", Int64TensorType([None, 1]))]
    return frame, y, pipe, to_onnx(pipe, initial_types=kinds)


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "shuffled"])
def test_one_input_a_column(kind):
    frame, y, pipe, given = _columns_pipeline()
    rows = {
        "pandas": frame,
        "polars": pl.from_pandas(frame),
        "arrow": pl.from_pandas(frame).to_arrow(),
        "shuffled": frame[frame.columns[::-1]],
    }
    model = wg.wrap(given, rows[kind], y)
    assert (model.can, model.task, model.outputs) == ({"predict"}, "classification", ("0", "1"))
    assert "gradients" in model.provenance["refused"]["grad"]
    assert np.abs(model.predict(rows[kind]) - pipe.predict_proba(frame)).max() <= 1e-6
    unseen = frame[:1].assign(**{"<script>": "green"})
    assert np.abs(wg.wrap(given, frame, y).predict(unseen) - pipe.predict_proba(unseen)).max() <= 1e-6
    answer = wg.explain(wg.wrap(given, frame, y), frame[:2])
    assert answer.feature_names == ("<script>", "size", "count")
    assert np.abs(answer.base_values + answer.values.sum(axis=1) - answer.predictions).max() <= 1e-9


@pytest.mark.parametrize("kind", ["bytes", "session", "session of a file", "path", "str"])
def test_every_way_to_hand_over_a_model(kind, tmp_path):
    X, y = _data()
    fitted = RandomForestRegressor(5, max_depth=4, random_state=0).fit(X, y)
    given = to_onnx(fitted, X[:1])
    raw, file = given.SerializeToString(), tmp_path / "model.onnx"
    file.write_bytes(raw)
    ways = {
        "bytes": lambda: raw,
        "session": lambda: onnxruntime.InferenceSession(raw),
        "session of a file": lambda: onnxruntime.InferenceSession(file),
        "path": lambda: file,
        "str": lambda: str(file),
    }
    model = wg.wrap(ways[kind](), X)
    assert "trees" in model.can
    assert np.abs(model.predict(X)[:, 0] - fitted.predict(X)).max() <= 1e-5
    assert wg.explain(model, X[:1]).values.shape == (1, 4, 1)


def test_other_graphs_are_functions_and_the_reason_is_named():
    X, y = _data()
    two = _targets(y)["two"]
    scaled = make_pipeline(StandardScaler(), RandomForestClassifier(3, max_depth=3, random_state=0)).fit(X, two)
    for fitted, reason in (
        (scaled, "gone through Scaler"),
        (LogisticRegression().fit(X, two), "LinearClassifier"),
        (AdaBoostClassifier(n_estimators=3, random_state=0).fit(X, two), "followed by"),
    ):
        model = wg.wrap(to_onnx(fitted, X[:1]), X, two)
        assert model.can == {"predict"}
        assert reason in model.provenance["refused"]["trees"]
        assert np.abs(model.predict(X) - fitted.predict_proba(X)).max() <= 1e-5
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=300, tol=1e-2, random_state=0).fit(X, y)
    model = wg.wrap(to_onnx(network, X[:1]), X, y)
    answer = wg.explain(model, X[:2], background=X[:20])
    assert np.abs(answer.predictions[:, 0] - network.predict(X[:2])).max() <= 1e-5
    assert model.provenance["wrap_rows"] <= 100


def test_what_cannot_be_wrapped_says_why(tmp_path):
    with pytest.raises(ModelError, match="no ONNX model"):
        wg.wrap(b"not a model", np.zeros((3, 2)))
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        wg.wrap(tmp_path / "bad.onnx", np.zeros((3, 2)))
    with pytest.raises(InputError, match="no file"):
        wg.wrap("nowhere.onnx", np.zeros((3, 2)))
    X, y = _data()
    given = to_onnx(RandomForestRegressor(2, max_depth=2).fit(X, y), X[:1])
    with pytest.raises(ModelError, match="takes 4 columns; the data has 2"):
        wg.wrap(given, X[:, :2])
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 3, 8, 8])
    picture = onnx_models.model(
        [helper.make_node("Identity", ["image"], ["Y"])], [image], [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)]
    )
    with pytest.raises(ModelError, match="rows and columns"):
        wg.wrap(picture, X)
    frame, _, _, worded = _columns_pipeline()
    with pytest.raises(UnsupportedError, match="takes text"):
        wg.wrap(worded)
    with pytest.raises(ModelError, match="takes numbers"):
        adapt(given, Wanted(frames.read(frame.assign(more=1.0)))).predict(frame.assign(more=1.0))


def test_whole_number_inputs_take_whole_numbers_only():
    X = np.random.default_rng(0).integers(0, 9, size=(200, 3))
    fitted = RandomForestRegressor(5, max_depth=4, random_state=0).fit(X, X[:, 0] * X[:, 1])
    model = wg.wrap(to_onnx(fitted, initial_types=[("X", Int64TensorType([None, 3]))]), X)
    assert np.abs(model.predict(X)[:, 0] - fitted.predict(X)).max() <= 1e-4
    assert np.abs(routing.predict(model.trees(), X.astype(float))[:, 0] - fitted.predict(X)).max() <= 1e-4
    with pytest.raises(ModelError, match=r"takes tensor\(int64\).*0\.5"):
        model.predict(np.full((1, 3), 0.5))


def test_a_file_is_read_whole(tmp_path):
    X, y = _data()
    file = tmp_path / "model.onnx"
    onnx.save(to_onnx(RandomForestRegressor(2, max_depth=2).fit(X, y), X[:1]), file)
    assert type(files.read_model(file)).__name__ == "ModelProto"
