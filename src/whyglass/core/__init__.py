"""The words everyone speaks: Model, Dataset and Schema, the results, View, the tables, Executor, errors.

What lives here: small frozen types and the registry. Nothing here computes an explanation, draws, or talks to a
foreign library. What may not be here: any import but the standard library and numpy, and any import of another room;
``registry.py`` resolves the "module:attr" strings of ``tables.py`` and is the only place that imports by name.

How to add one: a new result kind is a frozen dataclass below ``Explanation`` with ``to_wire`` and ``from_wire`` and
one entry in ``wire.KINDS``; a new method, adapter, view, host or file format is one line in ``tables.py``.
"""
