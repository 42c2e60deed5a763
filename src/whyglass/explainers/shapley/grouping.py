"""Groups of columns that act as one player: an address is known or unknown as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Groups
from whyglass.core.errors import InputError, nearest
from whyglass.core.schema import Schema


@dataclass(frozen=True, eq=False)
class Grouping:
    """Who plays: the columns, or groups of them.

    Attributes:
        players: int32 (columns,), the player that each column belongs to.
        members: Name and columns of every player; a group stands where its first column stood.
        given: Whether the caller grouped any columns.
    """

    players: NDArray[np.int32]
    members: Groups
    given: bool

    @property
    def count(self) -> int:
        """How many players there are."""
        return len(self.members)

    @property
    def groups(self) -> Groups | None:
        """What ``Attribution.groups`` holds."""
        return self.members if self.given else None

    def columns(self, coalitions: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Coalitions of players (evaluations, players) as masks over columns (evaluations, columns)."""
        return coalitions[:, self.players] if self.given else coalitions


def grouping(ask: Ask) -> Grouping:
    """The players of a call, from ``groups={"address": ["street", "zip"]}``; columns go by name or by position.

    Raises:
        InputError: If ``groups`` is no mapping of names to columns, or a column is unknown or in two groups.
    """
    schema, given = ask.data.schema, ask.params.get("groups")
    if given is None:
        return Grouping(np.arange(len(schema), dtype=np.int32), tuple((n, (j,)) for j, n in enumerate(schema.names)), given=False)
    owner = _owners(schema, given)
    members: dict[str | int, list[int]] = {}
    for column in range(len(schema)):
        members.setdefault(owner.get(column, column), []).append(column)
    players = np.empty(len(schema), np.int32)
    for player, columns in enumerate(members.values()):
        players[columns] = player
    named = tuple((key if isinstance(key, str) else schema.names[key], tuple(columns)) for key, columns in members.items())
    return Grouping(players, named, given=True)


def _owners(schema: Schema, given: Any) -> dict[int, str]:
    """Column -> name of its group."""
    if not isinstance(given, Mapping) or any(isinstance(c, str) or not isinstance(c, Iterable) for c in given.values()):
        msg = f'groups={given!r} is not of the form {{"address": ["street", "zip"]}}.'
        raise InputError(msg)
    owner: dict[int, str] = {}
    for name, columns in given.items():
        listed = list(columns)
        if not listed:
            msg = f"The group {name!r} has no columns."
            raise InputError(msg)
        for column in listed:
            at = _position(schema, name, column)
            if at in owner:
                twice = f"in the groups {owner[at]!r} and {name!r}" if owner[at] != str(name) else f"in the group {name!r} twice"
                msg = f"{schema.names[at]!r} is {twice}; a column belongs to one, once."
                raise InputError(msg)
            owner[at] = str(name)
    loose = [n for j, n in enumerate(schema.names) if j not in owner]
    clash = next((name for name in owner.values() if name in loose), None)
    if clash is not None:
        msg = f"The group {clash!r} is called like a column outside it. Give it another name."
        raise InputError(msg)
    return owner


def _position(schema: Schema, group: Any, column: Any) -> int:
    """Where a column stands that a group names, or counts from 0 as tables without names do."""
    named = schema.names.count(column) if isinstance(column, str) else 0
    if named == 1:
        return schema.index(column)
    if named:
        msg = f"The group {group!r} names {column!r}, as {named} columns are called; name them by position, from 0."
        raise InputError(msg)
    counted = isinstance(column, int | np.integer) and not isinstance(column, bool)
    if counted and 0 <= column < len(schema):
        return int(column)
    range_ = f" Positions go from 0 to {len(schema) - 1}." if counted else ""
    msg = f"The group {group!r} names {column!r}, which is no column.{range_} {nearest(str(column), schema.names)}"
    raise InputError(msg)
