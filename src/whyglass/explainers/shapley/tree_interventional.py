"""Exact interventional Shapley values of a tree ensemble in the space it adds up in: any depth, columns and background."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import UnsupportedError
from whyglass.core.executor import Executor
from whyglass.core.forest import Forest
from whyglass.explainers.shapley.answers import OUT_OF_TIME, Found, answer, output_names, spread, unknown_rows, usable
from whyglass.explainers.shapley.grouping import Grouping, grouping
from whyglass.explainers.shapley.tree_enumerated import first_rows, used
from whyglass.kernels import background_walk, leaf_tables
from whyglass.kernels import forest as sums

Array = NDArray[np.float64]
WALK, TABLES = "background walk", "tables"
FEW_PAIRS = 6400  # rows times background rows up to which the walk is done before tables are made
MANY_PAIRS = 500_000  # beyond so many, tables pay even where they hold only the shallow part of deep trees
TABLE_BITS = 8  # conditions on a path up to which a leaf goes into a table
_PAIR_BITS = 7
_MOST, _SOME = 0.6, 0.2  # parts of the leaves that end within so many conditions: of shallow trees, of trees worth splitting
_PILOT = 16  # background rows timed before a time budget is shared out
_PIECE = 4096  # most rows between two looks at the clock


@dataclass(frozen=True, eq=False)
class Plan:
    """One call, made ready.

    Attributes:
        ask: What was asked.
        forest: The trees.
        who: The players.
        background: Rows that stand for "unknown", in seeded order.
        pairs: Whether interactions are asked for.
        tables: What ``leaf_tables.build`` made; None when the walk does all.
    """

    ask: Ask
    forest: Forest
    who: Grouping
    background: Array
    pairs: bool
    tables: leaf_tables.Tables | None = None

    @property
    def kernel(self) -> str:
        """Which kernels answer, in words."""
        if self.tables is None:
            return WALK
        return TABLES if self.tables.rest is None else f"{TABLES} + {WALK}"

    def answers(self, X: Array, background: Array, executor: Executor) -> Array:
        """Values (rows, players, outputs), or interactions (rows, players, players, outputs)."""
        walk = background_walk.interactions if self.pairs else background_walk.values
        players = self.who.players if self.who.given else None
        if self.tables is None:
            return walk(self.forest, X, background, executor, players=players)
        rest = self.tables.rest
        quiet = executor if rest is None else replace(executor, progress=None)
        found = (leaf_tables.interactions if self.pairs else leaf_tables.values)(self.tables, X, quiet)
        return found if rest is None else found + walk(self.forest, X, background, executor, players=players, leaves=rest)


def explain(ask: Ask) -> Attribution:
    """Explain rows against background rows, all of them, in the space that the trees add up in.

    Shallow trees and many rows are answered from tables, whose cost a row does not depend on the background; deep trees and
    few rows by a walk with all background rows at once, with tables for the shallow leaves where both are many.
    ``params["first"]`` uses only so many background rows, drawn in seeded order, and gives standard errors for the answer
    over all of them; so does a time budget that is too short for one row. The model is never called.

    Raises:
        InputError: If ``first`` is not a positive number.
        UnsupportedError: If another space is asked for than the one the trees add up in.
    """
    forest, who = ask.model.trees(), grouping(ask)
    if ask.space not in (None, forest.space):
        msg = f"These values add up in {forest.space} space, not {ask.space!r}. Ask for 'shap.tree.enumerated' or 'shap.sampled' instead."
        raise UnsupportedError(msg)
    background, unknown = unknown_rows(ask)
    whole = len(background)
    background = background[np.random.default_rng(ask.seed).permutation(whole)]
    rows = usable(ask)
    plan = Plan(ask, forest, who, background, bool(ask.params.get("interactions")))
    first = first_rows(ask, whole)
    if ask.budget.deadline is not None and len(rows):
        first = min(first, _affordable(plan, rows))
    if first == whole and _tables_pay(plan, len(rows)):
        plan = replace(plan, tables=_make_tables(plan))
    parts = _within_time(plan, rows, first)
    found = Found(
        values=spread(ask, rows, parts.values),
        base=sums.predict(forest, background[:first]).mean(axis=0),
        predictions=spread(ask, rows, sums.predict(forest, ask.data.matrix[rows])),
        names=output_names(ask.model, forest.n_outputs),
        space=forest.space,
        unknown=unknown + used(first, whole),
        std_errors=None if first == whole else spread(ask, rows, parts.errors),
        status=dict.fromkeys(parts.late, OUT_OF_TIME),
        params={"first": first, "kernel": plan.kernel},
        interactions=spread(ask, rows, parts.pairs) if plan.pairs else None,
        groups=who.groups,
    )
    return answer(ask, "shap.tree.interventional", found)


@dataclass
class Parts:
    """The rows answered so far: values, interactions, standard errors (empty when not asked for), and rows not reached."""

    values: Array
    pairs: Array
    errors: Array
    late: list[int]


def _tables_pay(plan: Plan, rows: int) -> bool:
    """Whether tables are worth making: many pairs of rows, and enough leaves at the end of short paths."""
    count = rows * len(plan.background)
    if count <= FEW_PAIRS:
        return False
    share = background_walk.share_of_leaves(plan.forest, TABLE_BITS)
    return share >= (_SOME if count > MANY_PAIRS and not plan.pairs else _MOST)


def _make_tables(plan: Plan) -> leaf_tables.Tables:
    players, bits = plan.who.players, _PAIR_BITS if plan.pairs else TABLE_BITS
    return leaf_tables.build(plan.forest, plan.background, players=players, pairs=plan.pairs, bits=bits, executor=_quiet(plan.ask))


def _quiet(ask: Ask) -> Executor:
    """The executor without its progress: for work that is not counted in rows explained."""
    return replace(ask.executor, progress=None)


def _affordable(plan: Plan, rows: NDArray[np.intp]) -> int:
    """How many background rows the time left allows: all of them when one row against all of them takes a part of it."""
    ask, whole, start = plan.ask, len(plan.background), time.monotonic()
    plan.answers(ask.data.matrix[rows[:1]], plan.background[:_PILOT], _quiet(ask))
    one = (time.monotonic() - start) / min(_PILOT, whole)
    left = max((ask.budget.deadline or start) - time.monotonic(), 0.0)
    if one * whole <= 0.5 * left:
        return whole
    share = 0.8 * left * min(ask.executor.workers, len(rows)) / (len(rows) * max(one, 1e-9))
    return max(2, min(whole, int(share)))


def _answers(plan: Plan, X: Array, first: int, executor: Executor) -> tuple[Array, Array, Array]:
    """Values, interactions and standard errors of some rows; the latter two are empty when not asked for."""
    none = np.zeros((len(X), 0))
    whole = plan.answers(X, plan.background[:first], executor)
    values, pairs = (whole.sum(axis=2), whole) if plan.pairs else (whole, none)
    if first == len(plan.background):
        return values, pairs, none
    single = replace(plan, pairs=False)
    squares = np.zeros(values.shape)
    for b in range(first):
        squares += (single.answers(X, plan.background[b : b + 1], executor) - values) ** 2
    free = first - 1 if first > 1 else np.nan
    return values, pairs, np.sqrt(squares / free * (1 - first / len(plan.background)) / first)


def _within_time(plan: Plan, rows: NDArray[np.intp], first: int) -> Parts:
    """The values, in one go where time is no limit, else piece by piece until it is up."""
    ask, X, outputs = plan.ask, plan.ask.data.matrix[rows], plan.forest.n_outputs
    if ask.budget.deadline is None and first == len(plan.background):
        return Parts(*_answers(plan, X, first, ask.executor), [])
    shape = (len(rows), plan.who.count, outputs)
    values = np.full(shape, np.nan)
    pairs = np.full((*shape[:2], *shape[1:]) if plan.pairs else (len(rows), 0), np.nan)
    errors = np.full(shape if first < len(plan.background) else (len(rows), 0), np.nan)
    done, size = 0, 1 if ask.budget.deadline is not None else _PIECE
    while done < len(rows) and ask.budget.left():
        start, piece = time.monotonic(), slice(done, min(done + size, len(rows)))
        values[piece], pairs[piece], errors[piece] = _answers(plan, X[piece], first, _quiet(ask))
        done = piece.stop
        if ask.executor.progress is not None:
            ask.executor.progress(done, len(rows))
        size = _next_size(ask, piece.stop - piece.start, time.monotonic() - start)
    return Parts(values, pairs, errors, [int(row) for row in rows[done:]])


def _next_size(ask: Ask, rows: int, seconds: float) -> int:
    """Rows of the next piece: what half of the time left allows, and at most four times the piece before."""
    if ask.budget.deadline is None:
        return _PIECE
    left = max(ask.budget.deadline - time.monotonic(), 0.0)
    return max(1, min(_PIECE, 4 * rows, int(0.5 * left * rows / max(seconds, 1e-9))))
