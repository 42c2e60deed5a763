"""How a model responds to a column at large: partial dependence, individual curves, accumulated local effects, permutation.

``dependence`` moves a column, all else as it is: averaged ("pdp") or row by row ("ice"), for pairs too; ``accumulated`` adds up
local differences, which never leave the data ("ale"); ``permutation`` asks how much worse predictions get when a column
says nothing. ``grids`` chooses where to ask, ``engine`` asks: forests are walked once for all points, other models are
called in large batches, ``moments`` averages in an order that threads do not change.

What may not live here: loops over nodes or leaves, which belong to ``kernels``; drawing.
To add an effect: a file with ``explain(ask)`` that gives Curves or an Attribution, and a row in the methods table.
"""
