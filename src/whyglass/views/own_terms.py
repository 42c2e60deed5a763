"""Results that are looked at as they are, without the model beside them: of groups of columns, and of the log loss.

A model answers about columns and predictions; such a result speaks of something else, so nothing new can be asked of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core.attribution import Attribution
from whyglass.core.schema import Column, Dataset, Role

MOST_ROWS = 2_000  # every combination of a group's values travels as text


def alone(result: Attribution | None) -> bool:
    """Whether the result must be shown without its model."""
    return result is not None and (result.groups is not None or result.space == "log_loss")


def as_players(result: Attribution) -> Attribution:
    """The same values over a table with one column a player; a group's value is written as its members' values.

    What was recorded is left out: it is a class or a number, and the values speak of something else.
    """
    if result.groups is None:
        return replace(result, dataset=replace(result.dataset, y=None), model=None)
    part = result[:MOST_ROWS] if len(result) > MOST_ROWS else result
    given = part.dataset
    columns, values = zip(*(_player(given, name, members) for name, members in result.groups), strict=True)
    schema = replace(given.schema, columns=columns)
    dataset = Dataset(schema, np.column_stack(values).reshape(len(given), len(columns)), frame=given.frame)
    return replace(part, dataset=dataset, groups=None, model=None)


def note(result: Attribution, given: Attribution) -> str:
    """The line under the title: what is shown, and how many of its rows."""
    rows = f"{len(result):,} rows" if len(result) == len(given) else f"the first {len(result):,} of {len(given):,} rows"
    what = "log loss" if given.space == "log_loss" else f"{given.space} space"
    names = given.schema.names
    groups = [f"{name} = {' + '.join(names[j] for j in members)}" for name, members in given.groups or () if len(members) > 1]
    return ", ".join([rows, given.provenance.method, what, *groups])


def reason(given: Attribution) -> str:
    """Why nothing new can be asked of such a page."""
    what = "log loss" if given.space == "log_loss" else "groups of columns"
    return f"A result {'of the' if what == 'log loss' else 'over'} {what} is shown as it was worked out."


def _player(given: Dataset, name: str, members: tuple[int, ...]) -> tuple[Column, NDArray[np.float64]]:
    """One column of its own, or a category for every combination of its members' values."""
    columns = [given.schema[j] for j in members]
    if len(columns) == 1:
        return replace(columns[0], name=name, label=columns[0].label if name == columns[0].name else ""), given.matrix[:, members[0]]
    written = [", ".join(c.write(float(v)) for c, v in zip(columns, row, strict=True)) for row in given.matrix[:, members]]
    known, codes = np.unique(np.array(written, dtype=object).astype(str), return_inverse=True)
    role: Role = "protected" if any(c.role == "protected" for c in columns) else "feature"
    joined = Column(name, kind="categorical", role=role, dtype="object", categories=tuple(map(str, known)))
    return joined, codes.reshape(-1).astype(np.float64)
