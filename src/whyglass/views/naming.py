"""What a view calls its model, its rows and their facts."""

from __future__ import annotations

import re
from typing import Any

from whyglass.core.model import Model
from whyglass.core.schema import Schema

DECISION = 0.5
WORDS = {"title": "", "subtitle": "", "outcome": "", "opposite": "", "noun": "cases", "unit": "", "average": ""}

ASKED = {
    "anchors": "rules",
    "counterfactual": "smallest changes",
    "pdp": "partial dependence",
    "ice": "individual curves",
    "ale": "accumulated effects",
    "lime": "LIME",
}  # what was asked for, by method


def words_of(model: Model | None) -> dict[str, Any]:
    """The labels given to ``wrap``, and empty ones where none were."""
    return {**WORDS, **(model.provenance.get("labels", {}) if model is not None else {})}


def counted(number: int, noun: str, kind: str = "") -> str:
    """How many, and of what kind: "2,000 held-out people", "1 person"."""
    one = "person" if noun == "people" else noun.removesuffix("s")
    return f"{number:,} {kind}{one if number == 1 else noun}"


def title_of(model: Model) -> str:
    """What a model is called where nobody named it."""
    return "A function" if "<" in model.name or model.name.endswith("lambda") else model.name


def in_page(reason: str) -> str:
    """A reason as a page writes it: shares as percentages, and no parameter of Python in brackets."""
    text = re.sub(r" \(\w+=[^()]*\)", "", reason)
    text = re.sub(r"(?<=\d) %", "%", text)
    text = re.sub(r"\b([01]\.\d+) to ([01]\.\d+), ([01](?:\.\d+)?) was asked", _between, text)
    return re.sub(r"\b(precision of|with confidence) ([01](?:\.\d+)?)(?![.\d]*\d)", lambda m: f"{m[1]} {_percent(m[2])}%", text)


def _between(found: re.Match[str]) -> str:
    low, high, asked = map(_percent, found.groups())
    return f"{low}\N{EN DASH}{high}%, {asked}% was asked"


def _percent(share: str) -> str:
    return f"{100 * float(share):.6g}"


def primary(schema: Schema, words: dict[str, Any]) -> list[int]:
    """Positions of the columns that stand first in a case's line: those named in the labels, else two telling ones."""
    names = schema.names
    wanted = [names.index(n) for n in words.get("primary", ()) if n in names]
    telling = [j for j, c in enumerate(schema.columns) if c.kind == "categorical" and c.role != "protected" and len(c.categories) > 2]
    return (wanted or telling or list(range(len(names))))[:2]
