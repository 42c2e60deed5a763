"""Rules, counterfactuals and curves: what they say, how they are cut, and that a file gives them back."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import whyglass as wg
from whyglass.core.counterfactuals import Counterfactual, Counterfactuals
from whyglass.core.curves import Curves
from whyglass.core.errors import InputError
from whyglass.core.rules import Predicate, Rule, Rules
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.core.wire import from_wire

HOURS = Column("hours", unit="{} h", integer=True)
STATUS = Column("status", kind="categorical", dtype="object", categories=("Married", "<script>", "Separated"))
SCHEMA = Schema((HOURS, STATUS))
MATRIX = np.array([[30.0, 2.0], [40.0, 0.0], [np.nan, np.nan], [55.0, -1.0]])
ROWS = Dataset(SCHEMA, MATRIX, frame="pandas")


def few_hours(**changes):
    return replace(Predicate(HOURS, 0, high=40.0, high_closed=False), **changes)


def rule(*predicates, **changes):
    made = Rule(tuple(predicates), "<=50K", 0.97, (0.95, 0.99), "interventional", 0.2, met=True, schema=SCHEMA)
    return replace(made, **changes)


def rules():
    return Rules(
        rules=(rule(few_hours()), rule(Predicate(STATUS, 1, codes=(0,))), rule(reason="no rule", met=False), rule(few_hours(missing=True))),
        dataset=ROWS,
    )


def near(case, encoded, **changes):
    made = Counterfactual(
        np.array(encoded), np.array(case), 1.5, np.array([0.3, 0.7]), True, True, 0.0, (0.8, "of the trees"), SCHEMA, "pandas"
    )
    return replace(made, **changes)


def counterfactuals():
    cases = (
        (near(MATRIX[0], [45.0, 2.0]), near(MATRIX[0], [45.0, 0.0], proven=False, gap=math.inf)),
        (),
        (),
        (near(MATRIX[3], [55.0, 1.0]),),
    )
    notes = ("", "none exists under these constraints", "", "")
    return Counterfactuals(
        cases=cases, target=">50K", notes=notes, dataset=ROWS, output_names=("<=50K", ">50K"), constraints=("status held",)
    )


def curves(kind="pdp"):
    rows = (4,) if kind == "ice" else ()
    points = {"hours": np.array([30.0, 40.0]), "status": np.array([0.0, 2.0])}
    values = {key: np.arange(math.prod((*rows, 2, 1)), dtype=float).reshape(*rows, 2, 1) for key in points}
    keys = tuple(points)
    if kind == "pdp":
        pair = ("hours", "status")
        points[pair], values[pair], keys = (points["hours"], points["status"]), np.ones((2, 2, 1)), (*keys, pair)
    return Curves(kind=kind, keys=keys, points=points, values=values, output_names=("p",), space="probability", dataset=ROWS)


@pytest.mark.parametrize(
    ("predicate", "operator", "value", "text"),
    [
        (few_hours(), "<", 40.0, "hours < 40 h"),
        (few_hours(high_closed=True), "<=", 40.0, "hours ≤ 40 h"),
        (few_hours(low=20.0), "between", (20.0, 40.0), "20 h < hours < 40 h"),
        (few_hours(low=40.0, low_closed=True, high_closed=True), "=", 40.0, "hours = 40 h"),
        (Predicate(HOURS, 0, low=40.0), ">", 40.0, "hours > 40 h"),
        (Predicate(HOURS, 0, low=40.0, low_closed=True), ">=", 40.0, "hours ≥ 40 h"),
        (Predicate(HOURS, 0, missing=True), "is missing", None, "hours is missing"),
        (Predicate(STATUS, 1, codes=(1,)), "=", "<script>", "status = <script>"),
        (Predicate(STATUS, 1, codes=(0, 2)), "in", ("Married", "Separated"), "status in Married, Separated"),
        (few_hours(missing=True), "<", 40.0, "hours < 40 h (or missing)"),
    ],
)
def test_a_predicate_reads_in_real_units(predicate, operator, value, text):
    assert (predicate.operator, predicate.value, predicate.text) == (operator, value, text)
    assert Predicate.from_json(predicate.to_json(), SCHEMA) == predicate


def test_a_mask_says_which_rows_satisfy_a_rule_in_any_frame():
    frame = pd.DataFrame({"hours": [30.0, 40.0, np.nan, 10.0], "status": ["Separated", "Separated", "Separated", "Married"]})
    both = rule(few_hours(), Predicate(STATUS, 1, codes=(2,)))
    assert both.mask(frame).tolist() == [True, False, False, False]
    assert both.mask(frame[["status", "hours"]]).tolist() == [True, False, False, False], "columns may come in any order"
    assert rule(few_hours(missing=True)).mask(frame).tolist() == [True, False, True, True]
    assert rule(Predicate(HOURS, 0, missing=True)).mask(frame).tolist() == [False, False, True, False]
    assert rule().mask(frame).all(), "a rule without conditions holds everywhere"


def test_a_rule_reads_as_a_sentence():
    assert str(rule(Predicate(STATUS, 1, codes=(2,)), few_hours())) == "IF status = Separated AND hours < 40 h THEN <=50K"
    assert str(rule(met=False, reason="no rule holds")) == "no rule holds"


def test_one_row_of_rules_is_a_rule_and_several_are_rules():
    found = rules()
    assert found[1] == found.rules[1]
    assert isinstance(found[1:3], Rules)
    assert len(found[[0, 3]]) == 2
    assert len(found.to_frame()) == 4
    assert "row 0: IF hours < 40 h THEN <=50K" in repr(found)


def test_a_counterfactual_says_what_changes_in_the_columns_own_values():
    found = counterfactuals()
    assert found[0][0].changes == {"hours": (30, 45)}
    assert found[0][1].changes == {"hours": (30, 45), "status": ("Separated", "Married")}
    assert found[3][0].changes == {"status": (None, "<script>")}, "a category never seen has no name"
    assert str(found[0][0]) == "hours 30 h → 45 h"
    assert found[1] == []
    assert found[0][0].row["status"].tolist() == ["Separated"]
    assert found.to_frame()["hours"].tolist() == [45.0, 45.0, 55.0]
    assert "none exists" in repr(found)
    assert found != replace(found, cases=(found.cases[0][:1], *found.cases[1:]))


def test_curves_are_cut_by_row_only_where_each_row_has_its_own():
    assert curves().grid["status"].tolist() == ["Married", "Separated"]
    assert curves().features == ("hours", "status")
    with pytest.raises(InputError, match="averages over 4 rows"):
        curves()[0]
    one = curves("ice")[2]
    assert len(one) == 1
    assert one.values["hours"].tolist() == curves("ice").values["hours"][2:3].tolist()
    assert len(curves().to_frame("pandas")) == 2 + 2 + 4
    with pytest.raises(InputError, match="shape"):
        replace(curves(), values={})


@pytest.mark.parametrize("made", [rules(), counterfactuals(), curves(), curves("ice")], ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("form", ["arrow", "json"])
def test_a_file_gives_it_back(made, form, tmp_path):
    assert wg.load(made.save(tmp_path / f"made.{form}")) == made


@pytest.mark.parametrize("made", [rules(), counterfactuals(), curves()], ids=lambda r: type(r).__name__)
def test_a_damaged_file_is_an_input_error(made):
    meta, arrays = made.to_wire()
    for missing in [name for name in meta if name != "kind"]:
        with pytest.raises(InputError):
            from_wire({k: v for k, v in meta.items() if k != missing}, arrays)
    for missing in arrays:
        with pytest.raises(InputError):
            from_wire(meta, {k: v for k, v in arrays.items() if k != missing})


@pytest.mark.parametrize("made", [rules(), counterfactuals(), curves()], ids=lambda r: type(r).__name__)
def test_every_kind_names_the_view_that_shows_it(made, tmp_path):
    view = wg.show(made)
    assert view.name == made.view_name == type(made).__name__.lower()
    assert made.save(tmp_path / "made.html").read_bytes().startswith(b"<!doctype html>")
    assert "application/vnd.jupyter.widget-view+json" in made._repr_mimebundle_()[0]


@pytest.mark.parametrize("made", [rules(), counterfactuals(), curves()], ids=lambda r: type(r).__name__)
def test_what_has_no_view_is_shown_in_words(made, tmp_path, monkeypatch):
    monkeypatch.setattr(type(made), "view_name", "")
    assert made._repr_mimebundle_() == {"text/plain": repr(made)}
    with pytest.raises(InputError, match="no view of its own"):
        made.save(tmp_path / "made.html")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="no view of its own"):
        wg.show(made)


def test_values_that_do_not_add_up_are_not_drawn_as_if_they_did():
    frame = pd.DataFrame({"a": np.linspace(-1, 1, 40), "b": np.tile([0.0, 1.0], 20)})
    model = wg.wrap(lambda X: X["a"].to_numpy() * X["b"].to_numpy(), frame, task="regression")
    lime = wg.explain(model, frame[:3], method="lime", n_samples=300)
    assert wg.show(lime).name == lime.view_name == "ranking"
    picture = lime._repr_mimebundle_()[0]["image/svg+xml"]
    assert "from the average" not in picture, "no waterfall"
    assert "what keeping a fact goes with" in picture
    assert "image/svg+xml" in str(wg.explain(model, frame[:3])._repr_mimebundle_())
