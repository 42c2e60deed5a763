"""A workbench without Python behind it: fewer rows, everything the page needs inside, each loss stated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.views import interactions
from whyglass.views.answers import Answers, pack_values, stream
from whyglass.views.naming import counted
from whyglass.views.rows import pack_cases
from whyglass.views.subject import SAMPLE_ROWS, Subject

MOST_ROWS = 2_000
CURVE_POINTS, FEW_POINTS, FEW_COLUMNS = 9, 5, 12  # a wide table gets coarser curves
CURVE_STEPS = 50
MOST_CURVE_CALLS = 1_000_000
LEAST_ROWS = 50


def freeze(
    answers: Answers, meta: dict[str, Any], *, embed_model: bool = True, rows: int = MOST_ROWS, keep: tuple[int, ...] = ()
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Meta and tables of a page that must answer everything by itself.

    Args:
        answers: The live workbench's answers.
        meta: Its meta.
        embed_model: Whether the page form of the model travels, so that what-if stays alive.
        rows: The most rows the file carries: a stated seeded sample of the held-out rows, or of all.
        keep: Rows that it must carry, such as the one that is open.

    Returns:
        (meta, tables) for ``hosts.html``.
    """
    subject = answers.subject
    alive = embed_model and subject.page is not None
    if not alive and subject.model is not None:
        rows = min(rows, max(LEAST_ROWS, MOST_CURVE_CALLS // max(1, sum(map(len, _grids(subject))))))
    wanted = np.setdiff1d(np.array(keep, dtype=np.intp), subject.sample_ids(rows))
    ids = np.union1d(subject.sample_ids(max(rows - len(wanted), 0)), np.array(keep, dtype=np.intp))
    x, y = subject.map_points(ids)
    tables = {"cases": stream(pack_cases(subject.shown, ids, subject.output, exact=alive)), "map": stream({"x": x, "y": y})}
    curves = None
    if alive:
        tables["model"] = answers.table_bytes("model")
        if subject.background is not None:
            tables["background"] = answers.table_bytes("background")
        sampled, values, note = subject.sampled()
        carried = np.flatnonzero(np.isin(sampled, ids))[:SAMPLE_ROWS]
        tables["sample"] = pack_values(sampled[carried], values[carried], note)
    else:
        tables["sample"] = pack_values(*_contributions(subject, ids))
        if subject.model is not None:
            columns, curves = _curves(subject, ids)
            tables["curves"] = stream(columns)
    offered = interactions.offered(subject)
    given = offered is not None and offered["source"] == "given"
    if given:
        # Where the page works out the pairs of a case by itself, it needs no more of them than the view of all cases does.
        tables["interactions"] = stream(interactions.together(subject, None if alive and subject.quick else ids).pack())
    frozen = {
        **meta,
        "live": False,
        "host": "html",
        "parts": dict.fromkeys(meta["parts"], False),
        "interactions": offered if given else _in_page(subject) if alive else None,
        "page_model": meta["page_model"] if alive else _no_model(embed_model, meta),
        "chunks": [[0, len(ids)]],
        "frozen": {"date": meta["created"][:10], "rows_shown": len(ids), "note": _note(subject, len(ids), meta["noun"])},
        "quantisation": {
            "numbers": None if alive else "at most 1/65,000 of each",
            "contributions": "at most 1/2,000 of the largest",
            "curves": None if curves is None else f"at most 1/{2 * CURVE_STEPS} of the range",
            "pairs": "at most 1/250 of the largest" if given else None,
        },
        "curves": curves,
    }
    if answers.around is not None:
        answers.around.freeze(frozen, tables, ids)
    return frozen, tables


def _in_page(subject: Subject) -> dict[str, str] | None:
    """What the page's own copy of the model can say of pairs: all of it, where the coalitions of a case are few."""
    return {"source": "page", "space": subject.space} if subject.quick else None


def _no_model(embed_model: bool, meta: dict[str, Any]) -> dict[str, Any]:
    reason = meta["page_model"]["reason"] if embed_model else "This report was saved without the model."
    return {"kind": "none", "table": "", "reason": reason, "meta": None}


def _note(subject: Subject, carried: int, noun: str) -> str:
    held_out = int((subject.shown.split == 1).sum())
    pool, kind = (held_out, "held-out ") if held_out else (len(subject.shown), "")
    if carried < pool:
        return f"{carried:,} of {counted(pool, noun, kind)}, drawn at random (seed 0)"
    return f"{'all ' if pool > 1 else ''}{counted(pool, noun, kind)}"


def _contributions(subject: Subject, ids: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float64], str]:
    """Those of these rows that have contributions, the contributions, and whether they are "exact" or "sampled"."""
    sampled, values, note = subject.sampled()
    if subject.ask is None or np.isin(ids, sampled).all():
        carried = np.isin(sampled, ids)
        return sampled[carried], values[carried], note
    return subject.contributions(ids)


def _grids(subject: Subject) -> list[NDArray[np.float64]]:
    columns = len(subject.shown.schema)
    return [subject.grid(j, CURVE_POINTS if columns <= FEW_COLUMNS else FEW_POINTS) for j in range(columns)]


def _curves(subject: Subject, ids: NDArray[np.intp]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Predictions along a short grid of every column: uint8 columns ``c{column}_{point}`` of differences, and how to read them."""
    grids = _grids(subject)
    found: dict[str, NDArray[np.float64]] = {}
    for j, grid in enumerate(grids):
        for i, value in enumerate(grid):
            batch = subject.shown.matrix[ids]
            batch[:, j] = value
            found[f"c{j}_{i}"] = subject.predict(batch)[:, subject.output]
    low = min((float(np.nanmin(v)) for v in found.values() if np.isfinite(v).any()), default=0.0)
    high = max((float(np.nanmax(v)) for v in found.values() if np.isfinite(v).any()), default=1.0)
    step = ((high - low) or 1.0) / CURVE_STEPS
    columns = {name: np.clip(np.rint((np.nan_to_num(v) - low) / step), 0, CURVE_STEPS).astype(np.uint8) for name, v in found.items()}
    # After the first point of a curve only differences travel, modulo 256: most are nil, and compress away.
    for j, grid in enumerate(grids):
        for i in range(len(grid) - 1, 0, -1):
            columns[f"c{j}_{i}"] = columns[f"c{j}_{i}"] - columns[f"c{j}_{i - 1}"]
    return columns, {"low": low, "step": step, "grids": [[float(g) for g in grid] for grid in grids]}
