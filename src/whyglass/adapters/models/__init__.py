"""One file for each model library: ``adapt(estimator, wanted) -> Model``.

What lives here: reading a library's own model (trees, coefficients, gradients) into the forms of core, and asking it for
predictions. An adapter gives a capability only if it is faithful to what the library itself computes; otherwise the
reason stands in ``Model.provenance["refused"]``.

What may not: calling an explainer, keeping global state, or importing another library than the one in the file's name
(beside numpy and whyglass.core).

To add one: a file here, a row in MODELS of core/tables.py whose ``takes`` is the prefix of the library's type names.
"""
