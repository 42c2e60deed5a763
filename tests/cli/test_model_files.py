"""Models from files: the safe formats are read, everything else is refused in one sentence."""

from __future__ import annotations

import json
import pickle
import zipfile

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skops import io

from whyglass.adapters.models.files import read_model
from whyglass.core.errors import InputError, ModelError


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(300, 3))
    X = pd.DataFrame({"colour": pd.Categorical(np.where(numbers[:, 0] > 0.3, "red", "blue")), "a": numbers[:, 1], "b": numbers[:, 2]})
    return X, (numbers[:, 0] + numbers[:, 1] > 0).astype(int)


ESTIMATORS = {
    "histogram boosting with categories": HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype"),
    "histogram boosting": make_pipeline(OneHotEncoder(sparse_output=False), HistGradientBoostingRegressor(max_iter=5)),
    "forest in a pipeline": make_pipeline(
        make_column_transformer((OneHotEncoder(), ["colour"]), (StandardScaler(), ["a", "b"])), RandomForestClassifier(3, random_state=0)
    ),
    "linear": make_pipeline(make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough"), LogisticRegression()),
    "isolation": make_pipeline(
        make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough"), IsolationForest(n_estimators=5, random_state=0)
    ),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_skops_file_predicts_as_the_estimator_did(table, tmp_path, name):
    X, y = table
    model = ESTIMATORS[name].fit(X, y)
    file = tmp_path / "model.skops"
    io.dump(model, file)
    np.testing.assert_array_equal(read_model(file).predict(X), model.predict(X))


@pytest.mark.parametrize("suffix", [".json", ".ubj"])
def test_an_xgboost_file_predicts_as_the_booster_did(table, tmp_path, suffix):
    X, y = table
    model = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X[["a", "b"]], y), 3)
    file = tmp_path / f"model{suffix}"
    model.save_model(file)
    rows = xgboost.DMatrix(X[["a", "b"]])
    np.testing.assert_array_equal(read_model(file).predict(rows), model.predict(rows))


def test_a_lightgbm_file_predicts_as_the_booster_did(table, tmp_path):
    X, y = table
    model = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(X[["a", "b"]], y), 3)
    file = tmp_path / "model.txt"
    model.save_model(file)
    np.testing.assert_array_equal(read_model(file).predict(X[["a", "b"]]), model.predict(X[["a", "b"]]))


@pytest.mark.parametrize("suffix", [".pkl", ".joblib", ".h5", ""])
def test_another_format_is_told_what_is_wanted(tmp_path, suffix):
    file = tmp_path / f"model{suffix}"
    file.write_bytes(b"x")
    with pytest.raises(InputError, match=r"\.skops: scikit-learn.*\.json or \.ubj: XGBoost.*\.txt: LightGBM"):
        read_model(file)


def test_a_pickle_is_told_why():
    with pytest.raises(InputError, match="A pickle can run anything while it is read"):
        read_model("model.pkl")


@pytest.mark.parametrize("suffix", [".skops", ".json", ".ubj", ".txt"])
def test_an_absent_file_is_named(tmp_path, suffix):
    with pytest.raises(InputError, match=r"There is no file .*model"):
        read_model(tmp_path / f"model{suffix}")


@pytest.mark.parametrize("suffix", [".skops", ".json", ".ubj", ".txt"])
@pytest.mark.parametrize(
    "content", [b"", b"{}", b"tree\nversion=v4\nnum_class=1\n", b"PK\x03\x04 cut off", b"\x80\x04K\x01.", b"{L\x00\x00"]
)
def test_a_damaged_file_is_one_sentence(tmp_path, suffix, content):
    file = tmp_path / f"model{suffix}"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"is no whole|does not begin as"):
        read_model(file)


class Nasty:
    """Stands for any class that a file must not have built."""

    built = 0

    def __init__(self) -> None:
        type(self).built += 1


def test_a_strange_type_is_not_built(tmp_path):
    io.dump({"x": Nasty()}, tmp_path / "model.skops")
    Nasty.built = 0
    with pytest.raises(ModelError, match="does not build from a file"):
        read_model(tmp_path / "model.skops")
    assert Nasty.built == 0


def test_a_function_of_the_system_is_not_built(tmp_path):
    import os

    io.dump(FunctionTransformer(os.system), tmp_path / "model.skops")
    with pytest.raises(ModelError, match="system"):
        read_model(tmp_path / "model.skops")


def test_compiled_code_that_is_not_checked_is_not_built(table, tmp_path):
    X, y = table
    io.dump(KNeighborsClassifier(algorithm="kd_tree").fit(X[["a", "b"]], y), tmp_path / "model.skops")
    with pytest.raises(ModelError, match="KDTree"):
        read_model(tmp_path / "model.skops")


def _bend_nodes(file, bend):
    """Rewrite every structured array of nodes inside a skops file."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    changed = 0
    for name, data in parts.items():
        if name.endswith(".npy"):
            import io as streams

            array = np.load(streams.BytesIO(data))
            if array.dtype.names:
                bend(array)
                out = streams.BytesIO()
                np.save(out, array)
                parts[name] = out.getvalue()
                changed += 1
    assert changed
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def _set(field, value):
    def bend(nodes):
        nodes[field][0] = value

    return bend


@pytest.mark.parametrize(
    "bend", [_set("left_child", 10**6), _set("right_child", -2), _set("left_child", 0), _set("feature", 77), _set("feature", -5)]
)
def test_a_tree_that_leads_outside_itself_is_refused(table, tmp_path, bend):
    X, y = table
    file = tmp_path / "model.skops"
    io.dump(DecisionTreeClassifier().fit(X[["a", "b"]], y), file)
    read_model(file)
    _bend_nodes(file, bend)
    with pytest.raises(ModelError, match="lead outside it"):
        read_model(file)


@pytest.mark.parametrize("bend", [_set("left", 10**6), _set("right", 0), _set("feature_idx", 77), _set("feature_idx", -1)])
def test_a_histogram_tree_that_leads_outside_itself_is_refused(table, tmp_path, bend):
    X, y = table
    file = tmp_path / "model.skops"
    io.dump(HistGradientBoostingClassifier(max_iter=2).fit(X[["a", "b"]], y), file)
    read_model(file)
    _bend_nodes(file, bend)
    with pytest.raises(ModelError, match="lead outside it"):
        read_model(file)


def test_a_category_set_that_is_not_there_is_refused(table, tmp_path):
    X, y = table
    file = tmp_path / "model.skops"
    io.dump(HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype").fit(X, y), file)
    read_model(file)

    def bend(nodes):
        nodes["is_categorical"][:] = 1
        nodes["bitset_idx"][:] = 10**6

    _bend_nodes(file, bend)
    with pytest.raises(ModelError, match="lead outside it"):
        read_model(file)


def test_a_pickle_behind_a_safe_name_is_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit('a pickle was loaded')",))

    for suffix in (".skops", ".json", ".ubj", ".txt"):
        file = tmp_path / f"model{suffix}"
        file.write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ModelError):
            read_model(file)
    archive = tmp_path / "model.skops"
    schema = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": '"x"', "protocol": 2}
    with zipfile.ZipFile(archive, "w") as whole:
        whole.writestr("schema.json", json.dumps({**schema, "content": 5}))
    with pytest.raises(ModelError):
        read_model(archive)
