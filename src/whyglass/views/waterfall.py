"""A waterfall as SVG text, drawn in Python: what a saved notebook shows where no script runs."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from whyglass.core.attribution import Attribution
from whyglass.core.schema import write_number
from whyglass.views import own_terms

WIDTH, ROW, TOP, LEFT, RIGHT = 720, 30, 62, 250, 90
MOST_ROWS = 10
STYLE = """
text{font-family:Inter,ui-sans-serif,system-ui,sans-serif;font-size:12.5px;fill:#1a1a1f}
.q{fill:#686872;font-size:11.5px}.u{fill:#d9731a}.d{fill:#3478c0}.ut{fill:#a84f06;font-weight:600}.dt{fill:#1f5fa3;font-weight:600}
.l{stroke:#cfcbc2;fill:none}.e{stroke:#1a1a1f;fill:none}.g{fill:#fcfbf9}.h{font-size:15.5px}.s{font-weight:600}
@media (prefers-color-scheme:dark){text{fill:#efede8}.q{fill:#96959a}.u{fill:#ee8f3c}.d{fill:#5fa3e6}.ut{fill:#f6a661}
.dt{fill:#8cbef0}.l{stroke:#44454e}.e{stroke:#efede8}.g{fill:#131417}}
""".replace("\n", "")
_UNITS = {"log_loss": "units of log loss (to the right: more wrong)", "value": "units of the prediction"}


@dataclass(frozen=True)
class _Bar:
    label: str
    written: str
    value: float
    error: float


def svg(result: Attribution, row: int = 0) -> str:
    """Draw one row's contributions from the base value down to the prediction.

    Args:
        result: The attribution; its last output is drawn.
        row: Which row.

    Returns:
        SVG text. Names and values from the data are escaped; nothing is fetched.
    """
    if len(result) == 0:
        return _nothing("No rows were explained.")
    if result.status[row] != "ok":
        return _nothing(f"Row {row} could not be explained: {result.status[row]}")
    if result.groups is not None:
        result, row = own_terms.as_players(result[row]), 0
    bars = _bars(result, row)
    base, prediction = float(result.base_values[row, -1]), float(result.predictions[row, -1])
    points = result.space == "probability"
    head = f"{result.output_names[-1]}: {_level(prediction, points)}, from the average {_level(base, points)}"
    trust = "exact" if result.exact else "estimated; whiskers hold 95%"
    unit = "percentage points" if points else _UNITS.get(result.space, f"{result.space} units")
    height = TOP + ROW * len(bars) + 40
    scale = _scale(base, bars)
    parts = [_bar(bar, index, start, scale, points) for index, (bar, start) in enumerate(zip(bars, _starts(base, bars), strict=True))]
    middle = scale(base)
    sentence = f"{head}. " + ", ".join(f"{b.label} {b.written} {_push(b.value, points)}" for b in bars[:3])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(sentence, {chr(34): "&quot;"})}"><style>{STYLE}</style><rect class="g" width="{WIDTH}" height="{height}"/>'
        f'<text class="h" x="16" y="26">{escape(_short(head, 84))}</text>'
        f'<text class="q" x="16" y="46">Contributions in {escape(unit)}, {trust}.</text>'
        f'<path class="l" d="M{middle:.1f} {TOP - 6}V{height - 30}"/>{"".join(parts)}'
        f'<text class="q" x="{middle:.1f}" y="{height - 14}" text-anchor="middle">average {escape(_level(base, points))}</text></svg>'
    )


def _bars(result: Attribution, row: int) -> list[_Bar]:
    values = np.nan_to_num(result.values[row, :, -1])
    errors = np.zeros_like(values) if result.std_errors is None else 1.96 * np.nan_to_num(result.std_errors[row, :, -1])
    order = np.argsort(-np.abs(values), kind="stable")
    shown = order if len(order) <= MOST_ROWS + 1 else order[:MOST_ROWS]
    columns = result.schema.columns
    bars = [
        _Bar(columns[j].title, columns[j].write(float(result.dataset.matrix[row, j])), float(values[j]), float(errors[j])) for j in shown
    ]
    rest = order[len(shown) :]
    if len(rest):
        bars.append(_Bar(f"{len(rest)} more", "together", float(values[rest].sum()), float(np.sqrt((errors[rest] ** 2).sum()))))
    return bars


def _starts(base: float, bars: list[_Bar]) -> list[float]:
    ends = np.cumsum([base, *(b.value for b in bars)])
    return [float(e) for e in ends[:-1]]


class _Scale:
    def __init__(self, low: float, high: float) -> None:
        pad = 0.06 * (high - low) or 0.5
        self.low, self.span = low - pad, (high - low) + 2 * pad

    def __call__(self, value: float) -> float:
        return LEFT + (value - self.low) / self.span * (WIDTH - LEFT - RIGHT)


def _scale(base: float, bars: list[_Bar]) -> _Scale:
    ends = np.cumsum([base, *(b.value for b in bars)])
    reach = [
        *ends,
        *(e + b.error for e, b in zip(ends[1:], bars, strict=True)),
        *(e - b.error for e, b in zip(ends[1:], bars, strict=True)),
    ]
    return _Scale(float(min(reach)), float(max(reach)))


def _bar(bar: _Bar, index: int, start: float, scale: _Scale, points: bool) -> str:
    y = TOP + ROW * index
    x0, x1 = sorted((scale(start), scale(start + bar.value)))
    way = "u" if bar.value >= 0 else "d"
    tip = scale(start + bar.value)
    whisker = ""
    if bar.error > 0:
        left, right = scale(start + bar.value - bar.error), scale(start + bar.value + bar.error)
        whisker = f'<path class="e" d="M{left:.1f} {y + 9}H{right:.1f}M{left:.1f} {y + 6}v6M{right:.1f} {y + 6}v6"/>'
        x1 = max(x1, right) if bar.value >= 0 else x1
    tag = _push(bar.value, points)
    width = max(1.5, abs(scale(start + bar.value) - scale(start)))
    return (
        f'<text class="q" x="16" y="{y + 7}">{escape(_short(bar.label, 36))}</text>'
        f'<text class="s" x="16" y="{y + 20}">{escape(_short(bar.written, 32))}</text>'
        f'<rect class="{way}" x="{x0:.1f}" y="{y}" width="{width:.1f}" height="18" rx="3"/>{whisker}'
        f'<path class="l" d="M{tip:.1f} {y + 18}V{y + ROW}"/>'
        f'<text class="{way}t" x="{x1 + 7:.1f}" y="{y + 13}">{escape(tag)}</text>'
    )


def _level(value: float, points: bool) -> str:
    if not points:
        return write_number(value)
    share = 100 * value
    if 0 < share < 0.5:
        return "<1%"
    return ">99%" if 99.5 < share < 100 else f"{share:.0f}%"


def _push(value: float, points: bool) -> str:
    if points:
        rounded = round(100 * value, 1)
        sign = "+" if rounded > 0 else "\N{MINUS SIGN}" if rounded < 0 else "\N{PLUS-MINUS SIGN}"
        return f"{sign}{abs(rounded):.1f}"
    return f"+{write_number(value)}" if value > 0 else write_number(value)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _nothing(words: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 60" width="{WIDTH}" height="60" role="img" '
        f'aria-label="{escape(words, {chr(34): "&quot;"})}"><style>{STYLE}</style><text x="16" y="36">{escape(words)}</text></svg>'
    )
