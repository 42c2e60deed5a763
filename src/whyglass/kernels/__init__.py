"""Arrays in, arrays out: the loops that must be fast.

What lives here: Numba kernels over flat NumPy arrays (tree sums, tree Shapley values, enumeration of coalitions), the
small Python functions that lay arrays out for them, and ``twins``: the same answers in plain NumPy, which the tests
compare with and which say in the shortest way what a kernel computes.

What may not: core types, models, frames, names of columns, randomness, printing, any import but numpy and numba. A
forest comes in as any object that has the arrays of ``core.forest.Forest``.

Rules of the room: kernels are module-level functions made with ``jit.compiled`` (disk cache, no GIL, never parallel:
callers map over blocks of rows, and an element's arithmetic never depends on its block, so that one thread and many give
the same bits). One specialisation a kernel: the Python function before it makes every array contiguous, writable and of
one type. A reused helper is compiled into its callers, and the disk cache watches the callers' files only; after
changing a helper, remove ``__pycache__``. To add a kernel: write the twin, the kernel, a test against the twin and a
brute-force oracle, a sabotage twin, and one line in ``warm``.
"""
