"""A section of the page that is measured piece by piece: the pieces measured before stay, a table in front collects the figures.

Every piece gives a table whose first five columns are HEAD: the case, the peer, what was asked for, what was reached, and whether
that is enough; the section's first table collects these columns.
"""

from __future__ import annotations

import datetime as dt
import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

from harness import table

HEAD = ["case", "against", "asked", "reached", "met"]


@dataclass(frozen=True)
class Section:
    """What is said above the figures, the pieces as name -> (title, module with a function of that name), libraries to name."""

    about: str
    pieces: Mapping[str, tuple[str, str]]
    libraries: tuple[str, ...]

    def measure(self, quick: bool, piece: str, kept: str = "") -> tuple[str, str]:
        """Measure one piece and give its text and the whole section, with the other pieces as they were in ``kept``."""
        title, module = self.pieces[piece]
        before = os.getloadavg()[0]
        text = getattr(importlib.import_module(module), piece)(quick)
        today = dt.datetime.now(dt.UTC).date()
        said = f"Measured {today}, load {before:.1f} before and {os.getloadavg()[0]:.1f} after: {', '.join(self._versions())}."
        pieces = _pieces(kept)
        pieces[title] = f"{text}\n\n{said}"
        known = [each for each, _ in self.pieces.values() if each in pieces]
        lines = [line for each in known for line in _lines(pieces[each])]
        body = "\n\n".join(f"### {each}\n\n{pieces[each]}" for each in known)
        return pieces[title], f"{self.about}\n\n{table(HEAD, lines)}\n\n{body}"

    def _versions(self) -> list[str]:
        found = []
        for library in self.libraries:
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
