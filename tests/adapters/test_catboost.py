"""Wrapped CatBoost models: the forest takes the library's own leaves, on the border of every split too."""

from __future__ import annotations

import dataclasses
import json

import catboost as cb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import whyglass as wg
from whyglass.adapters import frames
from whyglass.adapters.models import catboost_reader, files
from whyglass.adapters.models.catboost import adapt
from whyglass.core.errors import InputError, ModelError, UnsupportedError
from whyglass.core.wanted import Wanted

ROWS = 3000
SMALL = {"iterations": 12, "depth": 4, "verbose": 0, "allow_writing_files": False, "thread_count": 1, "random_seed": 0}
CATEGORIES = ["<script>", "code", "flag"]
HOT = {"cat_features": CATEGORIES, "one_hot_max_size": 20}


def _frame(rows=900, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(size=rows),
            "gain": rng.normal(size=rows).round(1),
            "<script>": pd.Categorical(rng.choice(["alert(1)", "", "ü\t z"], rows)),
            "code": rng.choice([1, 2, 30_000], rows),
            "flag": rng.random(rows) < 0.4,
        }
    )
    frame.loc[rng.random(rows) < 0.15, "age"] = np.nan
    score = frame.age.fillna(-1) + (frame["<script>"] == "") + (frame.code == 2) * frame.gain + frame.flag + 0.2 * rng.normal(size=rows)
    return frame, score.to_numpy()


def _target(score, kind):
    steps = np.digitize(score, [-0.3, 1.0])
    return {
        "binary": (score > 0.4).astype(int),
        "words": np.array(["no", "yes"])[(score > 0.4).astype(int)],
        "share": 1 / (1 + np.exp(-score)),
        "multi": np.array(["low", "mid", "high"])[steps],
        "labels": np.column_stack([score > 0, score > 1]).astype(int),
        "value": score,
        "values": np.column_stack([score, score**2]),
        "positive": np.exp(score / 3),
        "steps": steps,
    }[kind]


def _ask(loss, **more):
    known = cb.CatBoostClassifier if loss in catboost_reader.LINKS and loss not in {"Poisson", "Tweedie"} else cb.CatBoostRegressor
    return known(loss_function=loss, **SMALL, **HOT, **more)


DEEP = {"grow_policy": "Lossguide", "max_leaves": 20}
FITTED = [
    ("binary", _ask("Logloss"), "binary"),
    ("binary, words", _ask("Logloss", nan_mode="Max"), "words"),
    ("share", _ask("CrossEntropy"), "share"),
    ("multi", _ask("MultiClass"), "multi"),
    ("one against all", _ask("MultiClassOneVsAll"), "multi"),
    ("labels", _ask("MultiLogloss"), "labels"),
    ("value", _ask("RMSE"), "value"),
    ("quantile", _ask("Quantile"), "value"),
    ("values", _ask("MultiRMSE"), "values"),
    ("counts", _ask("Poisson"), "positive"),
    ("tweedie", cb.CatBoostRegressor(loss_function="Tweedie:variance_power=1.5", **SMALL, **HOT), "positive"),
    ("level by level", _ask("Logloss", grow_policy="Depthwise", nan_mode="Max"), "binary"),
    ("leaf by leaf", _ask("MultiClass", **DEEP), "multi"),
    ("leaf by leaf, values", _ask("MultiRMSE", **DEEP), "values"),
]


def _fit(estimator, kind):
    frame, score = _frame()
    y = _target(score, kind)
    return estimator.fit(frame, y), frames.read(frame, y=y if y.ndim == 1 else None)


def _edges(forest, data, walker):
    """Rows on and one float64 step beside every threshold, with missing values and categories never seen."""
    rng = np.random.default_rng(5)
    rows = walker.edge_rows(forest, data.matrix, ROWS, rng)
    for column in (0, 1):
        rows[rng.random(ROWS) < 0.1, column] = np.nan
        rows[rng.random(ROWS) < 0.02, column] = np.inf
        rows[rng.random(ROWS) < 0.02, column] = -np.inf
    for column in (2, 3, 4):
        rows[:, column] = rng.integers(0, len(data.schema[column].categories), ROWS)
        rows[rng.random(ROWS) < 0.1, column] = -1
        rows[rng.random(ROWS) < 0.1, column] = np.nan
    return rows


def _native(fitted, model, rows, kind):
    asked = model.abilities["predict"].__self__.rows(frames.write(rows, model.schema, model.frame))
    return fitted.predict(asked, prediction_type=kind).reshape(len(rows), -1)


