"""Effects against their definitions in plain NumPy, on a model with categories, missing values and three classes; errors on fresh samples.

The definitions ask the fitted model itself, one moved table at a time.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import whyglass as wg

KINDS = ["<b>", "blue", "red"]
CLASSES = ["high", "low", "middle"]


def table(rows=120, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, 2)), columns=["a", "b"])
    X["b"] += 0.8 * X["a"]
    X["kind"] = pd.Categorical(np.where(X["a"] > 0.6, "red", rng.choice(KINDS[:2], rows)), categories=KINDS)
    X["size"] = pd.Categorical(rng.choice(["s", "m", "l"], rows), categories=["s", "m", "l"], ordered=True)
    score = X["a"] * X["b"] + (X["kind"] == "red") * X["size"].cat.codes + 0.2 * rng.normal(size=rows)
    X.loc[rng.choice(rows, rows // 12, replace=False), "b"] = np.nan
    X.loc[rng.choice(rows, rows // 15, replace=False), "kind"] = np.nan
    return X, np.array(CLASSES)[np.digitize(score, [0.0, 1.0])]


X, Y = table()
FITTED = HistGradientBoostingClassifier(max_iter=12, categorical_features="from_dtype", random_state=0).fit(*table(600, 1))
TREES = wg.wrap(FITTED, X, Y)
OPAQUE = wg.wrap(FITTED.predict_proba, X, Y, outputs=CLASSES)
BOTH = pytest.mark.parametrize("model", [TREES, OPAQUE], ids=["trees", "callable"])


def at(rows, **values):
    """The rows with columns at given values, one for all or one each."""
    moved = rows.copy()
    for name, value in values.items():
        held = [value] * len(rows) if isinstance(value, str) or np.ndim(value) == 0 else value
        moved[name] = pd.Categorical(held, categories=rows[name].cat.categories) if name in ("kind", "size") else np.asarray(held, float)
    return moved


def curve_of(rows, name, points):
    return np.stack([FITTED.predict_proba(at(rows, **{name: p})) for p in points], axis=1)


@BOTH
@pytest.mark.parametrize("name", list(X))
def test_every_curve_is_the_answers_of_the_moved_rows(model, name):
    own = wg.explain(model, X, method="ice", grid=9)
    mean = wg.explain(model, X, method="pdp", grid=9)
    truth = curve_of(X, name, own.grid[name])
    assert np.abs(own.values[name] - truth).max() <= 1e-12
    assert np.abs(mean.values[name] - truth.mean(axis=0)).max() <= 1e-12
    assert np.abs(mean.std_errors[name] - truth.std(axis=0, ddof=1) / np.sqrt(len(X))).max() <= 1e-12
    assert np.abs(mean.values[name] - truth[1:].mean(axis=0)).max() > 1e-6, "a row left out must be seen"


def h_by_definition(surface, first, second, counts):
    """Friedman's H over the rows: the surface at each row's nearest points, less both curves, over the surface."""
    rows = np.repeat(np.argwhere(counts >= 0), counts.ravel().astype(int), axis=0)
    both = surface[rows[:, 0], rows[:, 1]]
    one, two = first[rows[:, 0]], second[rows[:, 1]]
    both, one, two = both - both.mean(axis=0), one - one.mean(axis=0), two - two.mean(axis=0)
    return np.sqrt(((both - one - two) ** 2).sum(axis=0) / (both**2).sum(axis=0))


@BOTH
def test_a_surface_and_its_h_follow_their_definitions(model):
    found = wg.explain(model, X, method="pdp", pairs=[("kind", "a"), ("a", "b")], grid=5)
    for one, two in (("kind", "a"), ("a", "b")):
        first, second = found.grid[one, two]
        truth = np.stack([np.stack([FITTED.predict_proba(at(X, **{one: p, two: q})) for q in second], axis=1) for p in first], axis=1)
        assert np.abs(found.values[one, two] - truth.mean(axis=0)).max() <= 1e-12
        assert np.abs(found.std_errors[one, two] - truth.std(axis=0, ddof=1) / np.sqrt(len(X))).max() <= 1e-12
    first, second = found.grid["a", "b"]
    known = X[X["b"].notna()]
    counts = np.zeros((len(first), len(second)))
    for _, row in known.iterrows():
        counts[np.abs(first - row["a"]).argmin(), np.abs(second - row["b"]).argmin()] += 1
    surface = found.values["a", "b"]
    share = counts / counts.sum()
    own = np.einsum("ab,abk->ak", np.tile(share.sum(axis=0), (len(first), 1)), surface)
    other = np.einsum("ab,abk->bk", np.tile(share.sum(axis=1)[:, None], (1, len(second))), surface)
    truth = h_by_definition(surface, own, other, counts)
    assert np.abs(found.strength["a", "b"] - truth).max() <= 1e-9
    assert np.abs(found.strength["a", "b"] - h_by_definition(surface, own, other * 0, counts)).max() > 0.01


def steps_of(rows, name, points):
    """(step, change) of every row and step that it takes part in: numbers at their bin's ends, categories at both neighbours."""
    found = []
    for i in range(len(rows)):
        row, value = rows[i : i + 1], rows[name].iloc[i]
        if pd.isna(value):
            continue
        if name in ("kind", "size"):
            place = list(points).index(value)
            taken = [k for k in (place - 1, place) if 0 <= k < len(points) - 1]
        else:
            taken = [int(np.clip(np.searchsorted(points, value, side="left") - 1, 0, len(points) - 2))]
        found += [(i, k, row) for k in taken]
    high = at(pd.concat([row for *_, row in found]), **{name: [points[k + 1] for _, k, _ in found]})
    low = at(pd.concat([row for *_, row in found]), **{name: [points[k] for _, k, _ in found]})
    return np.array([k for _, k, _ in found]), FITTED.predict_proba(high) - FITTED.predict_proba(low)


