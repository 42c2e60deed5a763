"""Which columns act together, as SVG text drawn in Python: what a saved notebook shows where no script runs."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from whyglass.core.attribution import Attribution
from whyglass.core.errors import UnsupportedError
from whyglass.core.schema import write_number
from whyglass.views import interactions, own_terms
from whyglass.views.waterfall import STYLE, WIDTH

CELL, TOP, LEFT = 30, 64, 16
WRITTEN = 0.62  # cells from this shade on carry their number: on it text has contrast enough in light and dark
OWN = """
.z{fill:#f3f1ec}.c{fill:#3a1a55}.w{fill:#fcfbf9;font-size:10.5px}
@media (prefers-color-scheme:dark){.z{fill:#212228}.c{fill:#e9d9f6}.w{fill:#131417}}
""".replace("\n", "")


def svg(result: Attribution) -> str:
    """Draw the mean size of what pairs of columns add together, the weightiest columns first, for the last output.

    Returns:
        SVG text. Names from the data are escaped; nothing is fetched.

    Raises:
        UnsupportedError: If the result carries no interactions, or has fewer than two columns.
    """
    if result.interactions is None or len(result.feature_names) < 2:
        msg = "This result carries no interactions of pairs; ask for them with interactions=True."
        raise UnsupportedError(msg)
    shown = own_terms.as_players(result) if result.groups is not None else result
    both = shown.interactions if shown.interactions is not None else result.interactions
    found = interactions.strongest(np.arange(len(shown)), shown, both[..., -1])
    mean = np.abs(found.values).mean(axis=0) if len(found.ids) else np.zeros((len(found.columns),) * 2)
    names = [shown.schema.columns[j].title for j in found.columns]
    return _drawn(mean, names, result)


def below(picture: str, more: str) -> str:
    """One picture under another."""
    first, second = (float(re.findall(r'height="([\d.]+)"', part)[0]) for part in (picture, more))
    inner = more.replace("<svg ", f'<svg y="{first:g}" ', 1)
    height = first + second
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}">'
    return f"{head}{picture}{inner}</svg>"


def _drawn(mean: NDArray[np.float64], names: list[str], result: Attribution) -> str:
    most = float(mean.max(initial=0.0))
    points = result.space == "probability"
    unit = {"probability": "percentage points", "log_loss": "units of log loss", "value": "units of the prediction"}.get(
        result.space, f"{result.space} units"
    )
    height = TOP + CELL * len(names) + 16
    cells = [_cell(r, c, float(mean[r, c]), most, points) for r in range(len(names)) for c in range(r)]
    texts = [f'<text class="s" x="{LEFT + CELL * r + 6}" y="{TOP + CELL * r + 19}">{escape(name)}</text>' for r, name in enumerate(names)]
    a, b = np.unravel_index(int(mean.argmax()), mean.shape)
    said = f"Which facts act together. Most of all {names[min(a, b)]} and {names[max(a, b)]}: {_size(most, points)} {unit} on average."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(said, {chr(34): "&quot;"})}"><style>{STYLE}{OWN}</style><rect class="g" width="{WIDTH}" height="{height}"/>'
        f'<text class="h" x="{LEFT}" y="26">Which facts act together</text>'
        f'<text class="q" x="{LEFT}" y="46">Mean size of what two add beyond what each adds alone, in {escape(unit)}; the darkest is '
        f"{_size(most, points)}.</text>"
        f"{''.join(cells)}{''.join(texts)}</svg>"
    )


def _cell(row: int, column: int, value: float, most: float, points: bool) -> str:
    shade = (value / most) ** 0.85 if most > 0 else 0.0
    x, y = LEFT + CELL * column, TOP + CELL * row
    written = _size(value if points else float(f"{value:.2g}"), points)
    number = f'<text class="w" x="{x + (CELL - 2) / 2}" y="{y + 18}" text-anchor="middle">{written}</text>'
    box = f'x="{x}" y="{y}" width="{CELL - 2}" height="{CELL - 2}" rx="2"'
    return f'<rect class="z" {box}/><rect class="c" {box} opacity="{shade:.2f}"/>{number if shade >= WRITTEN and len(written) <= 5 else ""}'


def _size(value: float, points: bool) -> str:
    return f"{100 * value:.1f}" if points else write_number(value)
