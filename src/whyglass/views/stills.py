"""Rules, counterfactuals and curves as SVG text, drawn in Python: what a saved notebook shows where no script runs."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from whyglass.core.counterfactuals import Counterfactuals
from whyglass.core.curves import Curves
from whyglass.core.rules import Rules
from whyglass.core.schema import Column, write_number
from whyglass.views.waterfall import STYLE, WIDTH

Array = NDArray[np.float64]
KINDS = {"pdp": "Partial dependence", "ice": "Individual curves, averaged", "ale": "Accumulated local effects"}
LINE = 20
MOST_CHARTS, CHART_WIDTH, CHART_HEIGHT = 6, 220, 88
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
    """The columns whose curves move most, as small charts on one scale, averages with their 95% intervals."""
    drawn = [_drawn(result, key, output) for key in result.features]
    order = sorted((d for d in drawn if np.isfinite(d.mean).any()), key=lambda d: -float(np.nanmax(d.mean) - np.nanmin(d.mean)))[
        :MOST_CHARTS
    ]
    if not order:
        return _page([f"{KINDS[result.kind]}: there is nothing to draw."], "", 0)
    low = min(float(np.nanmin(d.mean - d.half)) for d in order)
    high = max(float(np.nanmax(d.mean + d.half)) for d in order)
    span = f"all charts from {_level(result, low)} to {_level(result, high)}"
    head = f"{KINDS[result.kind]} of {result.output_names[output]} over {len(result):,} rows; {span}"
    lines = _wrapped(head)
    charts = "".join(_chart(result, d, (low, high), (k, 64 + LINE * len(lines))) for k, d in enumerate(order))
    return _page(lines, charts, (CHART_HEIGHT + 52) * -(-len(order) // 3))


@dataclass(frozen=True)
class _Drawn:
    column: Column
    points: Array
    mean: Array
    half: Array


def _drawn(result: Curves, key: str, output: int) -> _Drawn:
    values = result.values[key][..., output]
    if result.kind == "ice":
        there = values[[status == "ok" for status in result.status]]
        mean = there.mean(axis=0) if len(there) else np.full(values.shape[1], np.nan)
        error = there.std(axis=0, ddof=1) / np.sqrt(len(there)) if len(there) > 1 else np.zeros(len(mean))
    else:
        mean = values
        error = result.std_errors[key][..., output] if key in result.std_errors else np.zeros(len(mean))
    return _Drawn(result.dataset.schema[key], result.points[key], mean, 1.96 * np.nan_to_num(error))


def _level(result: Curves, value: float) -> str:
    if result.space != "probability":
        return write_number(value)
    text = f"{abs(100 * value):.0f}"
    sign = "\N{MINUS SIGN}" if value < 0 and text != "0" else ""
    return f"{sign}{text} points" if result.kind == "ale" else f"{sign}{text}%"


def _chart(result: Curves, drawn: _Drawn, scale: tuple[float, float], place: tuple[int, int]) -> str:
    at, above = place
    left, top = 16 + (at % 3) * (CHART_WIDTH + 14), above + (at // 3) * (CHART_HEIGHT + 52)
    low, high = scale
    column, points = drawn.column, drawn.points
    steps = column.kind == "categorical"
    xs = left + (np.linspace(4, CHART_WIDTH - 4, len(points)) if steps else _spread(points))
    ys, ups, downs = (
        top + CHART_HEIGHT * (1 - (v - low) / ((high - low) or 1.0)) for v in (drawn.mean, drawn.mean + drawn.half, drawn.mean - drawn.half)
    )
    known = np.flatnonzero(np.isfinite(ys))
    if steps:
        marks = "".join(
            f'<path class="e" d="M{xs[k]:.1f} {ups[k]:.1f}V{downs[k]:.1f}"/><circle class="p" cx="{xs[k]:.1f}" cy="{ys[k]:.1f}" r="2.6"/>'
            for k in known
        )
    else:
        band = [f"{xs[k]:.1f} {ups[k]:.1f}" for k in known] + [f"{xs[k]:.1f} {downs[k]:.1f}" for k in known[::-1]]
        line = "L".join(f"{xs[k]:.1f} {ys[k]:.1f}" for k in known)
        marks = f'<path class="i" opacity=".4" d="M{"L".join(band)}Z"/><path class="e" d="M{line}"/>'
    least, most = (int(pick(drawn.mean)) for pick in (np.nanargmin, np.nanargmax))
    ends = " to ".join(f"{_level(result, float(drawn.mean[k]))} ({column.write(float(points[k]))})" for k in (least, most))
    said = "".join(
        f'<text class="q" x="{left}" y="{top - 12 + 14 * k}">{escape(part)}</text>' for k, part in enumerate(_wrapped(ends, 38)[:2])
    )
    return f'<text class="s" x="{left}" y="{top - 27}">{escape(column.title)}</text>{said}{marks}'


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


def _wrapped(text: str, letters: int = LETTERS) -> list[str]:
    """A line of text as lines that fit."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= letters:
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
