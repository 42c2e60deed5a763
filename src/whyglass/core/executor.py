"""Map a function over blocks of rows, on threads, with progress and cancel."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeVar

from whyglass.core.errors import InputError

T = TypeVar("T")


class Cancelled(Exception):  # noqa: N818  (an outcome, not a fault)
    """The caller asked to stop."""


@dataclass(frozen=True)
class Executor:
    """Local threads. The same answer for any number of them.

    Attributes:
        threads: How many; 0 means one per core this process may use.
        progress: Called with (rows done, rows in all) after each block, by one thread at a time.
        cancel: Set it to stop before the next block.

    Raises:
        InputError: If one of them is of another kind.
    """

    threads: int = 0
    progress: Callable[[int, int], None] | None = None
    cancel: threading.Event | None = None

    def __post_init__(self) -> None:
        if isinstance(self.threads, bool) or not isinstance(self.threads, Integral) or self.threads < 0:
            msg = f"threads={self.threads!r} is not a number of threads: 1, 2, ..., or 0 for one per core."
            raise InputError(msg)
        if self.progress is not None and not callable(self.progress):
            msg = f"progress={self.progress!r} cannot be called. Pass a function of (rows done, rows in all)."
            raise InputError(msg)
        if self.cancel is not None and not callable(getattr(self.cancel, "is_set", None)):
            msg = f"cancel={self.cancel!r} is no threading.Event. Pass cancel=threading.Event(), and set() it to stop."
            raise InputError(msg)

    @classmethod
    def read(cls, given: Any) -> Executor:
        """Read ``executor=``: an Executor as it is, one thread a core for None.

        Raises:
            InputError: If it is neither.
        """
        if given is None:
            return cls()
        if not isinstance(given, cls):
            msg = f"executor={given!r} is no Executor. Pass wg.Executor(threads=2), or leave it out."
            raise InputError(msg)
        return given

    @property
    def workers(self) -> int:
        """Threads actually used."""
        if self.threads:
            return int(self.threads)
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def check(self) -> None:
        """Stop here if the caller asked to.

        Raises:
            Cancelled: If ``cancel`` was set.
        """
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled

    def blocks(self, rows: int, size: int) -> list[slice]:
        """Cut ``rows`` into slices of at most ``size``."""
        return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]

    def map(self, function: Callable[[slice], T], blocks: Sequence[slice]) -> list[T]:
        """Run ``function`` on each block, results in block order.

        Raises:
            Cancelled: If ``cancel`` was set before all blocks were done.
        """
        total = blocks[-1].stop if blocks else 0
        done = 0
        wrong: list[BaseException] = []
        lock = threading.Lock()

        def one(block: slice) -> T:
            nonlocal done
            if wrong:  # what another block raised ends the call, whatever this one would give
                raise wrong[0]
            self.check()
            try:
                result = function(block)
                if self.progress is not None:
                    with lock:
                        done += block.stop - block.start
                        self.progress(done, total)
            except BaseException as error:
                wrong.append(error)
                raise
            return result

        workers = min(self.workers, len(blocks))
        if workers <= 1:
            return [one(block) for block in blocks]
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, blocks))
