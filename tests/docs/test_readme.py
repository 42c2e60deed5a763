"""What the README shows works when it is pasted, and what it links to is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def blocks(text: str, language: str) -> list[str]:
    """Fenced code of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """Targets of links and pictures that are paths of this tree."""
    found = re.findall(r"\]\(([^)#\s]+)", text)
    return [target for target in found if "://" not in target]


@pytest.mark.slow
def test_the_python_of_the_readme_runs(root, tmp_path):
    shown = blocks((root / "README.md").read_text(encoding="utf-8"), "python")
    assert len(shown) == 3
    script = tmp_path / "pasted.py"
    script.write_text("\n".join(shown).replace('view.on("case", print)', 'view.on("case", print)\nprint(len(rows), why.values.shape)'))
    done = subprocess.run([sys.executable, "-W", "error", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"3 \(500, 11, 1\)\nIF .+ THEN \$50K or less\n", done.stdout), done.stdout
    assert (tmp_path / "why.html").stat().st_size > 10_000


def test_the_readme_is_five_lines_and_two_imports(root):
    first = blocks((root / "README.md").read_text(encoding="utf-8"), "python")[0]
    lines = [line for line in first.splitlines() if line]
    assert sum(not line.startswith(("import", "from")) for line in lines) == 5


def test_the_commands_of_the_readme_are_targets(root):
    text = "".join((root / name).read_text(encoding="utf-8") for name in DOCUMENTS)
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b", "".join(re.findall(r"`[^`]*`|^```.*?^```", text, re.MULTILINE | re.DOTALL))))
    assert {"demo", "test", "check", "bench", "front"} <= named | {"bench"} <= targets


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_linked_is_there(root, name):
    found = links((root / name).read_text(encoding="utf-8"))
    assert [target for target in found if not (root / target).exists()] == []


def test_a_dead_link_is_found():
    assert links("see [this](docs/none.md) and ![that](x.png), not [there](https://example.org)") == ["docs/none.md", "x.png"]


def test_the_screenshot_comes_first(root):
    assert (root / "README.md").read_text(encoding="utf-8").startswith("![")


def test_the_version_is_said_once(root):
    import whyglass as wg

    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^version = "(.*)"', project, re.MULTILINE).group(1) == wg.__version__
    assert f"## {wg.__version__}" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_each_room_opens_with_what_lives_there(root):
    """The first lines of a room: what is there, what may not be, how to add one."""
    import ast

    for room in sorted((root / "src" / "whyglass").glob("*/__init__.py")):
        prose = ast.get_docstring(ast.parse(room.read_text(encoding="utf-8"))) or ""
        assert prose.count("\n") >= 6, Path(room.parent.name)
        assert "add" in prose, room.parent.name
