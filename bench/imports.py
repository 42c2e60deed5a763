"""What importing costs, and how soon the first exact answer is there: fresh processes in turn."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from harness import seconds, table

PROBE = """
import json, sys, time, resource
{before}
modules, wall, cpu = set(sys.modules), time.perf_counter(), time.process_time()
{statement}
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, len(set(sys.modules) - modules)]))
"""
READY = """
import numpy as np, pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(2000, 11)), columns=[f"c{i}" for i in range(11)])
y = (X["c0"] * X["c1"] > 0).astype(int)
clf = HistGradientBoostingClassifier(max_iter=100).fit(X, y)
for name in [name for name in sys.modules if name.split(".")[0] in ("numba", "llvmlite")]:
    raise SystemExit("numba is already loaded: " + name)
"""
FIRST = """
import whyglass as wg
why = wg.explain(wg.wrap(clf, X, y), X[:1])
assert why.exact
"""


def probe(statement: str, before: str = "") -> list[float] | None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(before=before, statement=statement)], capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def measure(quick: bool) -> str:
    turns = 3 if quick else 9
    names = [name for name in ("whyglass", "numpy", "shap", "interpret", "explainerdashboard") if probe(f"import {name}") is not None]
    taken: dict[str, list[list[float]]] = {name: [] for name in names}
    for _ in range(turns):
        for name in names:
            taken[name].append(probe(f"import {name}") or [])
    lines = [
        [f"`import {name}`", seconds(statistics.median(t[1] for t in taken[name])), str(int(statistics.median(t[2] for t in taken[name])))]
        for name in names
    ]
    probe(FIRST, READY)
    first = [f for f in (probe(FIRST, READY) for _ in range(turns)) if f is not None]
    wall, cpu = (statistics.median(f[i] for f in first) for i in (0, 1))
    return (
        f"Fresh processes in turn, median of {turns}.\n\n{table(['', 'CPU time', 'modules loaded'], lines)}\n\n"
        f"From `import whyglass` to the exact values of the first case of a 100-tree HistGradientBoostingClassifier, kernels already on "
        f"disk, numpy, pandas and scikit-learn already imported: **{seconds(wall)}** wall, {seconds(cpu)} CPU."
    )
