"""Curves on their own: a grid of small charts, the strongest first, pairs as heat maps, the chosen row marked in each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.curves import Curves, Key
from whyglass.core.errors import UnsupportedError
from whyglass.core.view import Action, Answer, Turn, View
from whyglass.views import panels, stills
from whyglass.views.alone import Alone, on_its_own
from whyglass.views.answers import plain, read_rows

Array = NDArray[np.float64]
MOST_LINES = 200
MOST_NUMBERS = 1_500_000  # single floats of individual curves that travel: 6 MB


@on_its_own
def build(result: Curves, own: Alone, theme: str) -> View:
    """Lay out curves: one small chart a column or pair, and the rows to choose from, of which one is marked in every chart.

    Args:
        result: What ``explain(method="pdp")``, "ice" or "ale" gave.
        own: Its rows, and the model behind it where there is one.
        theme: "auto", "light" or "dark".

    Returns:
        The View; its state holds "case" and "output".
    """
    lines = _lines(result, own)
    outputs = _outputs(result, own, lines)
    charts, tables = [], {}
    for at, key in enumerate(result.keys):
        chart, numbers = _chart(result, key, lines, outputs)
        charts.append(chart)
        tables.update({f"{name}{at}": np.ascontiguousarray(values, dtype="<f4").tobytes() for name, values in numbers.items()})
    can_ask = own.live and result.kind == "pdp" and panels.offered(own.subject)["effects"]
    used = sum(status == "ok" for status in result.status)
    more = {
        "kind": result.kind,
        "charts": charts,
        "shown_outputs": outputs,
        "lines": lines.tolist(),
        "used": used,
        "exact": result.exact,
        "can_ask": can_ask,
    }
    actions = {"own": Action(partial(_own, own, result), lane="own")}
    view = own.view(own.meta("curves", theme, more), tables, actions if can_ask else {}, {"output": own.subject.output, "chart": -1})
    view.fallback = partial(stills.curves, result, own.subject.output)
    return view


def _lines(result: Curves, own: Alone) -> NDArray[np.intp]:
    """Rows whose individual curves are drawn: seeded, ascending; none for averages."""
    if result.kind != "ice":
        return np.empty(0, dtype=np.intp)
    there = np.array([i for i in own.ids if result.status[i] == "ok"], dtype=np.intp)
    return np.sort(np.random.default_rng(0).permutation(there)[:MOST_LINES])


def _outputs(result: Curves, own: Alone, lines: NDArray[np.intp]) -> list[int]:
    """The outputs that travel: all, or the one that is shown where all would be too much."""
    size = sum(int(np.prod(result.values[key].shape[-1 - (2 if isinstance(key, tuple) else 1) :])) for key in result.keys)
    every = list(range(len(result.output_names)))
    return every if size * max(1, len(lines)) <= MOST_NUMBERS else [own.subject.output]


def _chart(result: Curves, key: Key, lines: NDArray[np.intp], outputs: list[int]) -> tuple[dict[str, Any], dict[str, Array]]:
    names = key if isinstance(key, tuple) else (key,)
    grids = result.points[key] if isinstance(key, tuple) else (result.points[key],)
    chart: dict[str, Any] = {
        "columns": [result.dataset.schema.index(name) for name in names],
        "points": [plain(grid) for grid in grids],
        "away": plain(result.extrapolation[key]) if key in result.extrapolation else None,
        "strength": plain(result.strength[key][outputs]) if key in result.strength else None,
    }
    values = result.values[key][..., outputs]
    if result.kind == "ice":
        chart["mean"], errors = True, None
        there = values[[status == "ok" for status in result.status]]
        mean = there.mean(axis=0) if len(there) else np.full(values.shape[1:], np.nan)
        errors = there.std(axis=0, ddof=1) / np.sqrt(len(there)) if len(there) > 1 else None
        numbers = {"v": mean, **({} if isinstance(key, tuple) else {"l": values[lines]})}
    else:
        errors = result.std_errors[key][..., outputs] if key in result.std_errors else None
        numbers = {"v": values}
    return chart, {**numbers, **({} if errors is None else {"e": errors})}


def _own(own: Alone, result: Curves, args: Mapping[str, Any], turn: Turn) -> Answer:  # noqa: ARG001  (every action takes a turn)
    """The individual curves of one encoded row, for the columns that are drawn: points and values by column position, for the output asked.

    Raises:
        UnsupportedError: If the model cannot be asked about this row.
    """
    subject = own.subject
    row = subject.rows(read_rows([args.get("row")], len(subject.shown.schema)))
    grid = own.given().get("grid") or 100
    params = {"features": list(result.features), "grid": grid}
    found: Curves = subject.ask(row, method="ice", space=result.space, params=params)  # type: ignore[misc]
    if found.status[0] != "ok":
        raise UnsupportedError(found.status[0])
    name = result.output_names[min(max(0, int(args.get("output") or 0)), len(result.output_names) - 1)]
    at = found.output_names.index(name)
    schema = subject.shown.schema
    return Answer({str(schema.index(key)): [plain(found.points[key]), plain(found.values[key][0][:, at])] for key in found.features})
