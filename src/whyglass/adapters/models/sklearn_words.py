"""What a person would call an estimator, and what its answers are called."""

from __future__ import annotations

from typing import Any

_TREES = {
    "DecisionTree": "decision tree",
    "ExtraTreeC": "decision tree with random splits",
    "ExtraTreeR": "decision tree with random splits",
    "RandomForest": "random forest",
    "ExtraTrees": "forest of random-split trees",
    "HistGradientBoosting": "gradient-boosted trees",
    "GradientBoosting": "gradient-boosted trees",
    "IsolationForest": "isolation forest",
    "AdaBoost": "AdaBoost ensemble",
    "Bagging": "bagged ensemble",
}
_OTHERS = {
    "LogisticRegression": "logistic regression",
    "LogisticRegressionCV": "logistic regression",
    "LinearRegression": "linear regression",
    "Ridge": "ridge regression",
    "RidgeCV": "ridge regression",
    "RidgeClassifier": "ridge classifier",
    "RidgeClassifierCV": "ridge classifier",
    "Lasso": "lasso",
    "LassoCV": "lasso",
    "ElasticNet": "elastic net",
    "ElasticNetCV": "elastic net",
    "PoissonRegressor": "Poisson regression",
    "GammaRegressor": "gamma regression",
    "TweedieRegressor": "Tweedie regression",
    "SGDClassifier": "linear classifier",
    "SGDRegressor": "linear regression",
    "LinearSVC": "linear support-vector classifier",
    "LinearSVR": "linear support-vector regression",
    "SVC": "support-vector classifier",
    "NuSVC": "support-vector classifier",
    "SVR": "support-vector regression",
    "NuSVR": "support-vector regression",
    "KNeighborsClassifier": "nearest neighbours",
    "KNeighborsRegressor": "nearest neighbours",
    "MLPClassifier": "neural network",
    "MLPRegressor": "neural network",
    "GaussianNB": "naive Bayes",
    "MultinomialNB": "naive Bayes",
    "BernoulliNB": "naive Bayes",
    "ComplementNB": "naive Bayes",
    "CategoricalNB": "naive Bayes",
    "LinearDiscriminantAnalysis": "linear discriminant analysis",
    "QuadraticDiscriminantAnalysis": "quadratic discriminant analysis",
    "KMeans": "k-means clusters",
    "MiniBatchKMeans": "k-means clusters",
    "GaussianMixture": "Gaussian mixture",
    "DummyClassifier": "constant guess",
    "DummyRegressor": "constant guess",
}


def kind(estimator: Any, trees: int | None) -> str:
    """Words for an estimator, such as "random forest, 100 trees".

    Args:
        estimator: The last step of a pipeline.
        trees: How many trees it has, or None.
    """
    name = type(estimator).__name__
    words = _OTHERS.get(name) or next((w for prefix, w in _TREES.items() if name.startswith(prefix)), "") or _spaced(name)
    return f"{words}, {trees:,} trees" if trees is not None and trees > 1 else words


def _spaced(name: str) -> str:
    """Turn KernelRidge into "kernel ridge"; words with several capitals stay as they are."""
    letters = [(" " if i and c.isupper() and not name[i - 1].isupper() else "") + c for i, c in enumerate(name)]
    words = "".join(letters).split()
    return " ".join(w if sum(c.isupper() for c in w) > 1 else w.lower() for w in words)


def trees(estimator: Any) -> int | None:
    """How many trees an ensemble that could not be read has, None when it is no ensemble of trees."""
    if not any(type(estimator).__name__.startswith(p) for p in _TREES):
        return None
    held = getattr(estimator, "estimators_", getattr(estimator, "_predictors", None))
    return None if held is None else len(held)
