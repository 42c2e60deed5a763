"""Get the kernels ready off the click path: machine code from the disk cache, made by a child process when there is none.

The kernels that a click needs come first and are loaded here; those for many rows, interactions, deep trees against a
background and curves are only made, by a second child that gives way to everything else, and loaded when they are called.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np

from whyglass.kernels import (
    aside,
    background_segments,
    background_walk,
    bitsets,
    box_rehearsal,
    curve_walk,
    enumerate_forest,
    forest,
    leaf_cells,
    leaf_groups,
    leaf_tables,
    partial_dependence,
    product_walk,
    surrogate,
    surroundings,
    tree_interactions,
    tree_plan,
    tree_shap,
)

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

_lock = threading.Lock()
_CHILD = "from whyglass.kernels import warm; warm.call_first()"
_LATER = "import os\nif hasattr(os, 'nice'): os.nice(10)\nfrom whyglass.kernels import warm; warm.call_rest()"
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


class _TwoColumns(Stump):
    """The same over two columns."""

    n_features = 2


def first_kernels() -> tuple[Callable[..., Any], ...]:
    """What a click needs."""
    return (
        forest.add_leaves,
        tree_plan.write_plan,
        tree_plan.expected_sums,
        tree_plan.mark_up,
        tree_shap.explain_rows,
        enumerate_forest.explain_row,
    )


def other_kernels() -> tuple[Callable[..., Any], ...]:
    """What the first call with many rows, interactions, a background or curves needs."""
    return (
        tree_interactions.explain_rows,
        leaf_groups.survey,
        leaf_groups.choose,
        leaf_groups.describe,
        leaf_groups.uncovered,
        leaf_cells.fill_cells,
        leaf_tables.count_patterns,
        leaf_tables.explain_rows,
        background_segments.walk_trees,
        partial_dependence.write_runs,
        curve_walk.step_rows,
        partial_dependence.step_pairs,
        aside.step_aside,
        bitsets.search,
        bitsets.count_each,
        surrogate.add_moments,
        surrogate.add_scatter,
        product_walk.count_rows,
        product_walk.add_moments,
        surroundings.mean_nearest,
        *box_rehearsal.kernels(),
    )


def kernels() -> tuple[Callable[..., Any], ...]:
    """The functions that are compiled on their own and kept on disk."""
    return first_kernels() + other_kernels()


def call_first() -> None:
    """Call every kernel of ``first_kernels`` once with the types that it is always called with."""
    stump, row = Stump(), np.zeros((1, 1))
    forest.predict(stump, row)
    tree_shap.values(stump, row, leaves=stump.feature < 0)
    tree_shap.base(stump)
    enumerate_forest.values(stump, row[0], row)


def call_rest() -> None:
    """Call every kernel of ``other_kernels`` once, those asked for soonest first."""
    stump, row = Stump(), np.zeros((1, 1))
    leaf_tables.values(leaf_tables.build(stump, row), row)
    tree_interactions.interactions(stump, row)
    partial_dependence.curves(partial_dependence.prepare(stump, {0: row[0]}), row, lambda part, sums: None)  # noqa: ARG005
    background_walk.values(stump, row, row)
    two = _TwoColumns()
    aside.sums(stump, row, [0], np.zeros((1, 1, 2)))
    partial_dependence.surfaces(partial_dependence.prepare(two, {0: row[0], 1: row[0]}), np.zeros((1, 2)), lambda part, sums: None)  # noqa: ARG005
    _surrogates(stump, row)
    surroundings.mean_nearest(row, row, np.ones(1), 1, 0)
    _rules()
    box_rehearsal.rehearse(stump)


def _rules() -> None:
    """Look for one rule of one condition among one word of rows."""
    ones, sides = np.ones((1, 1), np.uint64), np.zeros(1, np.int32)
    one = bitsets.Conditions(ones, ones[0], np.ones(1, np.int64), sides, sides)
    bitsets.best_rules(one, np.array([0.5]), columns=1, visits=1, least=1)
    bitsets.count_each(one.sets, one.good, 1, np.zeros((1, 4), np.int64))


def _surrogates(stump: Stump, row: Any) -> None:
    case, walk = np.zeros((1, 1), np.int32), product_walk.build(stump, row, np.full(1, -1, np.int32))
    product_walk.moments(walk, product_walk.Cases(case, case, case, np.zeros((1, 1), np.uint8), case), 0.5)
    draws = surrogate.Draws(case, row, np.zeros(1, np.int8), np.ones(2))
    surrogate.moments(draws, case, surrogate.room(draws))
    surrogate.scatter(draws, case, surrogate.room(draws), np.zeros((1, 1, 2)))


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
    """Make the kernels ready: those of a click in this process, the others on disk; call it from a background thread.

    With a filled disk cache this loads machine code, some tens of milliseconds. With an empty one a child process compiles
    first, so that this process keeps its GIL; where no child can be started, this process compiles what a click needs. Of several
    processes one has its child compile: the others wait for the kernels of a click and leave the rest to it.
    """
    with _lock:
        _make(first_kernels(), _CHILD, wait=True)
        call_first()
        _make(other_kernels(), _LATER, wait=False)


def _make(wanted: tuple[Callable[..., Any], ...], code: str, *, wait: bool) -> None:
    """Let a child process compile what is not on disk; one that cannot start or fails leaves that to the first call here."""
    python = Path(sys.executable or "").name.lower().startswith("python")  # inside another program it names that program
    if not python or not _missing(wanted):
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired), _sign(wanted[0]) as sign:
        if not _claim(sign, wait=wait) or not _missing(wanted):
            return
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        command = [sys.executable, "-c", code]
        # the claim is the child's too: it outlives this process when that ends first, and the system drops it with the last of them
        kept = () if fcntl is None else (sign.fileno(),)
        subprocess.run(command, env=environment, check=False, capture_output=True, timeout=_PATIENCE, pass_fds=kept)  # noqa: S603


def _missing(wanted: tuple[Callable[..., Any], ...]) -> bool:
    return not all(on_disk(kernel) for kernel in wanted if cached(kernel))


def _sign(kernel: Any) -> IO[bytes]:
    """The file by which processes that share a cache folder agree on who compiles."""
    return (Path(kernel.stats.cache_path) / f"{kernel.py_func.__qualname__}.compiling").open("wb")


def _claim(sign: IO[bytes], *, wait: bool) -> bool:
    """Whether this process is the one to compile; where files cannot be locked every process is."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(sign, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
