"""What a rule says: ends of ordered categories, ranges of a regression in its unit, names of any kind."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import whyglass as wg
from whyglass.core.errors import InputError
from whyglass.core.rules import Predicate, Rule
from whyglass.core.schema import Column, Schema
from whyglass.explainers.anchors.question import readable

SIZES = ["tiny", "small", "medium", "large", "huge"]
SIZE = Column("size", "categorical", categories=tuple(SIZES), ordered=True, label="Size")


def shop(rows=3000, seed=0):
    rng = np.random.default_rng(seed)
    size = pd.Categorical.from_codes(rng.integers(0, 5, rows), SIZES, ordered=True)
    return pd.DataFrame({"size": size, "price": np.round(rng.gamma(3, 20, rows), 2), "brand": rng.choice(["a", "b"], rows)})


def sold(X):
    """Yes from "large" up unless the price is high; what it does with a missing size is to say no."""
    codes = np.array([SIZES.index(s) if s in SIZES else -1 for s in X["size"].astype(object)])
    yes = 1 / (1 + np.exp(-(4.0 * (codes >= 3) - 2.0 + 0.02 * (60 - X["price"].to_numpy(float)))))
    return np.column_stack([1 - yes, yes])


def wrapped(X=None):
    return wg.wrap(sold, shop() if X is None else X, task="classification", outputs=["kept", "sold"])


@pytest.mark.parametrize(
    ("codes", "operator", "value", "text"),
    [
        ((0, 1), "<=", "small", "Size at most small"),
        ((3, 4), ">=", "large", "Size at least large"),
        ((1, 2, 3), "between", ("small", "large"), "Size from small to large"),
        ((2,), "=", "medium", "Size = medium"),
        ((0, 2), "in", ("tiny", "medium"), "Size in tiny, medium"),
        ((0, 1, 2, 3, 4), "in", tuple(SIZES), "Size in tiny, small, medium, large, huge"),
    ],
)
def test_runs_of_ordered_categories_are_told_by_their_ends(codes, operator, value, text):
    told = Predicate(SIZE, 0, codes=codes)
    assert (told.operator, told.value, told.text) == (operator, value, text)
    assert told.mask(np.array([-1.0, 0, 1, 2, 3, 4, 5, np.nan])).tolist() == [k in codes for k in (-1, 0, 1, 2, 3, 4, 5, None)]
    wire = json.loads(json.dumps(told.to_json()))
    assert wire["codes"] == list(codes)
    assert Predicate.from_json(wire, Schema((SIZE,))) == told
    bare = Predicate(Column("size", "categorical", categories=tuple(SIZES)), 0, codes=codes)
    assert bare.operator == ("=" if len(codes) == 1 else "in"), "categories without an order have no ends"


def test_rules_speak_of_the_ends_of_an_ordered_category_and_hold():
    X = shop()
    model = wrapped(X)
    found = wg.explain(model, X.iloc[:40], method="anchors")
    ends = [p for r in found.rules for p in r.predicates if p.feature == "size"]
    assert {p.operator for p in ends} <= {"=", "<=", ">=", "between"}
    assert {"<=", ">="} <= {p.operator for p in ends}
    assert any("size at least " in p.text for p in ends)
    rng, codes = np.random.default_rng(0), X["size"].cat.codes.to_numpy()
    for k, rule in enumerate(found.rules):
        assert rule.mask(X.iloc[:40])[k]
        for p in rule.predicates:
            if p.feature == "size" and p.operator in ("<=", ">="):
                end = SIZES.index(p.value)
                alone = Rule((p,), "", 0, (0, 1), "interventional", 0, met=True, schema=rule.schema)
                assert alone.mask(X).tolist() == (codes <= end if p.operator == "<=" else codes >= end).tolist()
        if rule.met:
            rows = X.iloc[rng.integers(0, len(X), 5000)].reset_index(drop=True)
            for p in rule.predicates:
                own = X[p.feature][Rule((p,), "", 0, (0, 1), "interventional", 0, met=True, schema=rule.schema).mask(X)]
                rows[p.feature] = own.iloc[rng.integers(0, len(own), 5000)].to_numpy()
            rows["size"] = pd.Categorical(rows["size"], SIZES, ordered=True)
            assert (np.array(["kept", "sold"])[sold(rows).argmax(axis=1)] == rule.output).mean() >= 0.94
    assert found == wg.explain(model, X.iloc[:40], method="anchors")


def test_missing_and_unseen_sizes_lie_on_no_side(tmp_path):
    X = shop()
    X.loc[::9, "size"] = np.nan
    model = wrapped(X)
    cases = X.iloc[:20].assign(size=X["size"].iloc[:20].astype(object))
    cases.iloc[1, 0] = "gigantic"
    found = wg.explain(model, cases, method="anchors")
    assert found.status == ("ok",) * 20
    assert "size" not in [p.feature for p in found[1].predicates]
    assert {p.text for p in found[0].predicates if p.feature == "size"} <= {"size is missing"}
    for rule in found.rules:
        for p in rule.predicates:
            if p.feature == "size" and p.codes:
                assert not p.mask(np.array([np.nan, -1.0, 5.0])).any()
    found.save(tmp_path / "rules.arrow")
    assert wg.load(tmp_path / "rules.arrow") == found


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        (("<=", "small"), (0, 1)),
        (("<", "small"), (0,)),
        ((">", "medium"), (3, 4)),
        ((">=", "medium"), (2, 3, 4)),
        (("between", "small", "large"), (1, 2, 3)),
    ],
)
def test_a_given_rule_may_compare_ordered_categories(given, codes):
    found = wg.explain(wrapped(shop(300)), shop(2), method="anchors", rule={"size": given}, budget=200)
    assert found[0].predicates[0].codes == codes
    assert found[0].coverage == pytest.approx(np.isin(shop(300)["size"].cat.codes, codes).mean())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": ("<", "tiny")}, "no category satisfies .*in order they are tiny, small"),
        ({"size": ("between", "large", "small")}, "no category satisfies"),
        ({"size": (">=", "larg")}, "Did you mean 'large'"),
        ({"brand": ("<", "b")}, "without an order"),
    ],
)
def test_a_comparison_that_says_nothing_is_refused(given, said):
    with pytest.raises(InputError, match=said):
        wg.explain(wrapped(shop(100)), shop(2), method="anchors", rule=given)


@pytest.mark.parametrize(
    ("value", "width", "unit", "words"),
    [
        (23.4512, 1.7, "", "21.8 to 25.1"),
        (182_345.3, 11_234.0, "${}", "$172,000 to $193,000"),
        (0.5123, 0.1, "{} h", "0.42 to 0.61 h"),
        (-3.2, 0.5, "kWh", "\N{MINUS SIGN}3.70 to \N{MINUS SIGN}2.70 kWh"),
        (0.0, 0.0, "", "0"),
        (7.0, 0.0, "{} h", "7 h"),
    ],
)
def test_the_range_of_a_regression_has_few_digits_and_its_unit(value, width, unit, words):
    low, high, told = readable(value, width, unit)
    assert told == words
    assert value - width - 1e-9 <= low <= value <= high <= value + width + 1e-9
    assert max(low - value + width, value + width - high) <= width / 10 + 1e-9


@pytest.mark.parametrize("size", range(-6, 9))
def test_what_is_written_of_a_range_is_what_the_rule_is_held_to(size):
    rng = np.random.default_rng(size + 6)
    for value, width in rng.normal(size=(50, 2)) * 10.0**size * [30, 1]:
        low, high, told = readable(value, abs(width))
        written = [float(w.replace(",", "").replace("\N{MINUS SIGN}", "-")) for w in re.split(" to ", told)]
        assert written == pytest.approx([low, high], rel=1e-6 if size > -3 else 5e-3, abs=1e-12)
        assert abs(low - value) <= abs(width) * (1 + 1e-9)


def test_a_regression_rule_says_the_unit_that_the_model_was_wrapped_with():
    X = shop()
    model = wg.wrap(lambda X: X["price"].to_numpy(float) * 1000, X, task="regression", outputs=["pay"], labels={"unit": "${}"})
    found = wg.explain(model, X.iloc[:5], method="anchors", band=15_000)
    for k, rule in enumerate(found.rules):
        said = rule.output.replace("\N{MINUS SIGN}", "-")
        assert re.fullmatch(r"pay \$[-\d,]+ to \$[\d,]+", said)
        low, high = (float(w.replace(",", "")) for w in re.findall(r"[-\d,]+", said))
        assert low <= X["price"].iloc[k] * 1000 <= high
        assert high - low <= 30_000
