"""Races in fresh processes and on two threads."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import seconds, table
from shapley_data import Scale, forest, xgb
from shapley_data import table as data

import whyglass as wg

HEAD = ["case", "against", "asked", "reached", "met"]
# the clock stands still while the model's own library is imported and the model read from disk
FRESH = """
import sys, time
wall, cpu = time.perf_counter(), time.process_time()
import numpy, numba
import whyglass as wg
taken = [time.perf_counter() - wall, time.process_time() - cpu]
import json, xgboost
booster = xgboost.Booster(model_file=sys.argv[1])
row = numpy.load(sys.argv[2])
wall, cpu = time.perf_counter(), time.process_time()
why = wg.explain(wg.wrap(booster), row)
assert why.exact
print(json.dumps([taken[0] + time.perf_counter() - wall, taken[1] + time.process_time() - cpu, *taken]))
"""

# peak memory before and after, the result's own bytes, seconds
MILLION = """
import json, sys, time
import numpy, xgboost
import whyglass as wg
def peak():  # not getrusage, which remembers the process that started this one
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
booster = xgboost.Booster(model_file=sys.argv[1])
rng = numpy.random.default_rng(0)
rows = rng.normal(size=(int(sys.argv[2]), 12))
model = wg.wrap(booster, rows[:200])
wg.explain(model, rows[:5000], method="shap.tree")
before = peak()
wall, cpu = time.perf_counter(), time.process_time()
why = wg.explain(model, rows, method="shap.tree")
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
own = why.values.nbytes + why.base_values.nbytes + why.predictions.nbytes
print(json.dumps([peak() - before, own, wall, cpu]))
"""


def first(quick: bool) -> str:
    scale = Scale(quick)
    turns = 3 if quick else 9
    X, _ = data()
    with tempfile.TemporaryDirectory() as folder:
        model, row = str(Path(folder, "model.json")), str(Path(folder, "row.npy"))
        xgb(scale.trees).save_model(model)
        np.save(row, X[:1])
        kept = {"NUMBA_CACHE_DIR": str(Path(folder, "kernels")), "PYTHONPYCACHEPREFIX": str(Path(folder, "bytecode"))}
        # an installed package has its bytecode beside it, so nothing is left to be parsed anew in every process
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | kept

        def once() -> list[float]:
            done = subprocess.run([sys.executable, "-c", FRESH, model, row], env=environment, capture_output=True, text=True, check=True)
            return json.loads(done.stdout.splitlines()[-1])

        empty = once()
        everything = (
            "from whyglass.kernels import warm; warm.call_first(); warm.call_rest()"  # or a child goes on compiling beside the clock
        )
        subprocess.run([sys.executable, "-c", everything], env=environment, capture_output=True, check=True)
        once()
        found = [once() for _ in range(turns)]
    wall, cpu, imports, _ = (statistics.median(f[i] for f in found) for i in range(4))
    walls = sorted(f[0] for f in found)
    line = [
        f"first explanation in a fresh process, kernel cache filled, XGB {scale.trees} x 6, one row",
        "the clock",
        "0.8 s or less",
        f"**{seconds(wall)}**",
        "yes" if wall <= 0.8 else "no",
        seconds(cpu),
        f"{seconds(walls[0])} to {seconds(walls[-1])}",
        seconds(imports),
        seconds(empty[0]),
    ]
    note = (
        f"Wall time, median of {turns} processes: importing numpy, numba and whyglass, wrapping the booster, explaining one row. Starting "
        "Python, importing xgboost and reading the model's file are left out."
    )
    head = [*HEAD, "CPU time", "in single processes", "of which imports", "with an empty cache"]
    return f"{table(head, [line])}\n\n{note}"


def threads(quick: bool) -> str:
    scale = Scale(quick)
    X, _ = data()
    booster, deep = xgb(scale.trees), forest(scale.bagged(50), None)
    background = X[-100:]
    cases = {
        f"XGB {scale.trees} x depth 6 path-dependent": (booster, scale.rows(20_000), "shap.tree", {}),
        f"RF {scale.bagged(50)} unlimited path-dependent": (deep, scale.rows(4_000), "shap.tree", {}),
        f"RF {scale.bagged(50)} unlimited interventional, 100 background rows": (
            deep,
            scale.rows(4_000),
            "shap.tree.interventional",
            {"background": background},
        ),
    }
    return _scaling(cases, X, scale.turns)


def _scaling(cases: dict[str, tuple], X: np.ndarray, turns: int) -> str:
    lines = []
    for name, (model, count, method, told) in cases.items():
        wrapped, rows = wg.wrap(model, X[:200]), X[:count]

        def explain(threads: int, wrapped=wrapped, rows=rows, method=method, told=told) -> np.ndarray:
            return wg.explain(wrapped, rows, method=method, executor=wg.Executor(threads=threads), **told).values

        try:
            same = np.array_equal(explain(1), explain(2))
        except Exception as error:  # noqa: BLE001  (a case that cannot be run is reported, and the others still run)
            lines.append([f"two threads, {name}", "one thread", "1.7x", "not run", "no", str(error)[:120]])
            continue
        wall: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(turns):
            for threads in (1, 2) if turn % 2 == 0 else (2, 1):
                start = time.perf_counter()
                explain(threads)
                wall[threads].append(time.perf_counter() - start)
        reached = statistics.median(a / b for a, b in zip(wall[1], wall[2], strict=True))
        met = "yes" if reached >= 1.7 and same else "no"
        lines.append(
            [
                f"two threads, {name}",
                "one thread",
                "1.7x",
                f"**{reached:.2f}x**",
                met,
                *(seconds(statistics.median(wall[t])) for t in (1, 2)),
                "yes" if same else "no",
                f"{os.getloadavg()[0]:.1f}",
            ]
        )
    head = [*HEAD, "one thread", "two threads", "same bits", "load at the end"]
    return f"{table(head, lines)}\n\nWall time on {os.cpu_count()} cores; other work on the machine lowers it."


def million(quick: bool) -> str:
    scale = Scale(quick)
    count = scale.rows(1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder, "model.json"))
        xgb(scale.trees).save_model(model)
        done = subprocess.run([sys.executable, "-c", MILLION, model, str(count)], capture_output=True, text=True, check=True)
    more, own, wall, cpu = json.loads(done.stdout.splitlines()[-1])
    beyond = (more - own) / 1e9
    line = [
        f"{count:,} rows x 12 columns, XGB {scale.trees} x 6: memory beyond the result",
        "the bound",
        "1 GB or less",
        f"**{beyond:.2f} GB**",
        "yes" if beyond <= 1 else "no",
        f"{own / 1e9:.2f} GB",
        seconds(wall),
        seconds(cpu),
    ]
    note = "Growth of the process's peak memory during one call, less the result's own arrays; one process, as many threads as cores."
    return f"{table([*HEAD, 'the result', 'wall time', 'CPU time'], [line])}\n\n{note}"
