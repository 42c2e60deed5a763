"""Questions about a model, each answered by one file: rows in, an explanation out.

What lives here: the methods of the table in ``core/tables.py`` (``shapley/`` today), ``maskers/`` that turn a row and a set
of bits into rows for the model, and ``summaries`` that make global results from local ones.

What may not: adapters, views, hosts, frames, any machine-learning or plotting library. An explainer asks a model for a
capability (``model.trees()``, ``model.predict_matrix``), never for its class, and hands arrays to ``kernels``.

To add one: a file with ``explain(ask: Ask) -> Attribution`` (or another result of the family), one line in the methods
table that names it, says what it needs and which laws it keeps, and its oracle in ``tests/oracles``; the conformance
suite, the command line and the menus pick it up from that line.
"""
