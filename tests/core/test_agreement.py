"""Agreement of two attributions, counted again one row and one column at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestClassifier

import whyglass as wg
from whyglass.core.agreement import Z95, compare, opposite
from whyglass.core.errors import InputError


def by_hand(one, two, se_one, se_two, k):
    """One row, by loops."""

    def strongest(values):
        order = sorted(range(len(values)), key=lambda j: (-abs(values[j]), j))[:k]
        return [j for j in order if values[j] != 0]

    def sure(values, errors, j):
        return abs(values[j]) >= 0.05 * max(map(abs, values)) and (errors is None or abs(values[j]) > Z95 * errors[j])

    first, second = strongest(one), strongest(two)
    shared = [j for j in first if j in second]
    same = [j for j in shared if (one[j] > 0) == (two[j] > 0)]
    against = [j for j in range(len(one)) if one[j] * two[j] < 0 and sure(one, se_one, j) and sure(two, se_two, j)]
    return min(len(first), len(second)), len(shared), len(same), len(against)


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(4)
    one, two = rng.normal(size=(300, 9)), rng.normal(size=(300, 9))
    two[:150] = one[:150] + rng.normal(size=(150, 9)) * 0.5
    one[::7] = np.round(one[::7])  # ties and zeros
    two[::5] = np.round(two[::5])
    two[3], one[4] = 0.0, 0.0
    return one, two, rng.exponential(0.4, (300, 9)), rng.exponential(0.4, (300, 9))


def differences(values, k, found):
    one, two, se_one, se_two = values
    wanted = [by_hand(one[i], two[i], se_one[i], se_two[i], k) for i in range(len(one))]
    got = zip(found.k.tolist(), found.shared.tolist(), found.same_sign.tolist(), found.opposite.tolist(), strict=True)
    return sum(a != b for a, b in zip(got, wanted, strict=True))


@pytest.mark.parametrize("k", [1, 3, 5, 9, 20])
def test_counts_are_those_of_loops(values, k):
    one, two, se_one, se_two = values
    found = compare(one, two, (se_one, se_two), k)
    assert differences(values, k, found) == 0
    assert differences((one, two, se_one * 0, se_two), k, found) > 0, "the check sees errors that are left out"
    assert differences((one, np.roll(two, 1, axis=1), se_one, se_two), k, found) > 100, "and columns that are shifted"


def test_ranks_are_those_of_scipy(values):
    one, two, _, _ = values
    found = compare(one, two).rank_correlation
    for i in range(len(one)):
        if np.ptp(np.abs(one[i])) == 0 or np.ptp(np.abs(two[i])) == 0:
            assert np.isnan(found[i])
            continue
        wanted = spearmanr(np.abs(one[i]), np.abs(two[i])).statistic
        assert found[i] == pytest.approx(wanted, abs=1e-12)
    signed = np.array([spearmanr(one[i], two[i]).statistic for i in range(10, 300) if i % 7 and i % 5])
    sizes = np.array([found[i] for i in range(10, 300) if i % 7 and i % 5])
    assert np.abs(signed - sizes).max() > 0.1, "ranks of sizes, not of signed values"


def test_the_same_values_agree_wholly():
    one = np.array([[3.0, -2.0, 1.0, 0.0]])
    found = compare(one, 10 * one, k=5)
    assert (found.k[0], found.shared[0], found.same_sign[0], found.opposite[0], found.rank_correlation[0]) == (3, 3, 3, 0, 1.0)
    turned = compare(one, -one, k=5)
    assert (turned.shared[0], turned.same_sign[0], turned.opposite[0], turned.rank_correlation[0]) == (3, 0, 3, 1.0)


def test_directions_within_their_errors_are_not_opposite():
    one, two = np.array([[1.0, 0.5]]), np.array([[-1.0, 0.5]])
    wide, unknown = np.array([[0.6, 0.1]]), np.array([[np.nan, 0.1]])
    assert opposite(one, two).tolist() == [[True, False]]
    assert opposite(one, two, (wide, None)).tolist() == [[False, False]]
    assert opposite(one, two, (None, unknown)).tolist() == [[False, False]]
    assert opposite(np.array([[1.0, 0.049]]), np.array([[1.0, -1.0]])).tolist() == [[False, False]], "too slight to speak of"


@pytest.fixture(scope="module")
def both():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 4)), columns=["a", "b", "c", "d"])
    X.loc[2, "b"] = np.inf
    y = (X["a"] + 0.5 * X["c"] * (X["d"] > 0) > 0).astype(int)
    known = X.drop(index=2)
    model = wg.wrap(RandomForestClassifier(20, max_depth=5, random_state=0).fit(known, y.drop(index=2)), known, y.drop(index=2))
    rows = X[:8]
    return model, X, wg.explain(model, rows, space="probability"), wg.explain(model, rows, method="lime")


def test_a_frame_says_how_shapley_and_lime_agree(both):
    _, _, why, lime = both
    frame = why.agreement(lime, k=2)
    assert list(frame.columns) == ["row", "output", "k", "shared", "same_sign", "rank_correlation", "opposite", "status"]
    assert len(frame) == 16
    assert frame["output"].tolist() == ["0", "1"] * 8
    found = compare(why.values[:, :, 1], lime.values[:, :, 1], (None, lime.std_errors[:, :, 1]), 2)
    good = np.array([s == "ok" for s in lime.status])
    assert good.sum() == 7
    ones = frame[frame["output"] == "1"]
    assert ones["shared"].to_numpy()[good].tolist() == found.shared[good].tolist()
    assert ones["rank_correlation"].to_numpy()[good].tolist() == found.rank_correlation[good].tolist()
    bad = ones[~good].iloc[0]
    assert (bad["shared"], bad["status"]) == (0, lime.status[2])
    assert np.isnan(bad["rank_correlation"])
    assert (ones["shared"].to_numpy()[good] <= 2).all()
    turned = lime.agreement(why, k=2)
    assert turned.drop(columns="status").equals(frame.drop(columns="status")), "it does not matter which comes first"


def test_results_that_do_not_belong_together_are_told_apart(both):
    model, X, why, lime = both
    with pytest.raises(InputError, match="different rows"):
        why.agreement(lime[1:])
    with pytest.raises(InputError, match="different rows"):
        why.agreement(wg.explain(model, X[20:28], method="lime"))
    with pytest.raises(InputError, match="space"):
        why.agreement(replace(lime, space="margin"))
    with pytest.raises(InputError, match="no output in common"):
        why.agreement(replace(lime, output_names=("x", "y")))
    with pytest.raises(InputError, match="different models"):
        why.agreement(lime.with_provenance(model_hash="another"))
    with pytest.raises(InputError, match="columns or groups"):
        wg.explain(model, X[:8], space="probability", groups={"ab": ["a", "b"]}).agreement(lime)
    for k in (0, True, 2.5, "5"):
        with pytest.raises(InputError, match="whole number"):
            why.agreement(lime, k=k)
    one = why.agreement(wg.explain(model, X[:8], method="lime", target="1"))
    assert one["output"].unique().tolist() == ["1"]