@pytest.mark.parametrize(("estimator", "kind"), [pytest.param(e, k, id=name) for name, e, k in FITTED])
def test_margins_and_predictions_are_those_of_the_library(estimator, kind, walker):
    fitted, data = _fit(estimator, kind)
    model = adapt(fitted, Wanted(data))
    forest = model.trees()
    rows = _edges(forest, model.data, walker)
    margins = walker.margins(forest, rows)
    assert np.abs(margins - _native(fitted, model, rows, "RawFormulaVal")).max() <= 1e-12
    mine = 1 / (1 + np.exp(-margins)) if forest.link == "sigmoid" else walker.linked(margins, forest.link)
    predicted = model.predict_matrix(rows)
    assert predicted.shape == (ROWS, len(model.outputs))
    assert np.abs(predicted[:, -mine.shape[1] :] - mine).max() <= 1e-12
    own = fitted.predict_proba if model.task == "classification" else fitted.predict
    assert np.array_equal(model.predict(data.source), own(data.source).reshape(len(data), -1))


@pytest.mark.parametrize("how", ["missing", "unseen", "threshold", "bits", "base"])
@pytest.mark.parametrize("name", ["binary", "level by level"])
def test_sabotage_is_caught(how, name, walker):
    estimator, kind = next((e, k) for n, e, k in FITTED if n == name)
    fitted, data = _fit(estimator, kind)
    model = adapt(fitted, Wanted(data))
    rows = _edges(model.trees(), model.data, walker)
    broken = walker.margins(walker.broken(model.trees(), how), rows)
    assert np.abs(broken - _native(fitted, model, rows, "RawFormulaVal")).max() > 1e-9


def test_symmetric_trees_take_the_leaf_of_the_same_number(walker):
    fitted, data = _fit(_ask("Logloss"), "binary")
    model = adapt(fitted, Wanted(data))
    forest = model.trees()
    rows = _edges(forest, model.data, walker)
    asked = model.abilities["predict"].__self__.rows(frames.write(rows, model.schema, model.frame))
    ends = np.append(forest.roots[1:], len(forest.feature))
    inner = np.array([(forest.feature[a:b] >= 0).sum() for a, b in zip(forest.roots, ends, strict=True)])
    assert np.array_equal(walker.leaves(forest, rows) - forest.roots - inner, fitted.calc_leaf_indexes(asked))


@pytest.mark.parametrize("name", ["binary", "binary, words", "multi", "labels", "value", "values", "counts"])
def test_shapley_values_of_symmetric_trees_are_those_of_the_library(name):
    estimator, kind = next((e, k) for n, e, k in FITTED if n == name)
    fitted, data = _fit(estimator, kind)
    mine = wg.explain(wg.wrap(fitted, data.source), data.source[:80])
    theirs = _theirs(fitted, data)[:80].reshape(80, -1, len(data.schema) + 1)
    assert np.abs(mine.values - theirs[:, :, :-1].transpose(0, 2, 1)).max() <= 1e-12
    assert np.abs(mine.base_values - theirs[:, :, -1]).max() <= 1e-12
    assert np.abs(mine.values[:, ::-1] - theirs[:, :, :-1].transpose(0, 2, 1)).max() > 1e-3


def _theirs(fitted, data):
    return np.asarray(fitted.get_feature_importance(cb.Pool(data.source, cat_features=CATEGORIES), type="ShapValues"))


@pytest.mark.parametrize("policy", ["Depthwise", "Lossguide"])
def test_values_of_other_trees_add_up_and_are_the_librarys_where_its_own_do(policy):
    """The values that CatBoost 1.2 gives for trees that are not symmetric add up for some models only; ours always do."""
    frame, score = _frame()
    agreed = 0
    for seed in range(6):
        fitted = _ask("RMSE", grow_policy=policy, bootstrap_type="No").set_params(iterations=1 + seed, depth=3, random_seed=seed)
        fitted.fit(frame, score)
        mine = wg.explain(wg.wrap(fitted, frame), frame)
        raw = fitted.predict(frame)
        assert np.abs(mine.base_values[:, 0] + mine.values.sum(axis=1)[:, 0] - raw).max() <= 1e-12
        assert np.abs(mine.base_values[0, 0] - raw.mean()) <= 1e-9  # every training row weighs the same
        theirs = _theirs(fitted, frames.read(frame))
        if np.abs(theirs.sum(axis=1) - raw).max() <= 1e-9:
            agreed += 1
            assert np.abs(mine.values[:, :, 0] - theirs[:, :-1]).max() <= 1e-9
    assert agreed


