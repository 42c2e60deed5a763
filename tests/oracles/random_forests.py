"""Random forests of every kind that the flat form allows, built by hand."""

from __future__ import annotations

import numpy as np

from whyglass.core.forest import Forest

CODES = 40  # categories of a category column: more than one 32-bit word


def grow(rng, n_features, max_depth, category_columns):
    """One tree as lists, parents before children: leaves at the root, repeated features, equal thresholds, zero cover."""
    nodes = []

    def add(depth, cover):
        at = len(nodes)
        node = {"feature": -1, "threshold": 0.0, "left": -1, "right": -1, "missing": False, "unseen": False, "bits": None, "cover": cover}
        nodes.append(node)
        if depth < max_depth and rng.random() < 0.85:
            feature = int(rng.integers(n_features))
            ratio = rng.choice([0.0, 0.5, 1.0], p=[0.1, 0.8, 0.1]) if rng.random() < 0.2 else rng.random()
            node["feature"] = feature
            node["threshold"] = float(rng.integers(-2, 3)) / 2
            node["missing"], node["unseen"] = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
            if feature in category_columns:
                node["bits"] = rng.integers(0, 2**32, size=2, dtype=np.uint64).astype(np.uint32)
            node["left"] = add(depth + 1, cover * ratio)
            node["right"] = add(depth + 1, cover * (1 - ratio))
        return at

    add(0, 100.0)
    return nodes


def random_forest(seed, *, n_features=5, trees=4, max_depth=5, outputs=1, vector=False, categories=(1,)):
    """A forest whose trees share nothing but their columns; the last column is never tested when there are three or more."""
    rng = np.random.default_rng(seed)
    tested = n_features - 1 if n_features > 2 else n_features
    grown = [grow(rng, tested, 0 if k == 1 else max_depth, set(categories)) for k in range(trees)]
    offsets = np.cumsum([0, *[len(g) for g in grown]])[:-1]
    flat = [(node, offset) for g, offset in zip(grown, offsets, strict=True) for node in g]
    starts, bits = [], []
    for node, _ in flat:
        starts.append(len(bits) if node["bits"] is not None else -1)
        bits.extend([] if node["bits"] is None else node["bits"])
    width = outputs if vector else 1
    return Forest(
        roots=offsets.astype(np.int32),
        feature=np.array([n["feature"] for n, _ in flat], np.int32),
        threshold=np.array([n["threshold"] for n, _ in flat]),
        left=np.array([n["left"] + o if n["left"] >= 0 else -1 for n, o in flat], np.int32),
        right=np.array([n["right"] + o if n["right"] >= 0 else -1 for n, o in flat], np.int32),
        missing_left=np.array([n["missing"] for n, _ in flat]),
        unseen_left=np.array([n["unseen"] for n, _ in flat]),
        category_start=np.array(starts, np.int32),
        category_count=np.array([CODES if s >= 0 else 0 for s in starts], np.int32),
        category_bits=np.array(bits, np.uint32),
        cover=np.array([n["cover"] for n, _ in flat]),
        value=rng.normal(size=(len(flat), width)),
        tree_output=np.full(trees, -1, np.int32) if vector else (np.arange(trees) % outputs).astype(np.int32),
        base=rng.normal(size=outputs),
        n_features=n_features,
        space="margin",
    )


def random_rows(seed, rows, n_features, categories=(1,)):
    """Rows that meet every rule of the routing: values on thresholds, missing values, codes known, unknown and too large."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-4, 5, size=(rows, n_features)) / 2.0
    for column in categories:
        if column < n_features:
            X[:, column] = rng.integers(-1, CODES + 3, size=rows)
    X[rng.random(X.shape) < 0.15] = np.nan
    return X
