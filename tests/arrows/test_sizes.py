"""Caps on what one file, function, class and signature may hold."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FILE, FUNCTION, METHODS, PARAMETERS = 500, 60, 12, 7
VERBS = frozenset({"wrap", "explain", "trace", "audit", "show", "serve", "watch"})
FOLDERS = ("src", "tests", "bench", "examples", "frontend/src", "frontend/test")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def parameters(node: Function) -> int:
    """How many arguments a caller can give."""
    a = node.args
    names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    return len([n for n in names if n not in {"self", "cls"}]) + (a.vararg is not None) + (a.kwarg is not None)


def code_lines(node: Function) -> int:
    """Lines from the ``def`` to the end, the docstring not counted: it teaches, and may be as long as it takes."""
    first = node.body[0]
    told = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node, clean=False) is not None else 0
    return (node.end_lineno or 0) - node.lineno + 1 - told


def public_methods(node: ast.ClassDef) -> int:
    """Methods without underscore; properties are data."""
    methods = [n for n in node.body if isinstance(n, Function) and not n.name.startswith("_")]
    return len([m for m in methods if not any("property" in ast.unparse(d) or "setter" in ast.unparse(d) for d in m.decorator_list)])


def too_big(file: Path, name: str) -> list[str]:
    """What of a file is above its cap, one line each."""
    text = file.read_text(encoding="utf-8")
    lines = text.count("\n")
    wrong = [f"{name}: {lines} lines, {FILE} allowed"] if lines > FILE else []
    if file.suffix != ".py":
        return wrong
    verbs = VERBS if file.name == "facade.py" else frozenset()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function):
            length = code_lines(node)
            if length > FUNCTION:
                wrong.append(f"{name}:{node.lineno}: {node.name} has {length} lines, {FUNCTION} allowed")
            if parameters(node) > PARAMETERS and node.name not in verbs:
                wrong.append(f"{name}:{node.lineno}: {node.name} takes {parameters(node)} parameters, {PARAMETERS} allowed")
        elif isinstance(node, ast.ClassDef) and public_methods(node) > METHODS:
            wrong.append(f"{name}:{node.lineno}: {node.name} has {public_methods(node)} public methods, {METHODS} allowed")
    return wrong


def sources(root: Path) -> list[Path]:
    files = [f for folder in FOLDERS for f in (root / folder).rglob("*") if f.suffix in {".py", ".ts", ".mjs"}]
    return [f for f in files if "node_modules" not in f.parts and "build" not in f.parts]


def test_nothing_is_above_its_cap(root):
    assert [line for file in sources(root) for line in too_big(file, file.relative_to(root).as_posix())] == []


SABOTAGE = {
    "long file": ("x = 1\n" * 501, "501 lines"),
    "long function": ("def f():\n" + "    x = 1\n" * 60, "61 lines"),
    "long function with a docstring": ('def f():\n    """What.\n\n    Why.\n    """\n' + "    x = 1\n" * 60, "61 lines"),
    "many parameters": ("def f(a, b, c, d, e, *, f, g, h): ...", "8 parameters"),
    "many parameters with rest": ("def f(a, b, c, d, e, f, g, **rest): ...", "8 parameters"),
    "many methods": ("class A:\n" + "".join(f"    def m{i}(self): ...\n" for i in range(13)), "13 public methods"),
    "a verb outside the facade": ("def wrap(a, b, c, d, e, f, g, h): ...", "8 parameters"),
}


@pytest.mark.parametrize("case", SABOTAGE)
def test_what_is_too_big_is_caught(tmp_path, case):
    source, said = SABOTAGE[case]
    file = tmp_path / "bad.py"
    file.write_text(source)
    assert any(said in line for line in too_big(file, "bad.py"))


def test_what_fits_is_let_through(tmp_path):
    file = tmp_path / "facade.py"
    file.write_text(
        "def wrap(a, b, c, d, e, f, g, h): ...\n"
        "class A:\n"
        + "".join(f"    def m{i}(self): ...\n    @property\n    def p{i}(self): ...\n    def _q{i}(self): ...\n" for i in range(12))
    )
    assert too_big(file, "facade.py") == []