def test_ranking_is_explained_as_a_score():
    frame, score = _frame()
    groups = np.repeat(np.arange(90), 10)
    fitted = cb.CatBoostRanker(loss_function="YetiRank", **SMALL, **HOT).fit(frame, _target(score, "steps"), group_id=groups)
    model = wg.wrap(fitted, frame)
    answer = wg.explain(model, frame[:20])
    assert (model.task, answer.space) == ("regression", "value")
    assert np.abs(answer.predictions[:, 0] - fitted.predict(frame[:20])).max() <= 1e-12


def test_numbers_alone_need_no_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)).astype(np.float32)
    fitted = cb.CatBoostRegressor(**SMALL).fit(X, X[:, 0] * X[:, 1])
    model = wg.wrap(fitted)
    assert model.schema.names == ("x0", "x1", "x2")
    assert np.abs(model.predict(X)[:, 0] - fitted.predict(X)).max() == 0
    assert wg.explain(model, X[:1]).values.shape == (1, 3, 1)


@pytest.mark.parametrize("kind", ["polars", "arrow", "numpy"])
def test_other_frames_give_the_same_answers(kind):
    frame, score = _frame()
    numbers = frame.assign(flag=frame.flag.astype(int)).drop(columns="<script>")
    hot = {**SMALL, "cat_features": [2, 3], "one_hot_max_size": 20}
    if kind == "numpy":
        given = numbers.to_numpy(dtype=object)
        given[:, 2:] = numbers.iloc[:, 2:].to_numpy()
        fitted = cb.CatBoostRegressor(**hot).fit(given, score)
        asked, same = numbers.to_numpy(dtype=float), numbers.to_numpy(dtype=float)
    else:
        fitted = cb.CatBoostRegressor(**hot).fit(numbers, score)
        asked = pl.from_pandas(numbers) if kind == "polars" else pl.from_pandas(numbers).to_arrow()
        same = asked
    model = wg.wrap(fitted, same)
    expected = fitted.predict(given if kind == "numpy" else numbers)
    assert "trees" in model.can
    assert np.abs(model.predict(asked)[:, 0] - expected).max() == 0
    assert np.abs(wg.explain(model, asked).predictions[:, 0] - expected).max() <= 1e-12


def test_a_missing_category_is_one_never_seen_and_said_so():
    fitted, data = _fit(_ask("Logloss"), "binary")
    model = wg.wrap(fitted, data.source)
    row = data.source[:1].copy()
    row["<script>"] = row["<script>"].cat.set_categories(["never met"])
    assert row["<script>"].isna().all()
    known = data.source[:1].assign(**{"<script>": "never met"})
    assert np.array_equal(model.predict(row), fitted.predict_proba(known))
    answer = wg.explain(model, row)
    assert np.abs(answer.predictions[0, 0] - fitted.predict(known, prediction_type="RawFormulaVal")[0]) <= 1e-12
    assert "never seen" in model.provenance["missing"]


def test_target_statistics_are_refused_by_name_and_the_model_is_sampled():
    frame, score = _frame()
    fitted = cb.CatBoostClassifier(cat_features=CATEGORIES, one_hot_max_size=2, **SMALL).fit(frame, _target(score, "binary"))
    model = wg.wrap(fitted, frame)
    assert model.can == {"predict"}
    assert "(CTR)" in model.provenance["refused"]["trees"]
    assert "'<script>'" in model.provenance["refused"]["trees"]
    answer = wg.explain(model, frame[:2], background=frame[:10])
    assert np.abs(answer.base_values + answer.values.sum(axis=1) - fitted.predict_proba(frame[:2])).max() <= 1e-9


def test_text_columns_and_two_part_objectives_are_refused_by_name():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "said": rng.choice(["good day", "bad day", "so so"], 200)})
    worded = cb.CatBoostClassifier(text_features=["said"], **SMALL).fit(frame, (frame.x > 0).astype(int))
    model = wg.wrap(worded, frame)
    assert "text" in model.provenance["refused"]["trees"]
    assert np.array_equal(model.predict(frame), worded.predict_proba(frame))
    unsure = cb.CatBoostRegressor(loss_function="RMSEWithUncertainty", **SMALL).fit(frame[["x"]], frame.x)
    model = wg.wrap(unsure, frame[["x"]])
    assert "RMSEWithUncertainty" in model.provenance["refused"]["trees"]
    assert np.array_equal(model.predict(frame[["x"]]), unsure.predict(frame[["x"]]))


