"""Which row of the methods table answers, for which outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from whyglass.core import registry
from whyglass.core.ask import Budget
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError, UnsupportedError, nearest
from whyglass.core.model import Model
from whyglass.core.row import Row


@dataclass(frozen=True)
class Question:
    """What decides between the rows that answer to one name.

    Attributes:
        method: The name asked for.
        has_background: Whether rows were given that stand for "unknown".
        space: The space asked for, or None.
        budget: How much may be spent.
        params: The method's own parameters, as given.
    """

    method: str
    has_background: bool = False
    space: str | None = None
    budget: Budget = field(default_factory=Budget)
    params: Mapping[str, Any] = field(default_factory=dict)


def choose(model: Model, question: Question) -> Row:
    """The first row of the table that can answer.

    Raises:
        InputError: If no method has that name, or none of its rows has a parameter.
        UnsupportedError: If no row can answer for this model; each says why.
    """
    table = registry.rows("methods")
    named = "shap" if question.method == "auto" else question.method
    candidates = [row for row in table if named and named in (row.name, row.answers)]
    if not candidates:
        known = [*(r.name for r in table), *(r.answers for r in table if r.answers), "auto"]
        msg = f"There is no method {named!r}. {nearest(str(named), known)}"
        raise InputError(msg)
    _check_params(candidates, question.params)
    reasons = []
    for row in candidates:
        reason = _why_not(row, model, question)
        if not reason:
            return row
        reasons.append(f"{row.name} {reason}")
    msg = f"{model.name} cannot be explained by {question.method!r}: {'; '.join(reasons)}."
    raise UnsupportedError(msg)


def _why_not(row: Row, model: Model, question: Question) -> str:
    """Why a row cannot answer; empty when it can."""
    missing = row.needs - model.can
    if missing:
        return f"needs {sorted(missing)}"
    players = _players(model, question.params)
    exact = exact_space(model)
    by_name = row.name == question.method
    asked = [name for name, value in question.params.items() if value is not None and value is not False]
    lacking = [name for name in asked if name not in row.parameters and not (name == "tolerance" and _meets(row, question))]
    checks = (
        (
            row.max_players is not None and players > row.max_players,
            f"takes at most {row.max_players} columns or groups, there are {players}",
        ),
        (row.background == "never" and question.has_background, "takes no background"),
        (row.background == "always" and not question.has_background, "needs a background"),
        ("exact" in row.spaces and question.space not in (None, exact), f"answers in {exact} space"),
        ("linked" in row.spaces and question.space in (None, exact) and not by_name, f"is for other spaces than {exact}"),
        (bool(lacking), f"has no {lacking[0]}=" if lacking else ""),
        (row.evaluations and question.budget.deadline is not None and not by_name, "cannot stop when a time budget runs out"),
        (
            row.evaluations and 2**players > question.budget.evaluations and not by_name,
            f"would need 2^{players} evaluations a row, the budget is {question.budget.evaluations}",
        ),
    )
    return next((reason for wrong, reason in checks if wrong), "")


def _meets(row: Row, question: Question) -> bool:
    """Whether a row is exact, so that any standard error asked for is met; one that makes no sense is left to the row that reads it."""
    asked = question.params["tolerance"]
    a_number = isinstance(asked, int | float) and not isinstance(asked, bool) and 0 < asked < math.inf
    return a_number and bool(row.needs & {"trees", "linear"}) and row.name != question.method


def _players(model: Model, params: Mapping[str, Any]) -> int:
    """Columns, or groups of them where they were grouped."""
    groups = params.get("groups")
    grouped = [len(columns) for columns in groups.values() if hasattr(columns, "__len__")] if isinstance(groups, Mapping) else []
    return len(model.schema) - sum(grouped) + len(grouped)


def exact_space(model: Model) -> str:
    """The space that the model adds up in."""
    for capability in ("trees", "linear"):
        if capability in model.can:
            return str(getattr(model, capability)().space)
    return "probability" if model.task == "classification" else "value"


def _check_params(rows: list[Row], params: Mapping[str, Any]) -> None:
    defaults = {name: default for row in rows for name, default in row.parameters.items()}
    known = list(defaults)
    unknown = [name for name in params if name not in known]
    if unknown:
        owners = [row.name for row in registry.rows("methods") if unknown[0] in row.parameters]
        elsewhere = f" It belongs to {', '.join(map(repr, owners))}." if owners else ""
        valid = nearest("" if owners else unknown[0], known)
        msg = f"{rows[0].name if len(rows) == 1 else rows[0].answers} has no parameter {unknown[0]!r}.{elsewhere} {valid}"
        raise InputError(msg)
    unclear = [n for n, given in params.items() if isinstance(defaults[n], bool) and not isinstance(given, bool | np.bool_ | None)]
    if unclear:
        msg = f"{unclear[0]}={params[unclear[0]]!r} is neither True nor False."
        raise InputError(msg)


def output_name(model: Model, target: Any) -> Any:
    """A class given as it stands in the data, 1 or True or a date, as the output's name; anything else as it is."""
    return str(target) if target is not None and str(target) in model.outputs else target


def wanted_outputs(model: Model, target: str | None) -> tuple[int, ...]:
    """Positions of the outputs asked for.

    Raises:
        InputError: If there is no such output.
    """
    if target is None:
        return tuple(range(len(model.outputs)))
    if target not in model.outputs:
        msg = f"There is no output {target!r}. {nearest(target, model.outputs)}"
        raise InputError(msg)
    return (model.outputs.index(target),)


def one_output(answer: Attribution, target: str, model: Model) -> Attribution:
    """Keep one output; a binary margin is named after its positive class, whose negative is the other's."""
    if target in answer.output_names:
        keep, sign = answer.output_names.index(target), 1.0
    elif answer.space == "log_loss":
        msg = f"log_loss speaks of all outputs at once: leave target={target!r} out."
        raise InputError(msg)
    elif len(answer.output_names) == 1 and len(model.outputs) == 2:
        keep, sign = 0, -1.0
    else:
        msg = f"There is no output {target!r} in {answer.space} space. {nearest(target, answer.output_names)}"
        raise InputError(msg)
    part = slice(keep, keep + 1)
    return replace(
        answer,
        values=sign * answer.values[:, :, part],
        base_values=sign * answer.base_values[:, part],
        predictions=sign * answer.predictions[:, part],
        std_errors=None if answer.std_errors is None else answer.std_errors[:, :, part],
        interactions=None if answer.interactions is None else sign * answer.interactions[..., part],
        output_names=(target,),
    )
