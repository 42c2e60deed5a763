"""Interventional values of trees: which kernel answers, coarse answers, time, groups, log-loss, interactions, shap's numbers."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from interactions_by_definition import game, matrix
from random_forests import random_forest, random_rows

from whyglass.core.ask import Ask, Budget
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.executor import Cancelled, Executor
from whyglass.core.model import Model
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.explainers.links import through
from whyglass.explainers.shapley import tree_enumerated, tree_interventional
from whyglass.explainers.shapley.answers import OUT_OF_TIME, unknown_rows
from whyglass.explainers.shapley.games import NO_OUTCOME
from whyglass.kernels import forest as sums
from whyglass.kernels import twins


def off(found, wanted):
    return np.abs(found - wanted).max(initial=0) / max(1.0, np.abs(wanted).max(initial=0))


def forest_model(seed=0, link="sigmoid", columns=5, known=60, **options):
    outputs = ("no", "yes") if link in ("sigmoid", "identity") else ("a", "b", "c")
    forest = random_forest(seed, n_features=columns, outputs=1 if link == "sigmoid" else len(outputs), categories=(), **options)
    forest = replace(forest, link=link, space="probability" if link == "identity" else "margin")
    schema = Schema(tuple(Column(f"c{j}") for j in range(columns)))
    data = Dataset(schema, random_rows(seed + 1, known, columns, ()))
    abilities = {"trees": lambda: forest, "predict": lambda frame: through(sums.predict(forest, frame), link, len(outputs))}
    return Model("Hand made", "trees", "classification", outputs, schema, abilities, data=data)


def ask(model, rows=4, y=None, **options):
    X = random_rows(9, rows, len(model.schema), ())
    params = {name: options.pop(name) for name in ("groups", "interactions", "first") if name in options}
    return Ask(model, Dataset(model.schema, X, y=y), params=params, **options)


@pytest.mark.parametrize(
    ("rows", "depth", "kernel"),
    [(3, 4, "background walk"), (90, 4, "tables"), (90, 12, "background walk"), (90, 9, "tables + background walk")],
)
def test_each_kernel_gives_the_same_numbers(rows, depth, kernel, monkeypatch):
    monkeypatch.setattr(tree_interventional, "_MOST", 0.6 if depth != 9 else 0.1)
    model = forest_model(2, columns=12, max_depth=depth, trees=6)
    asked = ask(model, rows, interactions=True)
    monkeypatch.setattr(tree_interventional, "FEW_PAIRS", 10 * len(unknown_rows(asked)[0]))
    why, pairs = tree_interventional.explain(replace(asked, params={})), tree_interventional.explain(asked)
    reference = tree_enumerated.explain(replace(asked, data=asked.data.take(np.arange(2))))
    assert why.provenance.params["kernel"] == kernel
    assert why.exact
    assert off(why.values[:2], reference.values) <= 1e-12
    assert off(pairs.interactions[:2], reference.interactions) <= 1e-12
    assert off(pairs.values, why.values) <= 1e-12
    assert off(why.base_values + why.values.sum(axis=1), why.predictions) <= 1e-12


def test_deep_trees_are_split_between_kernels_where_pairs_of_rows_are_many(monkeypatch):
    asked = ask(forest_model(2, columns=12, max_depth=9, trees=6), 90)
    monkeypatch.setattr(tree_interventional, "_SOME", 0.1)
    walked = tree_interventional.explain(asked)
    monkeypatch.setattr(tree_interventional, "MANY_PAIRS", 89 * len(unknown_rows(asked)[0]))
    monkeypatch.setattr(tree_interventional, "FEW_PAIRS", 0)
    split = tree_interventional.explain(asked)
    assert walked.provenance.params["kernel"] == "background walk"
    assert split.provenance.params["kernel"] == "tables + background walk"
    assert off(split.values, walked.values) <= 1e-12


def test_many_columns_are_no_obstacle():
    model = forest_model(1, columns=40, trees=30, max_depth=7)
    why = tree_interventional.explain(ask(model))
    assert off(why.base_values + why.values.sum(axis=1), why.predictions) <= 1e-12
    with pytest.raises(UnsupportedError, match="up to 14"):
        tree_enumerated.explain(ask(model, space="probability"))
    grouped = {"low": [f"c{j}" for j in range(20)], "middle": [f"c{j}" for j in range(20, 35)], "high": [f"c{j}" for j in range(35, 40)]}
    few = tree_enumerated.explain(ask(model, space="probability", groups=grouped))
    assert few.feature_names == ("low", "middle", "high")
    assert few.values.shape == (4, 3, 2)
    assert off(few.base_values + few.values.sum(axis=1), few.predictions) <= 1e-12


@pytest.mark.parametrize("method", [tree_interventional, tree_enumerated])
def test_groups_are_players(method):
    model = forest_model(3)
    asked = ask(model, groups={"ends": ["c0", "c3"]}, interactions=True)
    why = method.explain(asked)
    players = np.array([0, 1, 2, 0, 3])
    assert why.feature_names == ("ends", "c1", "c2", "c4")
    for row in range(2):
        wanted, shares = matrix(game(model.trees(), asked.data.matrix[row], players, model.data.matrix), 4)
        assert off(why.values[row], shares) <= 1e-12
        assert off(why.interactions[row], wanted) <= 1e-12


def test_a_coarse_answer_carries_honest_errors():
    model = forest_model(4, known=240)
    whole = tree_interventional.explain(ask(model, 12))
    held = []
    for seed in range(40):
        coarse = tree_interventional.explain(ask(model, 12, first=40, seed=seed))
        assert not coarse.exact
        moving = coarse.std_errors > 0
        held.append((np.abs(coarse.values - whole.values) <= 2 * coarse.std_errors)[moving])
        halved = np.abs(coarse.values - whole.values) <= coarse.std_errors
    assert "40 of them used" in coarse.background_note
    assert coarse.provenance.params["first"] == 40
    assert 0.9 <= np.concatenate(held).mean() <= 0.99
    assert halved[moving].mean() < 0.9, "errors half as large must be seen"
    one = tree_interventional.explain(ask(model, 2, first=1))
    assert np.isnan(one.std_errors).all()
    with pytest.raises(InputError, match="first="):
        tree_interventional.explain(ask(model, first=0))


def test_a_coarse_answer_is_the_enumerated_one():
    model = forest_model(5)
    ours, other = (m.explain(ask(model, first=15, seed=3)) for m in (tree_interventional, tree_enumerated))
    assert off(ours.values, other.values) <= 1e-12
    assert off(ours.std_errors, other.std_errors) <= 1e-12
    assert off(ours.base_values, other.base_values) <= 1e-12


def test_time_is_a_hard_cap():
    model = forest_model(6, columns=20, trees=40, max_depth=9, known=300)
    enough = tree_interventional.explain(ask(model, 30, budget=Budget.read("300s")))
    assert enough.exact
    assert off(enough.values, tree_interventional.explain(ask(model, 30)).values) <= 1e-12
    none = tree_interventional.explain(ask(model, budget=Budget(deadline=time.monotonic() - 1)))
    assert set(none.status) == {OUT_OF_TIME}
    assert np.isnan(none.values).all()


def test_progress_and_cancel():
    seen = []
    executor = Executor(1, progress=lambda done, whole: seen.append((done, whole)))
    tree_interventional.explain(ask(forest_model(7), 100, executor=executor))
    assert seen[-1] == (100, 100)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        tree_interventional.explain(ask(forest_model(7), 100, executor=replace(executor, cancel=stop)))


def test_another_space_is_refused_by_name():
    with pytest.raises(UnsupportedError, match=r"shap\.tree\.enumerated"):
        tree_interventional.explain(ask(forest_model(), space="probability"))


def losses(model, X, label):
    said = model.predict_matrix(X)
    return -np.log(np.clip(said[:, label], np.finfo(float).eps, 1))


@pytest.mark.parametrize("link", ["sigmoid", "softmax", "identity"])
def test_log_loss_is_what_asking_the_model_gives(link):
    model = forest_model(8, link=link, known=20)
    names = [*model.outputs, model.outputs[0]]
    asked = ask(model, len(names), y=np.array(names, dtype=object), space="log_loss", interactions=True)
    why = tree_enumerated.explain(asked)
    assert why.output_names == ("log loss",)
    assert why.space == "log_loss"
    for row, name in enumerate(names):
        label = model.outputs.index(name)

        def said(known, row=row, label=label):
            filled = model.data.matrix.copy()
            filled[:, sorted(known)] = asked.data.matrix[row, sorted(known)]
            return np.array([losses(model, filled, label).mean()])

        wanted, shares = matrix(said, 5)
        assert off(why.values[row], shares) <= 1e-11
        assert off(why.interactions[row], wanted) <= 1e-11
        assert off(why.values[row], -shares) > 1e-3, "a gain must not look like a loss"


def test_rows_without_an_outcome_say_so():
    model = forest_model(9)
    why = tree_enumerated.explain(ask(model, 3, y=np.array(["yes", None, "no"], dtype=object), space="log_loss"))
    assert why.status == ("ok", NO_OUTCOME, "ok")
    assert np.isnan(why.values[1]).all()
    with pytest.raises(InputError, match="y="):
        tree_enumerated.explain(ask(model, space="log_loss"))
    regression = replace(model, task="regression")
    with pytest.raises(UnsupportedError, match="squared error"):
        tree_enumerated.explain(ask(regression, y=np.zeros(4), space="log_loss"))


def test_probability_interactions_sum_to_the_values():
    model = forest_model(10)
    why = tree_enumerated.explain(ask(model, space="probability", interactions=True))
    assert why.interactions.shape == (4, 5, 5, 2)
    assert off(why.interactions.sum(axis=2), why.values) <= 1e-12
    assert off(why.interactions[..., 0], -why.interactions[..., 1]) <= 1e-12


def test_every_row_of_the_background_counts():
    model = forest_model(11, known=3000)
    why = tree_interventional.explain(ask(model, background=model.data))
    wanted = twins.predict(model.trees(), model.data.matrix).mean(axis=0)
    assert off(why.base_values[0], wanted) <= 1e-12
    assert "3,000" in why.background_note
