"""Pairs in the page against those of Python and against the definition."""

import interactions_by_definition as definition
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import whyglass as wg


def data(seed=0, rows=400, columns=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    X[rng.random(X.shape) < 0.05] = np.nan
    filled = np.nan_to_num(X)
    return X, (filled[:, 0] * filled[:, 1] + filled[:, 2] - filled[:, 3] * (filled[:, 4] > 0) > 0).astype(int)


MODELS = {
    "boosting": HistGradientBoostingClassifier(max_iter=20, random_state=0),
    "forest": RandomForestClassifier(20, max_depth=6, random_state=0),
}


def matrices(given, columns):
    """The page's upper triangles as the halves on both sides that Python gives, diagonal left out."""
    upper = np.array(given).reshape(-1, columns, columns)
    return (upper + upper.transpose(0, 2, 1)) / 2


def off_diagonal(interactions):
    return interactions * (1 - np.eye(interactions.shape[1]))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("output", [0, 1])
def test_the_page_and_python_agree_in_points(name, output, evaluate):
    X, y = data()
    model = wg.wrap(MODELS[name].fit(X, y), X, y)
    background, rows = X[:30], X[30:34]
    why = wg.explain(model, rows, space="probability", background=background, interactions=True)
    given = evaluate(model.trees(), rows, outputs=2, output=output, background=background, pairs=rows, categorical=[False] * 5)["pairs"]
    assert np.abs(off_diagonal(why.interactions[..., output])).max() > 1e-3
    np.testing.assert_allclose(matrices(given, 5), off_diagonal(why.interactions[..., output]), atol=2e-6)


def test_the_page_and_python_agree_in_the_margin(evaluate):
    X, y = data()
    model = wg.wrap(MODELS["boosting"].fit(X, y), X, y)
    why = wg.explain(model, X[30:34], background=X[:30], interactions=True)
    job = {"outputs": 2, "output": 1, "background": X[:30], "pairs": X[30:34], "categorical": [False] * 5}
    given = evaluate(model.trees(), X[30:34], space="margin", **job)["pairs"]
    np.testing.assert_allclose(matrices(given, 5), off_diagonal(why.interactions[..., 0]), atol=2e-5)


def test_another_background_would_be_noticed(evaluate):
    X, y = data()
    model = wg.wrap(MODELS["boosting"].fit(X, y), X, y)
    why = wg.explain(model, X[30:34], space="probability", background=X[:30], interactions=True)
    job = {"outputs": 2, "output": 1, "background": X[1:30], "pairs": X[30:34], "categorical": [False] * 5}
    given = evaluate(model.trees(), X[30:34], **job)["pairs"]
    assert np.abs(matrices(given, 5) - off_diagonal(why.interactions[..., 1])).max() > 1e-4


def test_a_linear_model_through_its_link_is_the_definition(evaluate):
    X, y = data()
    X = np.nan_to_num(X)
    fitted = LogisticRegression().fit(X, y)
    model = wg.wrap(fitted, X, y)
    x, background = X[40], X[:12]

    def said(coalition):
        batch = background.copy()
        batch[:, sorted(coalition)] = x[sorted(coalition)]
        return fitted.predict_proba(batch)[:, 1:].mean(axis=0)

    job = {"outputs": 2, "output": 1, "background": background, "pairs": x[None], "categorical": [False] * 5}
    wanted = definition.matrix(said, 5)[0][..., 0]
    np.testing.assert_allclose(matrices(evaluate(model.linear(), x[None], **job)["pairs"], 5)[0], wanted * (1 - np.eye(5)), atol=1e-9)
    margin = evaluate(model.linear(), x[None], space="margin", **job)["pairs"]
    np.testing.assert_allclose(margin, 0.0, atol=1e-12)
