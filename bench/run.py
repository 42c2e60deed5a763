"""whyglass beside its peers. Run: make bench, or: python bench/run.py [--quick] [--only shapley,local,imports,view,sizes]

Prints what it measures and writes bench/RESULTS.md; it never decides whether anything passes. A part made of pieces can be
measured piece by piece, e.g. --only shapley.trees,shapley.first; the other pieces keep their last results.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import os
import re
import sys
from pathlib import Path

from harness import machine

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
PARTS = {
    "shapley": "Shapley values: the figures to reach",
    "local": "Surrogates, rules, counterfactuals and effects: the figures to reach",
    "imports": "Import and first answer",
    "view": "The live view beside explainerdashboard",
    "sizes": "Bytes",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small models and few turns, to see that it runs; writes nothing")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, by comma; the others keep their last results")
    parser.add_argument("--into", type=Path, help="another page to read and write instead of RESULTS.md, with --quick too")
    given = parser.parse_args()
    file = given.into or HERE / "RESULTS.md"
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    kept = _sections(before)
    asked = _pieces(given.only.split(","))
    # pieces state their own versions: those of the other parts stay as they were
    where = _where(before) if all(piece for _, piece in asked) else machine()
    today = dt.datetime.now(dt.UTC).date()
    for part, piece in asked:
        title, module = PARTS[part], importlib.import_module(part)
        if piece:
            text, kept[title] = module.measure(given.quick, piece, kept.get(title, ""))
        else:
            text = module.measure(given.quick)
            kept[title] = f"{text}\n\nMeasured {today}."
        print(f"## {title}\n\n{text}\n", flush=True)
        body = "\n\n".join(f"## {title}\n\n{kept[title]}" for title in PARTS.values() if title in kept)
        if given.into or not given.quick:
            file.write_text(f"# whyglass beside its peers\n\n`make bench` writes this page.\n\n{where}\n\n{body}\n", encoding="utf-8")
    print(machine())


def _pieces(asked: list[str]) -> list[tuple[str, str]]:
    """(part, piece) of all that is asked for; the piece is empty for parts measured in one go."""
    found = []
    for name in asked:
        part, _, piece = name.partition(".")
        if part not in PARTS:
            sys.exit(f"There is no part {part!r}, only: {', '.join(PARTS)}.")
        pieces = getattr(importlib.import_module(part), "PIECES", {"": None})
        if piece and piece not in pieces:
            sys.exit(f"{part} has no piece {piece!r}, only: {', '.join(pieces)}.")
        found += [(part, each) for each in ([piece] if piece else pieces)]
    return found


def _where(text: str) -> str:
    """The machine and the versions of an earlier page."""
    parts = text.split("\n\n")
    return parts[2] if len(parts) > 3 else machine()


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return {title.strip(): body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}


if __name__ == "__main__":
    main()
