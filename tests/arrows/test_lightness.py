"""Importing whyglass costs next to nothing: no third-party library but numpy, few modules of the standard library."""

from __future__ import annotations

import json
import subprocess
import sys

CAP = 60
PROBE = """
import json, sys
import numpy
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded(statement: str) -> list[str]:
    """Modules that the statement loads beyond numpy's own."""
    out = subprocess.run([sys.executable, "-c", PROBE.format(statement=statement)], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def heavy(modules: list[str]) -> list[str]:
    """What is wrong with a list of loaded modules, one line each."""
    foreign = sorted({m.split(".")[0] for m in modules} - sys.stdlib_module_names - {"whyglass", "numpy"})
    wrong = [f"loads {name}" for name in foreign]
    return wrong + ([f"loads {len(modules)} modules, {CAP} allowed: {modules}"] if len(modules) > CAP else [])


def test_import_is_light():
    modules = loaded("import whyglass")
    assert "whyglass" in modules
    assert heavy(modules) == []


def test_a_verb_is_found_without_loading_a_library():
    assert [
        line
        for line in heavy(loaded("import whyglass; whyglass.wrap, whyglass.explain, whyglass.show, whyglass.datasets"))
        if "loads " in line and " modules" not in line
    ] == []


def test_a_foreign_library_is_caught():
    assert "loads narwhals" in heavy(loaded("import whyglass, narwhals"))


def test_too_many_modules_are_caught():
    assert any(
        "60 allowed" in line
        for line in heavy(loaded("import whyglass, asyncio, http.server, email.mime.text, xml.etree.ElementTree, multiprocessing.pool"))
    )
