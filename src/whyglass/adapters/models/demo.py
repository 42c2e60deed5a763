"""The model of ``whyglass demo``: gradient-boosted trees on the shipped census data."""

from __future__ import annotations

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

TREES = 100


def census(X: pd.DataFrame, y: object) -> HistGradientBoostingClassifier:
    """Train on rows of the census data.

    Args:
        X: Columns as ``whyglass.datasets.census("pandas")`` gives them, categories as categories.
        y: What was recorded for them.

    Returns:
        A fitted classifier; the same for the same rows.
    """
    categories = [name for name in X.columns if isinstance(X[name].dtype, pd.CategoricalDtype)]
    return HistGradientBoostingClassifier(max_iter=TREES, categorical_features=categories, random_state=0).fit(X, y)
