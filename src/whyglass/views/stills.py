"""Rules, counterfactuals and curves as SVG text, drawn in Python: what a saved notebook shows where no script runs."""

from __future__ import annotations

from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from whyglass.core.counterfactuals import Counterfactuals
from whyglass.core.curves import Curves
from whyglass.core.rules import Rules
from whyglass.core.schema import Column, write_number
from whyglass.views.waterfall import STYLE, WIDTH

Array = NDArray[np.float64]
LINE = 20
MOST_CHARTS, CHART_WIDTH, CHART_HEIGHT = 6, 220, 96
LETTERS = 96  # of a line of text, beyond which it wraps


def rules(result: Rules, row: int = 0) -> str:
    """One row's rule in words, with its precision and coverage as bars."""
    if not len(result):
        return _page(["No rows were explained."], "", 0)
    if result.status[row] != "ok":
        return _page([f"Row {row} could not be explained: {result.status[row]}"], "", 0)
    found = result.rules[row]
    lines = [f"{'IF' if k == 0 else 'AND'} {p.text}" for k, p in enumerate(found.predicates)]
    lines += [f"THEN {found.output}"] if found.predicates else [str(found)]
    lines += [] if found.met else [f"Not as sure as asked for: {found.reason}"]
    text = [part for line in lines for part in _wrapped(line)]
    top = 30 + LINE * len(text)
    low, high = found.precision_interval
    bars = _bar("Precision", found.precision, (low, high), top) + _bar("Covers", found.coverage, None, top + LINE)
    return _page(text, bars if found.predicates else "", 2 * LINE if found.predicates else 0)


def counterfactuals(result: Counterfactuals, row: int = 0) -> str:
    """One row's changes in words, one line each with what the model would say."""
    if not len(result):
        return _page(["No rows were explained."], "", 0)
    lines = [f"Smallest changes that lead to {result.target}, row {row}"]
    if result.status[row] != "ok":
        lines.append(result.status[row])
    for case in result.cases[row]:
        trust = "proven nearest" if case.proven else "the nearest found"
        lines.append(f"{case}; distance {write_number(round(case.distance, 2))}, {trust}")
    if not result.cases[row]:
        lines.append(result.notes[row] or "No change was found.")
    return _page([part for line in lines for part in _wrapped(line)], "", 0)


def curves(result: Curves, output: int = 0) -> str:
    """The columns whose curves move most, as small charts on one scale."""
    keys = [key for key in result.features if np.isfinite(result.values[key][..., output]).any()]
    means = {key: np.nanmean(v, axis=0) if result.kind == "ice" else v for key in keys for v in [result.values[key][..., output]]}
    order = sorted(keys, key=lambda key: -float(np.nanmax(means[key]) - np.nanmin(means[key])))[:MOST_CHARTS]
    if not order:
        return _page([f"{result.kind}: there is nothing to draw."], "", 0)
    low = min(float(np.nanmin(means[key])) for key in order)
    high = max(float(np.nanmax(means[key])) for key in order)
    charts = "".join(_chart(result.dataset.schema[key], result.points[key], means[key], (low, high), k) for k, key in enumerate(order))
    head = f"{result.kind} of {result.output_names[output]} over {len(result):,} rows, from {_level(result, low)} to {_level(result, high)}"
    return _page([head], charts, (CHART_HEIGHT + 30) * -(-len(order) // 3))


def _level(result: Curves, value: float) -> str:
    return f"{100 * value:.0f}%" if result.space == "probability" else write_number(value)


def _chart(column: Column, points: Array, values: Array, scale: tuple[float, float], at: int) -> str:
    left, top = 16 + (at % 3) * (CHART_WIDTH + 14), 64 + (at // 3) * (CHART_HEIGHT + 30)
    low, high = scale
    xs = np.linspace(0, CHART_WIDTH, len(points)) if column.kind == "categorical" else _spread(points)
    ys = CHART_HEIGHT * (1 - (values - low) / ((high - low) or 1.0))
    known = [(left + x, top + y) for x, y in zip(xs, ys, strict=True) if np.isfinite(y)]
    if column.kind == "categorical":
        drawn = "".join(f'<circle class="p" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in known)
    else:
        drawn = f'<path class="e" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in known)}"/>'
    return f'<text class="s" x="{left}" y="{top - 8}">{escape(column.title)}</text>{drawn}'


def _spread(points: Array) -> Array:
    width = float(points[-1] - points[0]) if len(points) else 0.0
    return CHART_WIDTH * (points - points[0]) / width if width else np.zeros(len(points))


def _bar(label: str, share: float, interval: tuple[float, float] | None, y: int) -> str:
    left, width = 96, 260
    soft = ""
    if interval is not None:
        a, b = interval
        soft = f'<rect class="i" x="{left + width * a:.1f}" y="{y - 7}" width="{max(1.0, width * (b - a)):.1f}" height="6" rx="3"/>'
    said = f"{100 * share:.0f}%" + ("" if interval is None else f" ({100 * interval[0]:.0f} to {100 * interval[1]:.0f}%)")
    return (
        f'<text class="q" x="16" y="{y}">{escape(label)}</text><path class="l" d="M{left} {y - 4}h{width}"/>{soft}'
        f'<path class="e" stroke-width="3" d="M{left + width * share:.1f} {y - 9}v10"/>'
        f'<text x="{left + width + 14}" y="{y}">{escape(said)}</text>'
    )


def _wrapped(text: str) -> list[str]:
    """A line of text as lines that fit."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= LETTERS:
            lines.append("   ")
        lines[-1] += word if lines[-1].strip() == "" else f" {word}"
    return lines


def _page(lines: list[str], body: str, more: int) -> str:
    height = 24 + LINE * len(lines) + more + 16
    said = escape(". ".join(lines), {chr(34): "&quot;"})
    text = "".join(f'<text x="16" y="{26 + LINE * k}" xml:space="preserve">{escape(line)}</text>' for k, line in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{said}"><style>{STYLE}.p{{fill:#1a1a1f}}.i{{fill:#b9b6ae}}@media (prefers-color-scheme:dark){{.p{{fill:#efede8}}'
        f'.i{{fill:#5a5b63}}}}</style><rect class="g" width="{WIDTH}" height="{height}"/>{text}{body}</svg>'
    )
