"""Tables of everything that can be added: methods, model adapters, frames, views, hosts, file formats.

A row names its function as "module:attr"; this file is the only one in the package that imports by name. Other
packages add rows through the entry-point group ``whyglass.<table>``.
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from whyglass.core import tables
from whyglass.core.errors import InputError, MissingExtraError, nearest
from whyglass.core.row import Row


def rows(table: str) -> tuple[Row, ...]:
    """All rows of a table, ours first, then those of entry points."""
    if table not in tables.TABLES:
        msg = f"There is no table {table!r}. {nearest(table, tables.TABLES)}"
        raise InputError(msg)
    return tables.TABLES[table] + _third_party(table)


@cache
def _third_party(table: str) -> tuple[Row, ...]:
    return tuple(point.load() for point in entry_points(group=f"whyglass.{table}"))


def find(table: str, name: str) -> Row:
    """The row of that name.

    Raises:
        InputError: If there is none; the nearest name is offered.
    """
    for row in rows(table):
        if row.name == name:
            return row
    msg = f"There is no {name!r} among the {table}. {nearest(name, [r.name for r in rows(table)])}"
    raise InputError(msg)


def load(table: str, name: str) -> Any:
    """Import what a row points to."""
    return resolve(find(table, name))


def resolve(row: Row) -> Any:
    """Import what this row points to.

    Raises:
        MissingExtraError: If a library behind it is not installed; the message holds the pip line.
    """
    module, _, attribute = row.where.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if row.extra and not (error.name or "").startswith("whyglass"):
            raise MissingExtraError(error.name or row.name, row.extra) from error
        raise


def module(name: str) -> Any:
    """Import one of the package's own modules, such as "whyglass.facade": the face is wired lazily through this."""
    return importlib.import_module(name)
