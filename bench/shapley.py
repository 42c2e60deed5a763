"""The figures to reach for Shapley values, race by race: whyglass and each peer in turn, one thread, CPU time.

Run one piece with ``bench/run.py --only shapley.trees``.
"""

from __future__ import annotations

from pieces import Section

PIECES = {
    "trees": ("Path-dependent values of trees", "shapley_trees"),
    "interventional": ("Interventional values", "shapley_trees"),
    "interactions": ("Interactions", "shapley_trees"),
    "woodelf": ("woodelf-explainer, large batches", "shapley_trees"),
    "small": ("A few rows at a time", "shapley_trees"),
    "sampled_network": ("Sampled values of a network", "shapley_sampled"),
    "sampled_boosted": ("Sampled values of boosted trees as a black box", "shapley_sampled"),
    "sampled_wide": ("Sampled values, 40 columns", "shapley_sampled"),
    "overhead": ("What sampling costs beside the model", "shapley_sampled"),
    "first": ("First explanation in a fresh process", "shapley_process"),
    "threads": ("Two threads", "shapley_process"),
    "million": ("A million rows", "shapley_process"),
}
ABOUT = (
    "One thread on every side, peer and whyglass in turn in one process, CPU time, ratios of the same turn, median over the turns; "
    "libraries are warmed first. A race counts only when both sides give the same answer, which each table states. Versions and the "
    "machine's load stand under each table. XGBoost from 3.4 on computes these values by a faster algorithm (asked there: 60x); it needs "
    "Python 3.12."
)
LIBRARIES = ("numpy", "numba", "shap", "xgboost-cpu", "xgboost", "lightgbm", "scikit-learn", "shapiq", "woodelf-explainer")

measure = Section(ABOUT, PIECES, LIBRARIES).measure
