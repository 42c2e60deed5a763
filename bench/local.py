"""The figures to reach for surrogates, rules, counterfactuals and effects, race by race.

Run one piece with ``bench/run.py --only local.lime``.
"""

from __future__ import annotations

from pieces import Section

PIECES = {
    "lime": ("LIME", "local_lime"),
    "anchors": ("Rules", "local_anchors"),
    "counterfactuals": ("Counterfactuals", "local_counterfactuals"),
    "dependence": ("Partial dependence", "local_effects"),
    "permutation": ("Permutation importance", "local_effects"),
    "accumulated": ("Accumulated local effects", "local_effects"),
}
ABOUT = (
    "One thread on every side, peer and whyglass in turn in one process, CPU time, ratios of the same turn, medians; libraries are "
    "warmed first. The census data hold 11 columns; the wide table is made up, 60 columns. Versions and the machine's load stand under "
    "each table."
)
LIBRARIES = ("numpy", "numba", "scikit-learn", "pandas", "lime", "anchor-exp", "dice-ml", "NICEx", "effector")

measure = Section(ABOUT, PIECES, LIBRARIES).measure
