"""How everything here is measured: peer and whyglass in turn, in one process, CPU time, medians, ratios of the same turn."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

Job = Callable[[], object]


@dataclass
class Turns:
    """CPU and wall seconds of each competitor, turn by turn."""

    cpu: dict[str, list[float]] = field(default_factory=dict)
    wall: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return statistics.median(self.cpu[name])

    def ratio(self, peer: str, ours: str) -> float:
        """Median over the turns of peer / ours."""
        return statistics.median(p / o for p, o in zip(self.cpu[peer], self.cpu[ours], strict=True))


def take_turns(jobs: dict[str, Job], turns: int = 7) -> Turns:
    """Run each job once unmeasured, then ``turns`` times in turn; the order is turned round each time."""
    result = Turns({name: [] for name in jobs}, {name: [] for name in jobs})
    for job in jobs.values():
        job()
    names = list(jobs)
    for turn in range(turns):
        for name in names if turn % 2 == 0 else reversed(names):
            wall, cpu = time.perf_counter(), time.process_time()
            jobs[name]()
            result.cpu[name].append(time.process_time() - cpu)
            result.wall[name].append(time.perf_counter() - wall)
    return result


def seconds(value: float) -> str:
    """A time as a person reads it."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-6:.3g} µs"


def table(head: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def machine() -> str:
    """The machine and the versions, in two lines."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    libraries = (
        "numpy",
        "numba",
        "scikit-learn",
        "xgboost",
        "xgboost-cpu",
        "lightgbm",
        "shap",
        "shapiq",
        "woodelf-explainer",
        "pandas",
        "pyarrow",
    )
    versions = []
    for library in libraries:
        try:
            versions.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            continue
    where = f"{name or platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}."
    return f"{where}\n{', '.join(versions)}."
