"""Values made once by name, also when several threads ask for one at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Once:
    """Keeps what was made; a slow value holds up those who ask for it, and nobody else. A failure is not kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.RLock] = {}
        self._made: dict[str, Any] = {}

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        """The value of that name, made by the first who asks."""
        with self._lock:
            own = self._locks.setdefault(name, threading.RLock())
        with own:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]
