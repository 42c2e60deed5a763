"""A content hash of any fitted scikit-learn estimator: parameters and fitted arrays, the same on every run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

Seen = tuple[int, Any]

_DEPTH = 24
# what may differ between two runs of the same fit, and says nothing about the answers
_CHATTER = frozenset({
    "verbose", "n_jobs", "n_threads", "memory", "_sklearn_version", "refit_time_", "cv_results_", "random_state", "_random_seed",
    "_feature_subsample_rng", "_rng", "_random_state", "_loss",
})  # fmt: skip


def content_hash(estimator: Any) -> str:
    """Hash of everything the estimator holds, without pickling it."""
    digest = hashlib.blake2b(digest_size=16)
    _feed(digest, estimator, 0, {})
    return digest.hexdigest()


def _feed(digest: Any, item: Any, depth: int, seen: dict[int, Seen]) -> None:
    if isinstance(item, np.ndarray):
        _feed_array(digest, item, depth, seen)
    elif item is None or isinstance(item, (bool, int, float, complex, str, bytes, np.generic)):
        digest.update(f"{type(item).__name__}:{item!r};".encode())
    elif depth > _DEPTH or id(item) in seen:
        digest.update(f"again:{seen[id(item)][0] if id(item) in seen else -1};".encode())
    else:
        # the item is kept alive, so that its id is not given to another one during the walk
        seen[id(item)] = len(seen), item
        _feed_object(digest, item, depth + 1, seen)


def _feed_array(digest: Any, array: np.ndarray[Any, Any], depth: int, seen: dict[int, Seen]) -> None:
    digest.update(f"array:{array.dtype.str}:{array.shape};".encode())
    if array.dtype.names:
        for name in array.dtype.names:
            # field by field, as padding between them holds whatever was in memory
            digest.update(np.ascontiguousarray(array[name]).tobytes())
    elif array.dtype == object:
        for item in array.ravel():
            _feed(digest, item, depth + 1, seen)
    else:
        digest.update(np.ascontiguousarray(array).tobytes())


def _feed_object(digest: Any, item: Any, depth: int, seen: dict[int, Seen]) -> None:
    digest.update(f"{type(item).__module__}.{type(item).__qualname__}(".encode())
    if isinstance(item, Mapping):
        for key, value in item.items():
            _feed(digest, key if isinstance(key, (str, int, float)) else str(key), depth, seen)
            _feed(digest, value, depth, seen)
    elif isinstance(item, (list, tuple)):
        for value in item:
            _feed(digest, value, depth, seen)
    elif isinstance(item, (set, frozenset)):
        digest.update(repr(sorted(map(str, item))).encode())
    elif callable(item) and hasattr(item, "__qualname__"):
        digest.update(f"{getattr(item, '__module__', '')}.{item.__qualname__}".encode())
    elif isinstance(item, np.random.RandomState | np.random.Generator):
        digest.update(b"random")
    else:
        _feed_state(digest, item, depth, seen)
    digest.update(b")")


def _feed_state(digest: Any, item: Any, depth: int, seen: dict[int, Seen]) -> None:
    held = getattr(item, "__dict__", None)
    if not held:
        try:
            held = item.__getstate__()
        except TypeError:
            # an extension type without a state, such as a lock or a loss: its class is all there is to say
            return
    if isinstance(held, Mapping):
        held = {k: held[k] for k in sorted(held, key=str) if k not in _CHATTER}
    if held is not None:
        _feed(digest, held, depth, seen)
