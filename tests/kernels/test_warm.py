"""Kernels are ready before they are needed, and compiling them leaves the caller's interpreter alone."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from whyglass.kernels import forest, warm

COMPILER = hasattr(forest.add_leaves, "stats")


@pytest.mark.uncompiled
def test_it_can_be_called_again_and_again():
    warm.call_first()
    warm.call_rest()
    warm.warm()
    warm.warm()
    assert forest.predict(warm.Stump(), np.zeros((1, 1))).tolist() == [[-1.0]]


def test_what_was_called_is_on_disk():
    if not COMPILER:
        pytest.skip("the compiler is off")
    warm.call_first()
    warm.call_rest()
    assert all(warm.on_disk(kernel) for kernel in warm.kernels())


def test_an_empty_cache_starts_a_child_and_survives_its_failure(monkeypatch, tmp_path):
    if not COMPILER:
        pytest.skip("the compiler is off")
    asked = []

    def fail(command, **options):
        asked.append(command)
        msg = "no child today"
        raise OSError(msg)

    monkeypatch.setattr(warm, "on_disk", lambda *_: False)
    monkeypatch.setattr(warm, "_sign", lambda kernel: (tmp_path / kernel.py_func.__qualname__).open("wb"))
    monkeypatch.setattr(warm.subprocess, "run", fail)
    warm.warm()
    assert [command[0] for command in asked] == [sys.executable] * 2
    assert "call_first" in asked[0][2]
    assert "call_rest" in asked[1][2]


def test_one_process_compiles_for_all(monkeypatch, tmp_path):
    if not COMPILER:
        pytest.skip("the compiler is off")
    asked = []
    monkeypatch.setattr(warm, "on_disk", lambda *_: False)
    monkeypatch.setattr(warm, "_sign", lambda *_: (tmp_path / "sign").open("wb"))
    monkeypatch.setattr(warm.subprocess, "run", lambda command, **_: asked.append(command))
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import fcntl; f = open({str(tmp_path / 'sign')!r}, 'wb'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        holder.stdout.readline()
        warm._make(warm.other_kernels(), "", wait=False)
        assert not asked
        waiting = threading.Thread(target=warm._make, args=(warm.first_kernels(), ""), kwargs={"wait": True})
        waiting.start()
        assert not asked
    finally:
        holder.communicate(b"\n")  # the claim goes with the process
    waiting.join()
    assert len(asked) == 1
    warm._make(warm.other_kernels(), "", wait=False)
    assert len(asked) == 2


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
