"""Shapley values: exact where the model or the number of columns allows it, else sampled with a standard error on each value.

``tree`` path-dependent values of a forest; ``tree_enumerated`` interventional values of a forest, in its margin or through
its link; ``linear`` in closed form; ``enumerated`` any model over few columns; ``sampled`` any model. All give the same
result kind, add up to the prediction, name the rows that stand for "unknown", and report a row that could not be
explained in ``status`` instead of failing the batch.

What lives here: one ``explain(ask)`` a file, ``answers`` (how an answer is put together), ``games`` (a model asked about
coalitions) and ``designs`` (which coalitions). What may not: loops over nodes or leaves, which belong to ``kernels``.
To add an estimator: a file with ``explain``, a row in the methods table that answers "shap", in the order in which
``method="auto"`` should prefer it.
"""