@BOTH
@pytest.mark.parametrize("name", list(X))
def test_accumulated_effects_follow_their_definition(model, name):
    curves = wg.explain(model, X, method="ale", features=[name], grid=6)
    points = curves.grid[name]
    step, change = steps_of(X, name, points)
    mean = np.stack([change[step == k].mean(axis=0) for k in range(len(points) - 1)])
    added = np.concatenate([np.zeros((1, 3)), mean.cumsum(axis=0)])
    assert np.abs(np.diff(curves.values[name], axis=0) - mean).max() <= 1e-12
    if name in ("kind", "size"):
        shares = np.array([(X[name] == p).sum() for p in points]) / X[name].notna().sum()
        centre = shares @ added
    else:
        centre = ((added[step] + added[step + 1]) / 2).mean(axis=0)
    assert np.abs(curves.values[name] - (added - centre)).max() <= 1e-12
    assert np.abs(np.diff(curves.values[name], axis=0) - mean[::-1]).max() > 1e-4, "steps in another order must be seen"


@BOTH
def test_an_accumulated_surface_follows_its_definition(model):
    rows = X[X["b"].notna()]
    curves = wg.explain(model, rows, method="ale", pairs=[("a", "b")], grid=4)
    (p, q), surface = curves.grid["a", "b"], curves.values["a", "b"]
    i = np.clip(np.searchsorted(p, rows["a"], side="left") - 1, 0, len(p) - 2)
    j = np.clip(np.searchsorted(q, rows["b"], side="left") - 1, 0, len(q) - 2)
    corner = {(s, t): FITTED.predict_proba(at(rows, a=p[i + s], b=q[j + t])) for s in (0, 1) for t in (0, 1)}
    change = corner[1, 1] - corner[1, 0] - corner[0, 1] + corner[0, 0]
    second = surface[1:, 1:] - surface[1:, :-1] - surface[:-1, 1:] + surface[:-1, :-1]
    filled = 0
    for s in range(len(p) - 1):
        for t in range(len(q) - 1):
            here = (i == s) & (j == t)
            if here.any():
                filled += 1
                assert np.abs(second[s, t] - change[here].mean(axis=0)).max() <= 1e-12
    assert filled >= 4
    assert np.abs(change).max() > 1e-3
    middle = (surface[i, j] + surface[i + 1, j] + surface[i, j + 1] + surface[i + 1, j + 1]) / 4
    assert np.abs(middle.mean(axis=0)).max() <= 1e-12, "centred over the rows"


def losses(rows, y):
    return -np.log(np.maximum(FITTED.predict_proba(rows)[np.arange(len(rows)), [CLASSES.index(c) for c in y]], 1e-15))


def test_importance_is_the_mean_over_all_ways_to_hand_values_on():
    rows, y = X[:45], Y[:45]
    found = wg.explain(TREES, rows, y=y, method="permutation")
    for place, name in enumerate(X):
        given = np.stack(
            [losses(rows.assign(**{name: rows[name].iloc[[donor] * len(rows)].array}), y) for donor in range(len(rows))], axis=1
        )
        now = losses(rows, y)
        assert abs(found.values[0, place, 0] - (given.mean() - now.mean())) <= 1e-12
        each = given.mean(axis=1) + given.mean(axis=0) - given.mean() - now
        assert abs(found.std_errors[0, place, 0] - each.std(ddof=1) / np.sqrt(len(rows))) <= 1e-12
        assert abs(found.values[0, place, 0] - (np.delete(given, 5, axis=1).mean() - now.mean())) > 1e-9, "a donor left out must be seen"


@BOTH
def test_a_group_is_drawn_as_the_seed_says(model):
    found = wg.explain(model, X, y=Y, method="permutation", groups={"both": ["kind", "b"]}, repeats=3, seed=4)
    place, rises = found.feature_names.index("both"), []
    for repeat in range(3):
        order = np.random.default_rng([4, place, repeat]).permutation(len(X))
        moved = X.assign(**{name: X[name].iloc[order].array for name in ("kind", "b")})
        rises.append((losses(moved, Y) - losses(X, Y)).mean())
    assert abs(found.values[0, place, 0] - np.mean(rises)) <= 1e-12
    assert abs(found.values[0, place, 0] - rises[0]) > 1e-6


def coverage(found, truth):
    """Share of values within 1.96 standard errors of the truth, and within half as many."""
    return [np.mean([np.abs(v - truth) <= z * e for v, e in found]) for z in (1.96, 0.98)]


@pytest.mark.parametrize("method", ["pdp", "ale", "permutation"])
def test_about_95_of_100_intervals_hold_the_truth(method):
    rows, y = table(24_000, 7)
    edges = {"a": np.linspace(-1.5, 1.5, 5), "b": [-1.0, 0.0, 1.0]}
    options = {} if method == "permutation" else {"grid": edges, "features": ["a"]}

    def ask(part):
        given = {"y": y[part]} if method == "permutation" else {}
        answer = wg.explain(TREES, rows[part], method=method, **options, **given)
        if method == "permutation":
            return answer.values[0, :, 0], answer.std_errors[0, :, 0]
        return answer.values["a"], answer.std_errors["a"]

    truth = ask(slice(None))[0]
    inside, half = coverage([ask(slice(start, start + 300)) for start in range(0, 24_000, 300)], truth)
    assert 0.90 <= inside <= 0.98
    assert half < 0.80, "errors half as large must be seen"
