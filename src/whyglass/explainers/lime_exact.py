"""LIME without draws: the weighted least squares of infinitely many of them, for sums of trees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import UnsupportedError
from whyglass.core.model import Model
from whyglass.explainers.lime_fit import Surrogates, measure
from whyglass.explainers.lime_task import Rows, Task, blank, each_block, keep, result, task_of
from whyglass.explainers.pool import bins_of, kept, pool_of, training_rows
from whyglass.kernels import product_walk

Array = NDArray[np.float64]


def explain(ask: Ask) -> Attribution:
    """Coefficients from a forest's moments.

    Under LIME's kernel independent columns stay independent, so a coefficient is the covariance with its own indicator over its
    variance, whatever the other columns do: what the model says on average inside the case's bin less what it says outside.

    Raises:
        UnsupportedError: If the model is no tree ensemble, or another space is asked for than the one that it adds up in.
    """
    model = ask.model
    if "trees" not in model.can:
        msg = f"sampling='exact' is for tree ensembles; {model.name} gives no trees. Leave sampling= out to draw from the pool."
        raise UnsupportedError(msg)
    space = model.trees().space
    if ask.space not in (None, space):
        msg = (
            f"sampling='exact' answers in {space} space, in which the trees of {model.name} add up; {ask.space!r} can be had from the pool."
        )
        raise UnsupportedError(msg)
    task = task_of(replace(ask, space=space))
    found, ready = blank(task), ready_of(model)
    said: dict[str, object] = {"kernel": "trees walked once a case", "drawn": 0}
    draws, reason = None, task.few(task.draws)
    if len(task.rows) and not reason:
        pool, _ = pool_of(task.ask, task.game, task.draws)
        reason = pool.problem
        if not reason:
            draws, said["for r2"] = task.table(pool.codes, pool.said), len(pool)
    if reason:
        said["no r2"] = reason

    def block(rows: Rows) -> None:
        some = surrogates(ready, task, rows)
        keep(found, rows, some if draws is None else replace(some, r2=measure(draws, task.codes[rows], some.values, some.base)))

    each_block(task, block)
    return result(task, found, said, exact=True)


def surrogates(ready: Ready, task: Task, rows: Rows) -> Surrogates:
    """The exact coefficients of some rows; what ``n_features`` does not keep is 0."""
    cases, total = cases_of(ready, task, rows), int(ready.walk.rows[0])
    rho = float(np.exp(-1 / (2 * task.width**2)))
    mean, covariance = product_walk.moments(ready.walk, cases, rho)
    own = cases.held / (rho * total + (1 - rho) * cases.held)
    variance = own * (1 - own)
    varies = (cases.held > 0) & (cases.held < total)
    values = np.where(varies[:, :, None], covariance / np.where(varies, variance, 1.0)[:, :, None], 0.0)
    if task.most is not None and task.most < task.columns:  # with independent columns the best step never depends on those before
        gain = values**2 * variance[:, :, None]
        place = np.argsort(np.argsort(-gain, axis=1, kind="stable"), axis=1, kind="stable")
        values = np.where(place < task.most, values, 0.0)
    base = mean - np.einsum("ca,cak->ck", own, values)
    nothing = np.zeros(values.shape)
    return Surrogates(values, base, nothing, np.full(base.shape, np.nan), nothing.copy())


def cases_of(ready: Ready, task: Task, rows: Rows) -> product_walk.Cases:
    """The cases' bins counted in training rows."""
    bins, codes = bins_of(task.ask.model), task.codes[rows]
    code, low, high, held = (np.zeros(codes.shape, np.int32) for _ in range(4))
    missing = np.zeros(codes.shape, np.uint8)
    for j, ends in enumerate(ready.ends):
        last, column, lacking = bins.counts[j] - 1, codes[:, j], int(ready.walk.lacking[j])
        if bins.edges[j] is None:
            held[:, j] = np.where(column == last, lacking, np.where(column >= 0, ends[np.clip(column, 0, last)], 0))
            unseen = ready.walk.codes[j]
            code[:, j] = np.where(column == last, unseen + 1, np.where(column >= 0, column, unseen))
            continue
        inside = np.where(column == last, len(ends) - 2, column)
        code[:, j], missing[:, j] = -1, column == last
        low[:, j], high[:, j] = ends[inside], ends[inside + 1]
        held[:, j] = np.where(column == last, lacking, high[:, j] - low[:, j])
    return product_walk.Cases(code, low, high, missing, held)


@dataclass(frozen=True, eq=False)
class Ready:
    """A forest and its training rows, counted once a model.

    Attributes:
        walk: The counted forest.
        ends: Per column: rows with each code, of categories; of numbers, rows at or below the end of each bin, 0 before the first.
    """

    walk: product_walk.Walk
    ends: tuple[NDArray[np.int32], ...]


def ready_of(model: Model) -> Ready:
    """The counted forest, made once a model.

    Raises:
        UnsupportedError: If the trees test a column of numbers as categories.
    """
    made = kept(model, "exact", lambda: _ready(model))
    for column, codes in zip(model.schema.columns, made.walk.codes, strict=True):
        if column.kind != "categorical" and codes >= 0:
            msg = f"{model.name} tests {column.name!r} as a category, the table holds numbers. Wrap with categorical=[{column.name!r}]."
            raise UnsupportedError(msg)
    return made


def _ready(model: Model) -> Ready:
    matrix, bins = training_rows(model).matrix, bins_of(model)
    ends = []
    for j, edges in enumerate(bins.edges):
        known = np.sort(matrix[~np.isnan(matrix[:, j]), j])
        if edges is None:
            counted = np.bincount(known[known >= 0].astype(np.intp), minlength=int(bins.counts[j]))
        else:
            counted = np.concatenate([[0], np.searchsorted(known, edges, side="right"), [len(known), len(known)]])
        ends.append(counted.astype(np.int32))
    categories = np.array([count - 1 if e is None else -1 for e, count in zip(bins.edges, bins.counts, strict=True)], np.int32)
    return Ready(product_walk.build(model.trees(), matrix, categories), tuple(ends))
