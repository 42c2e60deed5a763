"""Get the kernels ready off the click path: machine code from the disk cache, made by a child process when there is none."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from whyglass.kernels import (
    background_segments,
    background_walk,
    enumerate_forest,
    forest,
    leaf_cells,
    leaf_groups,
    leaf_tables,
    tree_interactions,
    tree_plan,
    tree_shap,
)

_lock = threading.Lock()
_CHILD = "from whyglass.kernels.warm import call_all; call_all()"
_PATIENCE = 300.0  # seconds a child may compile before this process does it itself


class Stump:
    """The smallest forest that reaches every kernel: one numeric split."""

    roots = np.zeros(1, np.int32)
    feature = np.array([0, -1, -1], np.int32)
    threshold = np.zeros(3)
    left = np.array([1, -1, -1], np.int32)
    right = np.array([2, -1, -1], np.int32)
    missing_left = np.zeros(3, np.bool_)
    unseen_left = np.zeros(3, np.bool_)
    category_start = np.full(3, -1, np.int32)
    category_count = np.zeros(3, np.int32)
    category_bits = np.zeros(0, np.uint32)
    cover = np.array([2.0, 1.0, 1.0])
    value = np.array([[0.0], [-1.0], [1.0]])
    tree_output = np.zeros(1, np.int32)
    base = np.zeros(1)
    n_features = 1


def kernels() -> tuple[Callable[..., Any], ...]:
    """The functions that are compiled on their own and kept on disk."""
    return (
        forest.add_leaves,
        tree_plan.write_plan,
        tree_plan.expected_sums,
        tree_plan.mark_up,
        tree_shap.explain_rows,
        tree_interactions.explain_rows,
        leaf_groups.survey,
        leaf_groups.choose,
        leaf_groups.describe,
        leaf_groups.uncovered,
        leaf_cells.fill_cells,
        leaf_tables.count_patterns,
        leaf_tables.explain_rows,
        enumerate_forest.explain_row,
        background_segments.walk_trees,
    )


def call_all() -> None:
    """Call every kernel once with the types that they are always called with."""
    stump, row = Stump(), np.zeros((1, 1))
    forest.predict(stump, row)
    tree_shap.values(stump, row, leaves=stump.feature < 0)
    tree_interactions.interactions(stump, row)
    leaf_tables.values(leaf_tables.build(stump, row), row)
    enumerate_forest.values(stump, row[0], row)
    background_walk.values(stump, row, row)


def cached(kernel: Any) -> bool:
    """Whether machine code of a kernel is kept at all: not with the compiler off, nor where no folder can be written to."""
    return getattr(getattr(kernel, "stats", None), "cache_path", None) is not None


def on_disk(kernel: Any) -> bool:
    """Whether machine code of a kernel that is younger than its source is in the disk cache."""
    source = Path(kernel.py_func.__code__.co_filename)
    name = kernel.py_func.__qualname__
    found = Path(kernel.stats.cache_path).glob(f"{source.stem}.{name}-*.nbi")
    return any(entry.stat().st_mtime >= source.stat().st_mtime for entry in found)


def warm() -> None:
    """Make the kernels ready in this process; call it from a background thread.

    With a filled disk cache this loads machine code, some tens of milliseconds. With an empty one a child process compiles
    first, so that this process keeps its GIL; where no child can be started, this process compiles.
    """
    with _lock:
        python = Path(sys.executable or "").name.lower().startswith("python")  # inside another program it names that program
        if python and not all(on_disk(kernel) for kernel in kernels() if cached(kernel)):
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
            command = [sys.executable, "-c", _CHILD]
            # a child that cannot start or fails leaves the cache empty, and the calls below compile here
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(command, env=environment, check=False, capture_output=True, timeout=_PATIENCE)  # noqa: S603
        call_all()
