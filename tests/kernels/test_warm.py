"""Kernels are ready before they are needed, and compiling them leaves the caller's interpreter alone."""

import os
import subprocess
import sys

import pytest

from whyglass.kernels import forest, warm

COMPILER = hasattr(forest.add_leaves, "stats")


@pytest.mark.uncompiled
def test_it_can_be_called_again_and_again():
    warm.call_first()
    warm.call_rest()
    warm.warm()
    warm.warm()


def test_what_it_warmed_is_on_disk():
    if not COMPILER:
        pytest.skip("the compiler is off")
    warm.warm()
    assert all(warm.on_disk(kernel) for kernel in warm.kernels())


def test_an_empty_cache_starts_a_child_and_survives_its_failure(monkeypatch):
    if not COMPILER:
        pytest.skip("the compiler is off")
    asked = []

    def fail(command, **options):
        asked.append(command)
        msg = "no child today"
        raise OSError(msg)

    monkeypatch.setattr(warm, "on_disk", lambda *_: False)
    monkeypatch.setattr(warm.subprocess, "run", fail)
    warm.warm()
    assert [command[0] for command in asked] == [sys.executable] * 2
    assert "call_first" in asked[0][2]
    assert "call_rest" in asked[1][2]


def test_a_read_only_place_keeps_nothing_and_works(tmp_path):
    """A file in a folder that cannot exist: numba finds no place for its cache."""
    code = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "from whyglass.kernels import forest, warm\n"
        "import numpy as np\n"
        "assert not any(warm.cached(k) for k in warm.kernels())\n"
        "assert forest.predict(warm.Stump(), np.zeros((1, 1))).tolist() == [[-1.0]]\n"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_child_compiles_and_the_caller_only_loads(tmp_path):
    if not COMPILER:
        pytest.skip("the compiler is off")
    code = (
        "from whyglass.kernels import warm\nwarm._LATER = 'pass'\nwarm.warm()\n"
        "first = warm.first_kernels()\n"
        "assert all(not k.stats.cache_misses and k.stats.cache_hits for k in first), [k.stats for k in first]\n"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
