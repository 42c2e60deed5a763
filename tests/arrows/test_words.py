"""No tracked text names a machine's path or a package registry's host."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

# put together here, so that this file does not hold them itself
WORDS = {
    "a path of one machine": [
        r"(?<![\w.])/" + "work/",
        r"(?<![\w.])/" + "root/",
        r"(?<![\w.])/" + "home/" + r"\w",
        r"(?<![\w.])/" + "tmp/" + r"\w",
    ],
    "a registry's host": [
        "pypi" + r"\.org",
        "pythonhosted" + r"\.org",
        "npmjs" + r"\.(org|com)",
        "debian" + r"\.org",
        "unpkg" + r"\.com",
        "jsdelivr" + r"\.net",
    ],
}


def found(text: str) -> list[str]:
    """Which banned words a text holds."""
    return [f"{what}: {m.group(0)}" for what, patterns in WORDS.items() for p in patterns for m in re.finditer(p, text)]


def tracked(root: Path) -> list[Path]:
    if (root / ".git").exists():
        listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
        return [root / name for name in listed.split("\0") if name and (root / name).is_file()]
    return [f for f in root.rglob("*") if f.is_file() and not {".venv", "node_modules"} & set(f.parts)]


def test_no_tracked_text_holds_a_banned_word(root):
    wrong = []
    for file in tracked(root):
        data = file.read_bytes()
        if b"\0" in data:
            continue
        wrong += [f"{file.relative_to(root).as_posix()}: {line}" for line in found(data.decode("utf-8"))]
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    [
        "see /" + "work/main",
        "cd '/" + "root/x'",
        "/" + "home/anna/data.csv",
        "https://" + "pypi" + ".org/simple",
        "registry.npm" + "js.org",
    ],
)
def test_a_banned_word_is_caught(text):
    assert found(text)


@pytest.mark.parametrize("text", ["network/workers", "src/tests/home", "the tmp_path fixture", "pip install whyglass"])
def test_ordinary_text_is_let_through(text):
    assert not found(text)
