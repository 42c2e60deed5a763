"""Rules on their own: for each explained row its conditions in words, how often they hold and how many rows they cover."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from whyglass.core.errors import InputError
from whyglass.core.rules import Rules
from whyglass.core.view import Action, Answer, Turn, View
from whyglass.views import panels, stills
from whyglass.views.alone import Alone, document, on_its_own
from whyglass.views.answers import read_rows


@on_its_own
def build(result: Rules, own: Alone, theme: str) -> View:
    """Lay out rules: the rows to choose from, and the rule of the chosen one.

    Args:
        result: What ``explain(method="anchors")`` gave.
        own: Its rows, and the model behind it where there is one.
        theme: "auto", "light" or "dark".

    Returns:
        The View; its state holds "case" and "precision", the precision asked for.
    """
    asked = float(own.given().get("precision") or 0.95)
    entries = [{**panels.rule_document(result.rules[i]), "status": result.status[i], "of": result.background_note} for i in own.ids]
    can_ask = own.live and panels.offered(own.subject)["rules"]
    meta = own.meta("rules", theme, {"precision": asked, "can_ask": can_ask})
    actions = {"rule": Action(partial(_again, own), lane="rule")}
    best = next((int(i) for i in own.ids if result.rules[i].met and result.rules[i].predicates), None)
    state = {"precision": asked, **({} if best is None else {"case": best})}
    view = own.view(meta, {"rules": document(entries)}, actions if can_ask else {}, state)
    view.fallback = partial(stills.rules, result, best or 0)
    return view


def _again(own: Alone, args: Mapping[str, Any], turn: Turn) -> Answer:  # noqa: ARG001  (every action takes a turn)
    """The rule of one encoded row at another precision.

    Raises:
        InputError: If the precision is no share.
    """
    precision = args.get("precision")
    if isinstance(precision, bool) or not isinstance(precision, int | float) or not 0 < precision < 1:
        msg = f"precision={precision!r} is not a share between 0 and 1."
        raise InputError(msg)
    row = read_rows([args.get("row")], len(own.subject.shown.schema))
    return panels.rule(own.subject, row, {**own.given(), "precision": float(precision)})
