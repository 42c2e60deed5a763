"""Map a function over blocks of rows, on threads, with progress and cancel."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Cancelled(Exception):  # noqa: N818  (an outcome, not a fault)
    """The caller asked to stop."""


@dataclass(frozen=True)
class Executor:
    """Local threads. The same answer for any number of them.

    Attributes:
        threads: How many; 0 means one per core this process may use.
        progress: Called with (rows done, rows in all) after each block.
        cancel: Set it to stop before the next block.
    """

    threads: int = 0
    progress: Callable[[int, int], None] | None = None
    cancel: threading.Event | None = None

    @property
    def workers(self) -> int:
        """Threads actually used."""
        return self.threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else self.threads or os.cpu_count() or 1

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
        lock = threading.Lock()

        def one(block: slice) -> T:
            nonlocal done
            if self.cancel is not None and self.cancel.is_set():
                raise Cancelled
            result = function(block)
            if self.progress is not None:
                with lock:
                    done += block.stop - block.start
                    self.progress(done, total)
            return result

        if self.workers == 1 or len(blocks) <= 1:
            return [one(block) for block in blocks]
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(one, blocks))
