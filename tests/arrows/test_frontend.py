"""The arrows of the front end: views import parts, bridges import no view, parts import neither."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

# `import type` leaves nothing in what is shipped, so it is no arrow
STATEMENT = re.compile(
    r"""(?:^|[;\s])(?:import|export)\s(?!type\s)(?:[^'"`;]*?\sfrom\s*)?["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)"""
)
MAY = {"views": {"views", "parts", "styles"}, "parts": {"parts"}, "bridge": {"bridge", "parts", "styles"}}


def broken(source: Path) -> list[str]:
    """What the TypeScript under ``source`` imports against the arrows, one line each."""
    wrong = []
    for file in sorted(source.rglob("*.ts")):
        path = PurePosixPath(file.relative_to(source).as_posix())
        room = path.parts[0]
        if len(path.parts) == 1:
            continue
        if room not in MAY:
            wrong.append(f"{path}: {room!r} is no room of the front end")
            continue
        for match in STATEMENT.finditer(file.read_text(encoding="utf-8")):
            target = match.group(1) or match.group(2)
            if target.startswith(("http:", "https:", "//")):
                wrong.append(f"{path}: imports from the network: {target}")
            elif target.startswith("."):
                wrong += _inside(path, room, target)
    return wrong


def _inside(path: PurePosixPath, room: str, target: str) -> list[str]:
    parts: list[str] = list(path.parent.parts)
    for step in PurePosixPath(target).parts:
        if step == "..":
            parts = parts[:-1]
        elif step != ".":
            parts.append(step)
    other = parts[0] if parts else ""
    return [] if other in MAY[room] else [f"{path}: {room} imports {other} ({target})"]


def test_front_end_arrows(root):
    source = root / "frontend" / "src"
    assert list(source.rglob("*.ts")), "the front end has sources"
    assert broken(source) == []


SABOTAGE = {
    "views/a.ts": ('import { connect } from "../bridge/socket";', "views imports bridge"),
    "bridge/a.ts": ('import view from "../views/workbench.ts"', "bridge imports views"),
    "bridge/b.ts": ('const v = await import("../views/workbench");', "bridge imports views"),
    "parts/a.ts": ('export { x } from "../views/workbench"', "parts imports views"),
    "parts/deep/b.ts": ('import "../../bridge/socket";', "parts imports bridge"),
    "views/c.ts": ('import * as d3 from "https://cdn.example/d3.js";', "from the network"),
    "attic/a.ts": ("export {}", "no room"),
}


@pytest.mark.parametrize("path", SABOTAGE)
def test_a_broken_front_end_arrow_is_caught(tmp_path, path):
    source, said = SABOTAGE[path]
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(
        'import { h } from "preact";\nimport type { Model } from "../bridge/types";\n' if "deep" not in path and "attic" not in path else ""
    )
    assert "attic" in path or broken(tmp_path) == []
    with file.open("a") as more:
        more.write(source)
    assert any(said in line for line in broken(tmp_path))
