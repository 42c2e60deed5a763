"""Maskers: from one case and sets of bits to rows that a model can be asked about.

A bit says whether a player (a column, later a token or a segment) is known. What an unknown player looks like is decided
here and nowhere else, so that Shapley values, LIME, anchors and occlusion are each written once for every modality.

What lives here: one file a modality; each masker is built once for a call and is asked for blocks of coalitions.
What may not: models, sampling designs, estimators. A masker never calls anything, so it cannot fail on a row.
To add one: a class with ``players``, ``repeats`` (model rows an evaluation) and ``fill(case, coalitions)``.
"""
