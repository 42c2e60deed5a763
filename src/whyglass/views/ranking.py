"""Facts by size on their own: LIME's coefficients row by row, or permutation importance of all rows together."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from whyglass.core.attribution import Attribution
from whyglass.core.schema import write_number
from whyglass.core.view import View
from whyglass.views.alone import Alone, on_its_own
from whyglass.views.naming import counted
from whyglass.views.surrogates import draws_of, edges_of, fit_of, ties_of
from whyglass.views.waterfall import STYLE, WIDTH

Array = NDArray[np.float64]
MOST_NUMBERS = 1_000_000  # values and errors that travel
LEAST_ROWS = 50
Z95 = 1.959964
ROW, TOP, LEFT, RIGHT, MOST_BARS = 26, 56, 230, 150, 20


@on_its_own
def build(result: Attribution, own: Alone, theme: str) -> View:
    """Lay out values that do not add up to a prediction: a bar with its interval for each fact, strongest first.

    Args:
        result: What ``explain(method="lime")`` or ``explain(method="permutation")`` gave.
        own: Its rows, and the model behind it where there is one.
        theme: "auto", "light" or "dark".

    Returns:
        The View; its state holds "case" and "output".
    """
    own = _fitting(result, own)
    importance = _importance(result)
    values = result.values[own.ids].transpose(0, 2, 1)
    mirrored = values.shape[1] == 2 and bool(np.array_equal(np.nan_to_num(values[:, 0]), -np.nan_to_num(values[:, 1])))
    kept = slice(1, 2) if mirrored else slice(None)
    tables = {"values": _floats(values[:, kept]), "r2": _floats(fit_of(result)[own.ids][:, kept])}
    if result.std_errors is not None:
        tables["errors"] = _floats(result.std_errors[own.ids].transpose(0, 2, 1)[:, kept])
    tied = ties_of(result)
    if tied is not None:
        tables["tied"] = np.ascontiguousarray(tied[own.ids].transpose(0, 2, 1)[:, kept], dtype=np.uint8).tobytes()
    more = {
        "facts": _facts(result),
        "status": [result.status[i] for i in own.ids],
        "edges": edges_of(own.subject.model) if importance is None and result.groups is None else [],
        "draws": draws_of(result),
        "mirrored": mirrored,
        "importance": importance,
        "can_ask": False,
    }
    meta = own.meta("ranking", theme, more)
    if importance is not None:
        meta |= {"n_rows": importance["rows"], "subtitle": f"permutation importance, {counted(importance['rows'], meta['noun'])}"}
        meta["python"]["call"] = _call(meta["python"]["call"])
    good = next((int(i) for i in own.ids if result.status[i] == "ok"), 0)
    view = own.view(meta, tables, {}, {"case": good, "output": own.subject.output})
    view.fallback = partial(svg, result, good, own.subject.output)
    return view


def _call(code: str) -> str:
    """The call with its outcomes; a metric that was not chosen stands in the result by its title, and is left out."""
    return re.sub(r", metric='[^']* [^']*'", "", code).replace("X_test,", "X_test, y=y_test,")


def _fitting(result: Attribution, own: Alone) -> Alone:
    """As many of the rows as may travel."""
    most = max(LEAST_ROWS, MOST_NUMBERS // max(1, 2 * result.values.shape[1] * result.values.shape[2]))
    if len(own.ids) <= most:
        return own
    return replace(own, ids=np.sort(np.random.default_rng(0).permutation(own.ids)[:most]))


def _floats(values: Array) -> bytes:
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def _facts(result: Attribution) -> list[dict[str, Any]]:
    """Name, title and columns of every fact, or of every group of them."""
    columns = result.schema.columns
    if result.groups is None:
        return [{"name": c.name, "title": c.title, "columns": [j]} for j, c in enumerate(columns)]
    titles = [columns[m[0]].title if len(m) == 1 and name == columns[m[0]].name else name for name, m in result.groups]
    return [{"name": name, "title": title, "columns": list(m)} for (name, m), title in zip(result.groups, titles, strict=True)]


def _importance(result: Attribution) -> dict[str, Any] | None:
    """What permutation importance was measured by and on; None for anything else."""
    if result.provenance.method != "permutation" or not len(result):
        return None
    params, base = result.provenance.params, float(result.base_values[0, 0])
    return {
        "metric": result.output_names[0],
        "base": base if np.isfinite(base) else None,
        "rows": int(params.get("rows") or 0),
        "permutations": str(params.get("permutations", "")),
    }


def svg(result: Attribution, row: int = 0, output: int = -1) -> str:
    """One row's values as bars about a zero line, strongest first, with 95% intervals.

    Args:
        result: The attribution.
        row: Which row.
        output: Which output; the last when -1.

    Returns:
        SVG text. Names and values from the data are escaped; nothing is fetched.
    """
    if not len(result):
        return _page("No rows were explained.", "", TOP)
    if result.status[row] != "ok":
        return _page(f"Row {row} could not be explained: {result.status[row]}", "", TOP)
    values = np.nan_to_num(result.values[row, :, output])
    errors = np.zeros_like(values) if result.std_errors is None else Z95 * np.nan_to_num(result.std_errors[row, :, output])
    importance, facts = _importance(result), _facts(result)
    order = np.argsort(-(values if importance else np.abs(values)), kind="stable")[:MOST_BARS]
    points = result.space == "probability" or (importance or {}).get("metric") == "share wrong"
    low, high = float(min(0.0, (values - errors)[order].min(initial=0.0))), float(max(0.0, (values + errors)[order].max(initial=0.0)))
    scale = _Scale(low, high)
    write = _writer(float(np.abs(values).max(initial=0.0)), points)
    bars = [_Bar(facts[j]["title"], float(values[j]), float(errors[j]), importance is None) for j in order]
    body = "".join(_drawn(bar, k, scale, write(bar.value)) for k, bar in enumerate(bars))
    foot = TOP + ROW * len(order)
    left = len(values) - len(order)
    note = f'<text class="q" x="16" y="{foot + 16}">{left} more are not drawn.</text>' if left else ""
    line = f'<path class="l" d="M{scale(0.0):.1f} {TOP - 6}V{foot}"/>'
    head, unit = _head(result, row, output, importance), _unit(result, (row, output), points, importance)
    return _page(head, line + body + note, foot + (26 if left else 10), unit)


def _head(result: Attribution, row: int, output: int, importance: dict[str, Any] | None) -> str:
    if importance is not None:
        base = "" if importance["base"] is None else f", {write_number(importance['base'])} as it is"
        return f"How much worse the {importance['metric']} gets when a fact says nothing{base}; {importance['rows']:,} rows"
    return f"{result.output_names[output]}: what keeping a fact goes with around row {row}"


def _unit(result: Attribution, place: tuple[int, int], points: bool, importance: dict[str, Any] | None) -> str:
    fit = np.nan if importance is not None else float(fit_of(result)[place])
    explained = "" if np.isnan(fit) else f" Adding them up explains {100 * max(0.0, fit):.0f}% of what the model does there."
    unit = "percentage points" if points else "units of the loss" if importance else f"{result.space} units"
    return f"In {unit}" + ("." if result.std_errors is None else "; whiskers hold 95%.") + explained


class _Scale:
    def __init__(self, low: float, high: float) -> None:
        self.low, self.span = low, (high - low) or 1.0

    def __call__(self, value: float) -> float:
        return LEFT + (value - self.low) / self.span * (WIDTH - LEFT - RIGHT)


@dataclass(frozen=True)
class _Bar:
    title: str
    value: float
    error: float
    directed: bool

    @property
    def way(self) -> str:
        """Up, down, or neither: not told from nothing, or a size without direction."""
        if abs(self.value) <= self.error or not self.directed:
            return "n"
        return "u" if self.value > 0 else "d"


def _writer(most: float, points: bool) -> Callable[[float], str]:
    """How values are written: all to one place, at which the largest has three digits."""
    places = 1 if points else max(0, min(12, 2 - math.floor(math.log10(most)))) if most > 0 else 0

    def write(value: float) -> str:
        text = f"{abs(100 * value if points else value):,.{places}f}"
        return ("\N{PLUS-MINUS SIGN}" if not float(text.replace(",", "")) else "+" if value > 0 else "\N{MINUS SIGN}") + text

    return write


def _drawn(bar: _Bar, at: int, scale: _Scale, written: str) -> str:
    y, value, error = TOP + ROW * at, bar.value, bar.error
    x0, x1 = sorted((scale(0.0), scale(value)))
    whisker, end = "", max(x0, x1)
    if error > 0:
        left, right = scale(value - error), scale(value + error)
        whisker = f'<path class="e" d="M{left:.1f} {y + 7}H{right:.1f}M{left:.1f} {y + 4}v6M{right:.1f} {y + 4}v6"/>'
        end = max(end, right)
    name = bar.title if len(bar.title) <= 34 else f"{bar.title[:33]}\N{HORIZONTAL ELLIPSIS}"
    return (
        f'<text class="s" x="16" y="{y + 11}">{escape(name)}</text>'
        f'<rect class="{bar.way}" x="{x0:.1f}" y="{y}" width="{max(1.0, x1 - x0):.1f}" height="14" rx="2"/>{whisker}'
        f'<text x="{end + 7:.1f}" y="{y + 11}">{escape(written)}</text>'
    )


def _page(head: str, body: str, height: int, unit: str = "") -> str:
    said = escape(head, {chr(34): "&quot;"})
    short = escape(head if len(head) <= 96 else f"{head[:95]}\N{HORIZONTAL ELLIPSIS}")
    more = ".n{fill:#8d8a84}@media (prefers-color-scheme:dark){.n{fill:#77787f}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{said}"><style>{STYLE}{more}</style><rect class="g" width="{WIDTH}" height="{height}"/>'
        f'<text x="16" y="24">{short}</text><text class="q" x="16" y="42">{escape(unit)}</text>{body}</svg>'
    )
