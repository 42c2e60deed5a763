"""whyglass beside its peers. Run: make bench, or: python bench/run.py [--quick] [--only tree_shap,imports,view,sizes]

Prints what it measures and writes bench/RESULTS.md; it never decides whether anything passes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
PARTS = {
    "tree_shap": "Exact tree SHAP",
    "imports": "Import and first answer",
    "view": "The live view beside explainerdashboard",
    "sizes": "Bytes",
}


def main() -> None:
    from harness import machine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small models and few turns, to see that it runs; writes nothing")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, by comma; the others keep their last results")
    given = parser.parse_args()
    file = HERE / "RESULTS.md"
    kept = _sections(file.read_text(encoding="utf-8")) if file.exists() else {}
    today = dt.datetime.now(dt.UTC).date()
    for part in given.only.split(","):
        text = importlib.import_module(part).measure(given.quick)
        print(f"## {PARTS[part]}\n\n{text}\n", flush=True)
        kept[PARTS[part]] = f"{text}\n\nMeasured {today}."
        body = "\n\n".join(f"## {title}\n\n{kept[title]}" for title in PARTS.values() if title in kept)
        if not given.quick:
            file.write_text(f"# whyglass beside its peers\n\n`make bench` writes this page.\n\n{machine()}\n\n{body}\n", encoding="utf-8")
    print(machine())


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return {title.strip(): body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}


if __name__ == "__main__":
    main()
