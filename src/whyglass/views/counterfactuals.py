"""Counterfactuals on their own: a table of facts by the changes that flip the answer, with a lock and a way for each fact."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from whyglass.core.container import plain as plain_json
from whyglass.core.counterfactuals import Counterfactuals
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.view import Action, Answer, Turn, View
from whyglass.views import panels, stills
from whyglass.views.alone import Alone, document, on_its_own
from whyglass.views.answers import plain, read_rows
from whyglass.views.naming import in_page

MOST = 9  # changes side by side


@on_its_own
def build(result: Counterfactuals, own: Alone, theme: str) -> View:
    """Lay out counterfactuals: the rows to choose from, and for the chosen one its facts beside each change that flips the answer.

    Args:
        result: What ``explain(method="counterfactual")`` gave.
        own: Its rows, and the model behind it where there is one.
        theme: "auto", "light" or "dark".

    Returns:
        The View. Its state holds "case", "locks" (by column position: "held", "free", "rises" or "falls"; Python may write names),
        "likely" (only where training rows are), "k" (how many changes) and "edits" (a change that is tried).
    """
    schema = own.subject.shown.schema
    given = own.given()
    entries = [
        {
            "found": [panels.flip(own.subject, case) for case in result.cases[i][:MOST]],
            "note": in_page(result.notes[i]),
            "against": result.background_note,
            "settled": True,
            "status": result.status[i],
        }
        for i in own.ids
    ]
    can_ask = own.live and panels.offered(own.subject)["counterfactuals"]
    first = {"locks": locks_of(own), "likely": bool(given.get("plausible", True)), "k": max(1, min(MOST, int(given.get("k") or 1)))}
    wanted = plain_json(own.provenance.params.get("target"))
    more = {"target": result.target, "asked": {**first, "target": wanted}, "constraints": _further(result, own), "can_ask": can_ask}
    actions = {"flips": Action(partial(_solve, own), lane="flips"), "predict": Action(partial(_predict, own), lane="predict")}
    best = next((int(i) for i in own.ids if result.cases[i]), None)
    state = {**first, "edits": {}, **({} if best is None else {"case": best})}
    view = own.view(own.meta("counterfactuals", theme, more), {"flips": document(entries)}, actions if can_ask else {}, state)
    view.read = panels.state_reader(schema.columns)
    view.fallback = partial(stills.counterfactuals, result, best or 0)
    return view


def locks_of(own: Alone) -> dict[str, str]:
    """The locks that the result was found under, where they are not as usual: protected columns held, others free."""
    schema, given = own.subject.shown.schema, own.given()
    ways = {"increase_only": "rises", "decrease_only": "falls"}
    said = {
        j: "held" if column.role == "protected" and given.get("immutable") is None else "free" for j, column in enumerate(schema.columns)
    }
    for parameter, lock in (("immutable", "held"), *ways.items()):
        names = given.get(parameter) or ()
        for j, name in enumerate(schema.names):
            if name in ([names] if isinstance(names, str) else names) and said[j] != "held":
                said[j] = lock
    usual = {j: "held" if column.role == "protected" else "free" for j, column in enumerate(schema.columns)}
    return {str(j): lock for j, lock in said.items() if lock != usual[j]}


def _further(result: Counterfactuals, own: Alone) -> list[str]:
    """Constraints in words that are no locks; all of them where nobody knows which were."""
    given = own.given()
    if any(given.get(name) for name in ("ranges", "allowed", "implications")):
        return list(result.constraints)
    return []


def _solve(own: Alone, args: Mapping[str, Any], turn: Turn) -> Answer:
    """The nearest changes of one encoded row under other locks: a quick search, then a patient one where time cut it short.

    Raises:
        InputError: If a lock or the number is not understood.
        UnsupportedError: If the model cannot be asked about this row.
    """
    subject = own.subject
    count = args.get("k", 1)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        msg = f"k={count!r} is not a number of changes from 1 to {MOST}."
        raise InputError(msg)
    row = subject.rows(read_rows([args.get("row")], len(subject.shown.schema)))
    locks = panels.constraints(subject.shown.schema.columns, args.get("locks"))
    params = {**own.given(), **locks, "plausible": bool(args.get("likely", True)), "k": count}
    params.pop("target", None)
    target = own.provenance.params.get("target")
    if isinstance(target, list):
        target = tuple(target)
    last = Answer(None)
    for seconds in (panels.QUICK_SECONDS, panels.PATIENT_SECONDS, panels.LAST_SECONDS):
        budget = f"{round(1000 * seconds)}ms"
        answer: Counterfactuals = subject.ask(row, method="counterfactual", target=target, params=params, budget=budget)  # type: ignore[misc]
        if turn.cancelled:
            break
        cut_short = panels.cut_short(answer, seconds)
        if answer.status[0] != "ok":
            if not cut_short or seconds == panels.LAST_SECONDS:
                raise UnsupportedError(answer.status[0])
            continue
        found = answer.cases[0]
        done = not cut_short or (len(found) == count and all(case.proven for case in found)) or seconds == panels.LAST_SECONDS
        said = {
            "found": [panels.flip(subject, case) for case in found],
            "note": in_page(answer.notes[0]),
            "against": answer.background_note,
        }
        last = Answer({**said, "settled": done})
        if done:
            break
        turn.progress(last)
    return last


def _predict(own: Alone, args: Mapping[str, Any], turn: Turn) -> Answer:  # noqa: ARG001  (every action takes a turn)
    """What the model says of encoded rows."""
    rows = read_rows(args.get("rows"), len(own.subject.shown.schema))
    return Answer({"p": plain(own.subject.predict(rows))})
