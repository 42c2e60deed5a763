"""The figures to reach for Shapley values, race by race: whyglass and each peer in turn, one thread, CPU time.

Run one piece with ``bench/run.py --only shapley.trees``; the pieces measured before stay in the page. Every piece gives a
table whose first five columns are the case, the peer, what was asked for, what was reached, and whether that is enough;
the page's first table collects these columns.
"""

from __future__ import annotations

import datetime as dt
import importlib
import os
import re
from importlib import metadata

from harness import table

PIECES = {
    "trees": ("Path-dependent values of trees", "shapley_trees"),
    "interventional": ("Interventional values", "shapley_trees"),
    "interactions": ("Interactions", "shapley_trees"),
    "woodelf": ("woodelf-explainer, large batches", "shapley_trees"),
    "small": ("A few rows at a time", "shapley_trees"),
    "sampled_network": ("Sampled values of a network", "shapley_sampled"),
    "sampled_boosted": ("Sampled values of boosted trees as a black box", "shapley_sampled"),
    "sampled_wide": ("Sampled values, 40 columns", "shapley_sampled"),
    "overhead": ("What sampling costs beside the model", "shapley_sampled"),
    "first": ("First explanation in a fresh process", "shapley_process"),
    "threads": ("Two threads", "shapley_process"),
    "million": ("A million rows", "shapley_process"),
}
HEAD = ["case", "against", "asked", "reached", "met"]
ABOUT = (
    "One thread on every side, peer and whyglass in turn in one process, CPU time, ratios of the same turn, median over the turns; "
    "libraries are warmed first. A race counts only when both sides give the same answer, which each table states. Versions and the "
    "machine's load stand under each table. XGBoost from 3.4 on computes these values by a faster algorithm (asked there: 60x); it needs "
    "Python 3.12."
)
LIBRARIES = ("numpy", "numba", "shap", "xgboost-cpu", "xgboost", "lightgbm", "scikit-learn", "shapiq", "woodelf-explainer")


def measure(quick: bool, piece: str, kept: str = "") -> tuple[str, str]:
    """Measure one piece and give its text and the whole section, with the other pieces as they were in ``kept``."""
    title, module = PIECES[piece]
    before = os.getloadavg()[0]
    text = getattr(importlib.import_module(module), piece)(quick)
    today = dt.datetime.now(dt.UTC).date()
    said = f"Measured {today}, load {before:.1f} before and {os.getloadavg()[0]:.1f} after: {', '.join(_versions())}."
    pieces = _pieces(kept)
    pieces[title] = f"{text}\n\n{said}"
    known = [each for each, _ in PIECES.values() if each in pieces]
    lines = [line for each in known for line in _lines(pieces[each])]
    body = "\n\n".join(f"### {each}\n\n{pieces[each]}" for each in known)
    return pieces[title], f"{ABOUT}\n\n{table(HEAD, lines)}\n\n{body}"


def _versions() -> list[str]:
    found = []
    for library in LIBRARIES:
        try:
            found.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def _pieces(text: str) -> dict[str, str]:
    parts = re.split(r"^### (.+)$", text, flags=re.MULTILINE)[1:]
    return {title.strip(): body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}


def _lines(text: str) -> list[list[str]]:
    """The first columns of every table that states what was asked."""
    found, inside = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[: len(HEAD)] == HEAD:
            inside = True
        elif inside and not cells[0].startswith("---") and cells[2]:
            found.append(cells[: len(HEAD)])
    return found