def test_category_columns_need_rows():
    fitted, _ = _fit(_ask("Logloss"), "binary")
    with pytest.raises(UnsupportedError, match=r"<script>.*Pass its training rows"):
        wg.wrap(fitted)


def test_what_cannot_be_wrapped_says_why():
    with pytest.raises(ModelError, match="not fitted"):
        wg.wrap(cb.CatBoostClassifier())
    fitted, data = _fit(_ask("Logloss"), "binary")
    with pytest.raises(ModelError, match="other columns"):
        wg.wrap(fitted, data.source.rename(columns={"age": "years"}))
    with pytest.raises(ModelError, match="no CatBoost model"):
        catboost_reader.check_export({"trees": []})
    text = data.source.assign(age="old")
    with pytest.raises(InputError, match="CatBoost does not take these rows"):
        adapt(fitted, Wanted(data)).abilities["predict"](text)


def test_a_file_predicts_and_explains_as_the_model_did(tmp_path):
    fitted, data = _fit(_ask("MultiClass"), "multi")
    fitted.save_model(str(tmp_path / "model.cbm"))
    read = files.read_model(tmp_path / "model.cbm")
    here, there = wg.wrap(fitted, data.source), wg.wrap(read, data.source)
    assert there.outputs == here.outputs == ("high", "low", "mid")
    assert there.model_hash == here.model_hash
    assert np.array_equal(there.predict(data.source), here.predict(data.source))
    (tmp_path / "bad.cbm").write_bytes(b"CBM1" + bytes(60))
    with pytest.raises(ModelError, match="no whole CatBoost model"):
        files.read_model(tmp_path / "bad.cbm")


def test_last_step_of_a_pipeline(walker):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(5, 3, size=(400, 3)), columns=["a", "b", "c"])
    y = (X.a * X.b > 25).astype(int)
    pipe = make_pipeline(StandardScaler(), cb.CatBoostClassifier(**SMALL)).fit(X, y)
    model = wg.wrap(pipe, X, y)
    assert "trees" in model.can
    rows = walker.edge_rows(model.trees(), model.data.matrix, ROWS, rng)
    margins = pipe[:-1].transform(pd.DataFrame(rows, columns=list("abc")))
    assert np.abs(walker.margins(model.trees(), rows)[:, 0] - pipe[-1].predict(margins, prediction_type="RawFormulaVal")).max() <= 1e-12


def _exported(tmp_path, **more):
    frame, score = _frame()
    numbers = frame[["age", "gain"]]
    fitted = cb.CatBoostRegressor(**SMALL, **more).fit(numbers, score)
    fitted.save_model(str(tmp_path / "model.json"), format="json")
    return json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))


def test_an_export_without_weights_or_with_unknown_questions_is_refused_and_a_damaged_one_named(tmp_path):
    names = ("age", "gain")
    export = _exported(tmp_path)
    assert catboost_reader.read_trees(export, names).roots[0] == 0
    bare = {**export, "oblivious_trees": [{k: v for k, v in t.items() if k != "leaf_weights"} for t in export["oblivious_trees"]]}
    with pytest.raises(UnsupportedError, match="no training weight per leaf"):
        catboost_reader.read_trees(bare, names)
    strange = json.loads(json.dumps(export).replace("FloatFeature", "EstimatedFeature"))
    with pytest.raises(UnsupportedError, match="EstimatedFeature"):
        catboost_reader.read_trees(strange, names)
    cut = {**export, "oblivious_trees": [{**t, "leaf_values": t["leaf_values"][1:]} for t in export["oblivious_trees"]]}
    with pytest.raises(ModelError, match="damaged"):
        catboost_reader.read_trees(cut, names)
    with pytest.raises(ModelError, match="damaged"):
        catboost_reader.read_trees({**export, "features_info": {}}, names)


def test_a_tree_deeper_than_pythons_stack_is_read(tmp_path, walker):
    export = _exported(tmp_path, grow_policy="Depthwise")
    node = {"value": 1.0, "weight": 1.0}
    for step in range(5000):
        split = {"split_type": "FloatFeature", "float_feature_index": 0, "border": float(step)}
        node = {"split": split, "left": node, "right": {"value": 0.0, "weight": 1.0}}
    export["trees"] = [node]
    raw = catboost_reader.read_trees(export, ("age", "gain"))
    assert raw.cover[0] == 5001
    assert dataclasses.replace(raw).left[0] == 1
