"""The one way a kernel is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    """Compile at the first call, keep the machine code on disk, run without the GIL.

    No fast-math: reassociated sums would depend on how rows are blocked. Division by zero gives infinity as in NumPy,
    which leaves the inner loops free of branches. Where no folder can be written to, nothing is kept.
    """
    made: Kernel
    try:
        made = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # no place for a cache: a read-only installation without a home folder
        made = numba.njit(nogil=True, error_model="numpy")(function)
    return made


def inlined(function: Kernel) -> Kernel:
    """Compile into every kernel that calls it: passing a dozen arrays to a real call costs more than most helpers do."""
    made: Kernel = numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)
    return made


def bare(function: Kernel) -> Kernel:
    """Inline as ``inlined`` does, without counting references: only for helpers that make no array.

    Every view of an array otherwise counts its owner up and down, an atomic operation each: a quarter of a walk's time.
    Nothing but other kernels may call them: without the wrappers for Python a walk compiles in two thirds of the time.
    """
    unwrapped = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    made: Kernel = numba.njit(nogil=True, error_model="numpy", forceinline=True, _nrt=False, **unwrapped)(function)
    return made
