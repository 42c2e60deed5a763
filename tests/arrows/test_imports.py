"""The arrows of the house: which room may import what, read from the source."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

FACE = frozenset({"__init__", "facade", "choice", "batches", "callbacks", "cli", "peers", "__main__"})
ROOMS = {
    # room: (rooms of whyglass, foreign libraries) it may import
    "core": ({"core"}, {"numpy"}),
    "datasets": ({"datasets", "core"}, {"numpy"}),
    "kernels": ({"kernels"}, {"numpy", "numba"}),
    "explainers": ({"explainers", "core", "kernels"}, {"numpy"}),
    "audits": ({"audits", "core", "kernels"}, {"numpy"}),
    "adapters": ({"adapters", "core"}, {"numpy"}),
    "views": ({"views", "core"}, {"numpy", "pyarrow"}),
    "hosts": ({"hosts", "core"}, {"numpy"}),
    "records": ({"records", "core", "audits"}, {"numpy"}),
    "serving": ({"serving", "core", "records"}, {"numpy"}),
}
# adapters and hosts: a foreign library is imported in its own file, or in files that begin with its name
OWN = {
    "adapters/frames": {"narwhals", "pandas", "polars", "pyarrow"},
    "adapters/formats": {"pyarrow"},
    "adapters/stream": {"pyarrow"},
    "adapters/shap": {"shap"},
    "adapters/models/sklearn": {"sklearn", "scipy"},
    "adapters/models/xgboost": {"xgboost"},
    "adapters/models/lightgbm": {"lightgbm"},
    "adapters/models/catboost": {"catboost"},
    "adapters/models/onnx": {"onnx", "onnxruntime"},
    "adapters/models/files": {"skops", "xgboost", "lightgbm", "catboost", "onnx", "sklearn"},
    "adapters/models/demo": {"sklearn", "pandas"},
    "hosts/jupyter": {"anywidget", "traitlets", "IPython"},
    "hosts/marimo": {"marimo", "anywidget", "traitlets"},
    "hosts/streamlit": {"streamlit"},
    "hosts/web": {"starlette", "uvicorn", "websockets"},
}
BY_NAME = {"import_module", "__import__", "exec_module", "run_module", "find_loader"}


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    module: str
    line: int
    lazy: bool
    relative: bool = False


def imports(tree: ast.AST) -> list[Import]:
    """Every import of a file; lazy ones stand in a function or under TYPE_CHECKING."""
    found: list[Import] = []

    def visit(node: ast.AST, lazy: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(a.name, node.lineno, lazy) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found.extend(Import(f"{base}.{a.name}" if base else a.name, node.lineno, lazy, node.level > 0) for a in node.names)
        inner = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        inner = inner or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for child in ast.iter_child_nodes(node):
            visit(child, inner)

    visit(tree, lazy=False)
    return found


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def own(path: str) -> set[str]:
    return next((libs for stem, libs in OWN.items() if path.startswith(stem)), set())


def broken_arrows(package: Path) -> list[str]:
    """What a tree of the package does against the table, one line each."""
    wrong = []
    for file in sorted(package.rglob("*.py")):
        path = file.relative_to(package).as_posix()
        room = path.split("/")[0].removesuffix(".py")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if room not in ROOMS and room not in FACE:
            wrong.append(f"{path}: {room!r} is no room of the house")
            continue
        wrong += [f"{path}:{i.line}: relative import" for i in imports(tree) if i.relative]
        wrong += _foreign(path, room, tree) + _inside(path, room, tree, package) + _by_name(path, tree)
    return wrong


def _foreign(path: str, room: str, tree: ast.AST) -> list[str]:
    allowed = ROOMS[room][1] | own(path) if room in ROOMS else {"numpy"}
    tops = [(i.module.split(".")[0], i.line) for i in imports(tree) if not i.relative]
    return [
        f"{path}:{line}: imports {top}"
        for top, line in tops
        if top not in sys.stdlib_module_names and top != "whyglass" and top not in allowed
    ]


def _inside(path: str, room: str, tree: ast.AST, package: Path) -> list[str]:
    wrong = []
    for i in imports(tree):
        if i.relative or i.module.split(".")[0] != "whyglass":
            continue
        other = room_of(i.module)
        exists = other in ROOMS or (package / f"{other}.py").exists()
        lazy_face = room in FACE and (i.lazy or not exists)
        if not lazy_face and other not in (ROOMS[room][0] if room in ROOMS else {"core", *FACE}):
            wrong.append(f"{path}:{i.line}: {room} imports {other}")
    return wrong


def _by_name(path: str, tree: ast.AST) -> list[str]:
    if path == "core/registry.py":
        return []
    names = [(n.id, n.lineno) for n in ast.walk(tree) if isinstance(n, ast.Name)]
    names += [(n.attr, n.lineno) for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
    names += [(a.name, n.lineno) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names]
    return [f"{path}:{line}: imports by name ({name})" for name, line in names if name in BY_NAME]


def cycles(package: Path) -> list[str]:
    """Eager imports that lead back to where they began."""
    files = {_dotted(f, package): f for f in package.rglob("*.py")}
    graph = {
        name: {t for i in imports(ast.parse(f.read_text(encoding="utf-8"))) if not i.lazy and (t := _target(i.module, files))} - {name}
        for name, f in files.items()
    }
    found, done = [], set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            found.append(" -> ".join((*trail[trail.index(name) :], name)))
        elif name not in done:
            for other in sorted(graph[name]):
                walk(other, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        walk(name, ())
    return found


def _dotted(file: Path, package: Path) -> str:
    parts = ("whyglass", *file.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _target(module: str, files: dict[str, Path]) -> str | None:
    while module:
        if module in files:
            return module
        module = module.rpartition(".")[0]
    return None


@pytest.fixture
def package(root):
    return root / "src" / "whyglass"


def test_every_import_is_an_arrow_of_the_table(package):
    assert broken_arrows(package) == []


def test_no_cycles(package):
    assert cycles(package) == []


SABOTAGE = {
    "kernels/bad.py": ("from whyglass.core.forest import Forest", "kernels imports core"),
    "core/bad.py": ("def f():\n    import pandas", "imports pandas"),
    "core/bad2.py": ("from whyglass.views import workbench", "core imports views"),
    "datasets/bad.py": ("from whyglass.adapters.frames import build", "datasets imports adapters"),
    "explainers/bad.py": ("def f():\n    from whyglass.adapters import frames", "explainers imports adapters"),
    "explainers/shapley/bad.py": ("import sklearn.linear_model", "imports sklearn"),
    "views/bad.py": ("import pandas as pd", "imports pandas"),
    "views/bad2.py": ("from whyglass.hosts import web", "views imports hosts"),
    "hosts/web.py": ("import streamlit", "imports streamlit"),
    "hosts/bad.py": ("from whyglass.views.workbench import build", "hosts imports views"),
    "adapters/models/xgboost.py": ("import lightgbm", "imports lightgbm"),
    "adapters/bad.py": ("import whyglass.explainers.lime", "adapters imports explainers"),
    "audits/bad.py": ("import matplotlib.pyplot", "imports matplotlib"),
    "facade.py": ("from whyglass.kernels.tree import walk", "facade imports kernels"),
    "cli.py": ("import narwhals", "imports narwhals"),
    "core/bad3.py": ("from . import forest", "relative import"),
    "views/bad3.py": ("import importlib\nm = importlib.import_module('x')", "imports by name"),
    "hosts/bad2.py": ("from importlib import import_module", "imports by name"),
    "attic/bad.py": ("x = 1", "no room of the house"),
}


@pytest.mark.parametrize("path", SABOTAGE)
def test_a_broken_arrow_is_caught(tmp_path, path):
    source, said = SABOTAGE[path]
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("")
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    assert broken_arrows(tmp_path) == []
    file.write_text(source)
    assert any(said in line for line in broken_arrows(tmp_path))


def test_a_cycle_is_caught(tmp_path):
    core = tmp_path / "core"
    core.mkdir()
    (core / "a.py").write_text("from whyglass.core.b import x")
    (core / "b.py").write_text("from whyglass.core import c")
    (core / "c.py").write_text("def f():\n    from whyglass.core import a")
    assert cycles(tmp_path) == []
    (core / "c.py").write_text("from whyglass.core import a")
    assert cycles(tmp_path) == ["whyglass.core.a -> whyglass.core.b -> whyglass.core.c -> whyglass.core.a"]
