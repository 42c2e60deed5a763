"""wrap, explain, show and load: what they accept, what they refuse, and how the answer says it was made."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import whyglass as wg

COLUMNS = ["age", "hours", "job"]


def table(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.integers(17, 90, rows), "hours": rng.normal(40, 10, rows), "job": rng.integers(0, 3, rows)})
    y = np.where(frame["age"] + frame["hours"] + 10 * frame["job"] + rng.normal(0, 10, rows) > 95, "rich", "poor")
    return frame, y


@pytest.fixture(scope="module")
def boosting():
    X, y = table()
    return wg.wrap(GradientBoostingClassifier(n_estimators=10, random_state=0).fit(X, y), X, y)


def explain(model, X, **options):
    return wg.explain(model, X, **options)


def test_a_bare_estimator_needs_its_data_beside_it():
    X, y = table()
    fitted = RandomForestClassifier(5, random_state=0).fit(X, y)
    why = wg.explain(fitted, X[:3], data=X, y=y)
    assert why.space == "probability"
    assert why.output_names == ("poor", "rich")
    assert why.exact


def test_a_binary_margin_is_named_after_the_positive_class(boosting):
    X, _ = table()
    why = explain(boosting, X[:4])
    assert why.space == "margin"
    assert why.output_names == ("rich",)
    other = explain(boosting, X[:4], target="poor")
    assert other.output_names == ("poor",)
    assert np.array_equal(other.values, -why.values)
    assert np.array_equal(other.predictions, -why.predictions)
    assert explain(boosting, X[:4], target="rich") == why


def test_a_class_may_be_named_as_it_stands_in_the_data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    for classes in ([0, 1], [False, True], [10.5, 2.0]):
        y = np.asarray(classes)[(X[:, 0] > 0).astype(int)]
        labels = y.astype(str) if y.dtype == float else y  # classes of a classifier are discrete
        model = wg.wrap(LogisticRegression().fit(X, labels), X, y)
        for given in classes:
            for method in ("shap", "lime"):
                assert explain(model, X[:3], target=given, method=method) == explain(model, X[:3], target=str(given), method=method)
            assert explain(model, X[:3], method="counterfactual", target=given).status == ("ok",) * 3


def test_probability_space_speaks_of_every_class(boosting):
    X, _ = table()
    why = explain(boosting, X[:4], space="probability")
    assert why.space == "probability"
    assert why.output_names == ("poor", "rich")
    assert np.allclose(why.predictions, boosting.predict(X[:4]), atol=1e-9)
    assert np.allclose(why.values[:, :, 0], -why.values[:, :, 1], atol=1e-9)


def test_provenance_makes_the_answer_again(boosting):
    X, _ = table()
    why = explain(boosting, X[:2], seed=7)
    said = why.provenance
    assert said.method == "shap.tree"
    assert said.seed == 7
    assert said.model_calls == 0
    assert said.seconds > 0
    assert {"python", "numpy", "whyglass"} <= set(said.versions)
    assert said.model_hash
    assert said.data_hash
    assert said.to_dict()["params"]["space"] == "margin"


def test_model_calls_are_counted():
    X, _ = table()
    seen = []

    def chance(frame):
        seen.append(len(frame))
        return 1 / (1 + np.exp(-(frame["hours"].to_numpy() - 40) / 10))

    model = wg.wrap(chance, X, task="classification", outputs=["low", "high"])
    seen.clear()
    why = explain(model, X[:3], budget=8)
    assert why.provenance.model_calls == len(seen)
    assert why.provenance.model_rows == sum(seen)
    assert why.provenance.model_rows <= 3 * (8 * 200 + 1) + 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "shapp"}, "Did you mean 'shap'"),
        ({"target": "ritch"}, "Did you mean 'rich'"),
        ({"space": "probabilty"}, "Did you mean 'probability'"),
        ({"budget": "soon"}, "'200ms' or '30s'"),
        ({"n_samples": 3}, "no parameter 'n_samples'"),
    ],
)
def test_a_wrong_word_is_named(boosting, options, words):
    X, _ = table()
    with pytest.raises(wg.InputError, match=words):
        explain(boosting, X[:2], **options)


def test_an_empty_background_is_refused(boosting):
    X, _ = table()
    with pytest.raises(wg.InputError, match="no rows"):
        explain(boosting, X[:2], background=X[:0])


def test_a_method_that_cannot_answer_says_why():
    X, y = table()
    model = wg.wrap(LogisticRegression(max_iter=500).fit(X, y), X, y)
    with pytest.raises(wg.UnsupportedError, match=r"shap\.tree needs \['trees'\]"):
        explain(model, X[:2], method="shap.tree")


def test_columns_are_matched_by_name(boosting):
    X, _ = table()
    assert explain(boosting, X[["job", "age", "hours"]][:3]) == explain(boosting, X[:3])
    with pytest.raises(wg.InputError, match="hours"):
        explain(boosting, X[["age", "job"]])
    with pytest.raises(wg.InputError, match="hours"):
        explain(boosting, X.assign(hours="many"))


@pytest.mark.parametrize("rows", [0, 1])
def test_no_rows_and_one_row(boosting, rows):
    X, _ = table()
    why = explain(boosting, X[:rows])
    assert why.values.shape == (rows, 3, 1)
    assert len(why) == rows
    assert repr(why)


def test_the_callers_data_is_never_written_to(boosting):
    X, y = table()
    before = X.copy()
    explain(boosting, X, space="probability", budget=64)
    pd.testing.assert_frame_equal(X, before)
    assert (table()[1] == y).all()


def test_one_bad_row_never_fails_a_batch():
    X, _ = table(50)

    def touchy(frame):
        if (frame["age"] > 1000).any():
            raise ValueError("nobody is that old")
        return frame["hours"].to_numpy() / 100

    model = wg.wrap(touchy, X, task="regression")
    rows = X[:4].copy()
    rows.loc[rows.index[2], "age"] = 2000
    why = explain(model, rows)
    assert [s == "ok" for s in why.status] == [True, True, False, True]
    assert "nobody is that old" in why.status[2]
    assert np.isnan(why.values[2]).all()
    assert np.isfinite(why.values[[0, 1, 3]]).all()
    assert np.array_equal(why.values[[0, 1, 3]], explain(model, rows.iloc[[0, 1, 3]]).values)


def test_what_is_no_model_is_refused_with_the_list():
    with pytest.raises(wg.ModelError, match="xgboost"):
        wg.wrap({"not": "a model"})
    with pytest.raises(wg.InputError, match="Did you mean 'classification'"):
        wg.wrap(len, task="clasification")


def test_an_unfitted_estimator_is_refused():
    X, y = table()
    with pytest.raises(wg.ModelError, match="fit"):
        wg.wrap(RandomForestClassifier(), X, y)


def test_show_refuses_what_it_cannot_show(boosting, tmp_path):
    with pytest.raises(wg.InputError, match="nothing to show"):
        wg.show()
    with pytest.raises(wg.InputError, match="DataFrame"):
        wg.show(pd.DataFrame())
    with pytest.raises(wg.InputError, match="theme"):
        wg.show(boosting, theme="pink")
    X, _ = table()
    with pytest.raises(wg.InputError, match="one outcome for each"):
        wg.show(explain(boosting, X[:3]), y=["rich"])
    with pytest.raises(wg.InputError, match=r"no file"):
        wg.load(tmp_path / "none.arrow")
    with pytest.raises(wg.InputError, match="Cannot read"):
        wg.load(tmp_path / "none.pkl")


def test_the_face_offers_the_nearest_name():
    with pytest.raises(AttributeError, match="Did you mean 'explain'"):
        _ = wg.explian
    assert {"wrap", "explain", "show", "load", "methods", "datasets"} <= set(dir(wg))


def test_a_unit_may_stand_alone_or_among_other_parts():
    X = np.arange(20.0).reshape(-1, 2)
    model = wg.wrap(LogisticRegression().fit(X, X[:, 0] > 8), X, columns={"x0": "{} h", "x1": {"unit": "${}", "label": "gain"}})
    assert [column.write(3.0) for column in model.schema.columns] == ["3 h", "$3"]
    assert [column.title for column in model.schema.columns] == ["x0", "gain"]
    with pytest.raises(wg.InputError, match="no column 'x9'"):
        wg.wrap(LogisticRegression().fit(X, X[:, 0] > 8), X, columns={"x9": "{} h"})
