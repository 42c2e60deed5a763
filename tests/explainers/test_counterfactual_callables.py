"""Counterfactuals of models that are only asked: valid, obeying, within budget, near the exact answer, the same in any batch."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

import whyglass as wg
from whyglass.core.executor import Executor

COLORS = ["blue", "green", "red"]


def shapes(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.integers(0, 40, rows),
            "weight": np.round(rng.gamma(2.0, 10.0, rows), 1),
            "color": pd.Categorical(rng.choice(COLORS, rows), categories=COLORS),
            "age": rng.integers(18, 70, rows),
        }
    )
    return frame, np.where(frame["size"] + frame["weight"] * (frame["color"] != "red") > 32, "big", "small")


FRAME, Y = shapes()
FOREST = RandomForestClassifier(20, max_depth=6, random_state=0).fit(FRAME.assign(color=FRAME["color"].cat.codes), Y)


def said(rows):
    return FOREST.predict_proba(rows.assign(color=rows["color"].cat.codes))


def asked(answer=said, **options):
    return wg.wrap(answer, FRAME, Y, task="classification", outputs=["big", "small"], **options)


def tiny(answer):
    """A model over a grid small enough to be asked about whole."""
    frame = pd.DataFrame({"a": [0, 1, 2, 3] * 5, "b": [0.0, 0.5, 1.0, 1.5, 2.0] * 4})
    return wg.wrap(answer, frame, None, task="classification", outputs=["no", "yes"]), frame


def curve(rows):
    p = 1 / (1 + np.exp(-(rows["a"] * rows["b"] - 2.5).to_numpy()))
    return np.stack([1 - p, p], axis=1)


@pytest.mark.parametrize("plausible", [True, False])
def test_what_is_handed_out_is_valid_obeys_and_keeps_to_the_budget(plausible):
    model = asked()
    X = shapes(10, seed=4)[0]
    params = {"increase_only": ["age"], "ranges": {"size": (0, 35)}, "allowed": {"color": {"red": ["green"], "green": ["blue"]}}}
    found = wg.explain(model, X, method="counterfactual", plausible=plausible, budget=500, k=2, **params)
    assert found.provenance.model_rows <= 500 * len(X)
    assert found.provenance.model_calls < 40, "few large calls"
    assert sum(bool(c) for c in found.cases) >= 8
    for at, cases in enumerate(found.cases):
        for c in cases:
            case, row = X.iloc[at], c.row.iloc[0]
            assert said(c.row).argmax() != said(X.iloc[[at]]).argmax()
            assert np.allclose(c.prediction, said(c.row)[0])
            assert row["age"] >= case["age"]
            assert row["size"] <= 35
            assert row["color"] in (case["color"], {"red": "green", "green": "blue"}.get(case["color"]))
            assert (c.row.dtypes == FRAME.dtypes).all()
            assert not c.proven
            assert c.gap > 0
            assert 0 <= c.plausibility[0] <= 1
            assert c.plausibility[0] >= 0.05 or not plausible


def test_it_comes_near_the_exact_answer_of_the_same_model():
    trees = wg.wrap(FOREST, FRAME.assign(color=FRAME["color"].cat.codes.astype(int)), Y, categorical=["color"])
    assert "trees" in trees.can
    X = shapes(20, seed=4)[0]
    exact = wg.explain(trees, X.assign(color=X["color"].cat.codes.astype(int)), method="counterfactual", plausible=False)
    found = wg.explain(asked(), X, method="counterfactual", plausible=False)
    ratio = [a[0].distance / b[0].distance for a, b in zip(found.cases, exact.cases, strict=True) if a and b]
    assert len(ratio) == 20
    assert min(ratio) >= 1 - 1e-9, "nothing is nearer than what was proven nearest"
    assert np.mean(ratio) <= 1.25


def test_a_small_grid_is_asked_about_whole_and_proven():
    model, frame = tiny(curve)
    found = wg.explain(model, frame.iloc[:8], method="counterfactual", plausible=False)
    grid = pd.DataFrame([(a, b) for a in range(4) for b in np.arange(5) / 2], columns=["a", "b"])
    far = np.abs(grid[["a", "b"]].to_numpy()[None] - frame.iloc[:8].to_numpy()[:, None]) / frame.to_numpy().std(axis=0)
    yes = curve(grid)[:, 1] > 0.5
    for row in range(8):
        other = yes != (curve(frame.iloc[[row]])[0, 1] > 0.5)
        assert found[row][0].proven
        assert found[row][0].distance == pytest.approx(far[row].sum(axis=1)[other].min())
    with pytest.raises(AssertionError):
        assert found[0][0].distance == pytest.approx(far[0].sum(axis=1)[yes].max()), "the check can fail"


def test_a_constant_model_has_none_and_that_is_proven_where_everything_was_asked():
    model, frame = tiny(lambda rows: np.tile([0.9, 0.1], (len(rows), 1)))
    found = wg.explain(model, frame.iloc[:2], method="counterfactual", plausible=False)
    assert found.notes == ("none exists under these constraints",) * 2
    large = wg.explain(asked(lambda rows: np.tile([0.9, 0.1], (len(rows), 1))), FRAME.iloc[:2], method="counterfactual", budget=300)
    assert all("others may exist" in note for note in large.notes)


def test_a_row_answered_with_nan_is_not_handed_out_and_fails_nothing():
    def partly(rows):
        out = said(rows)
        out[(rows["age"] % 2 == 0).to_numpy()] = np.nan
        return out

    X = shapes(6, seed=4)[0].assign(age=[31, 33, 30, 35, 37, 39])
    found = wg.explain(asked(partly), X, method="counterfactual", plausible=False, budget=400)
    assert found.status[2] == "the model does not answer this row with a number"
    rest = [c for cases in found.cases for c in cases]
    assert len(rest) == 5
    assert all(int(c.row["age"].iloc[0]) % 2 == 1 for c in rest)


def test_a_model_that_raises_for_some_rows_loses_those_alone():
    def choosy(rows):
        if (rows["size"] > 38).any():
            raise ValueError("too large")
        return said(rows)

    X = shapes(4, seed=4)[0].assign(size=[5, 39, 10, 12])
    found = wg.explain(asked(choosy), X, method="counterfactual", plausible=False, budget=300)
    assert found.status[1] != "ok"
    assert all(found.cases[row] for row in (0, 2, 3))


def test_a_budget_too_small_says_so():
    found = wg.explain(asked(), FRAME.iloc[:2], method="counterfactual", budget=1)
    assert found.status == ("ok", "ok")
    assert all("budget is too small" in note for note in found.notes)
    assert found.provenance.model_rows == 2


def test_order_seed_and_threads():
    X = shapes(8, seed=4)[0]
    options = {"method": "counterfactual", "budget": 300, "k": 2}
    one = wg.explain(asked(), X, executor=Executor(1), **options)
    assert one == wg.explain(asked(), X, executor=Executor(2), **options)
    turned = wg.explain(asked(), X.iloc[::-1], **options)
    assert [str(c) for c in turned.cases[2]] == [str(c) for c in one.cases[5]]
    digests = {hashlib.sha256(repr(one.cases).encode()).hexdigest() for _ in range(2)}
    assert len(digests) == 1


def test_a_time_budget_ends_the_search():
    X = shapes(6, seed=4)[0]
    longer = wg.explain(asked(), X, method="counterfactual", budget="300ms")
    assert any(longer.cases) or not all(status == "ok" for status in longer.status)
    found = wg.explain(asked(), X, method="counterfactual", budget="1ms")
    assert all(status != "ok" or note or cases for status, note, cases in zip(found.status, found.notes, found.cases, strict=True))


def test_a_regression_is_led_into_a_range():
    model = wg.wrap(lambda rows: (rows["size"] * 2.0 + rows["weight"]).to_numpy(), FRAME, task="regression")
    X = shapes(5, seed=4)[0]
    found = wg.explain(model, X, method="counterfactual", target=(50, 60), plausible=False)
    for cases, note in zip(found.cases, found.notes, strict=True):
        assert note == "the model says 50 to 60 already" or 50 <= cases[0].prediction[0] <= 60
    assert any(found.cases)
