"""Counterfactuals: the nearest row under the caller's constraints for which the model says what was wanted.

What lives here: ``explain`` (the entry), ``targets`` (what was wanted, and when it is met), ``constraints`` (what may change, as hard
facts), ``grid`` (the values seen in training and the measure of distance), ``fields`` and ``hunt`` (tree ensembles: exact search over
cells, with a proof or a gap), ``evolution`` (any model: few large calls), ``density`` (how thin the surroundings are).

Plausible, for trees: some training row falls into the same leaf in many of the trees, and "many" is taken from the data: as many as all
but the loneliest twentieth of the training rows share with another one. To share the leaves of all trees (the live regions of LIRE)
is far more than training rows do among each other: with 50 trees nearly every row is then alone in its region.

The ladder, each rung's answer standing until the next one betters it: projections onto the regions of unlike training cases; greedy
reverts; best-first branch and bound for tree ensembles; for any other model a batched local and evolutionary search. Gradient search
is not there: no adapter gives gradients yet. What is found is asked of the user's own model before it is handed out.

What may not live here: reading frames or models (adapters), drawing (views).
"""
