"""Bytes: the front end, and a saved report beside shap's and interpret's."""

from __future__ import annotations

import contextlib
import gzip
import io
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import shap
from harness import table
from sklearn.ensemble import HistGradientBoostingClassifier

import whyglass as wg


def _front_end() -> list[list[str]]:
    static = Path(wg.__file__).parent / "views" / "static"
    lines = []
    for file in sorted(static.glob("*.js")):
        data = file.read_bytes()
        lines.append([file.name, _kb(len(data)), _kb(len(gzip.compress(data, 9)))])
    total = [gzip.compress(file.read_bytes(), 9) for file in static.glob("*.js")]
    return [*lines, ["all", "", f"**{_kb(sum(map(len, total)))}**"]]


def _kb(size: int) -> str:
    return f"{size / 1000:,.0f} kB"


def _interpret(X: pd.DataFrame, y: np.ndarray, file: Path) -> str:
    """interpret's way to keep an explanation of its own model: one row a file, drawn by a script that the page fetches."""
    try:
        from interpret import preserve
        from interpret.glassbox import LogisticRegression
    except ImportError:
        return "not installed"
    file.unlink()
    with contextlib.redirect_stdout(io.StringIO()):
        preserve(LogisticRegression().fit(X, y).explain_local(X, y), 0, file_name=str(file))
    return _kb(file.stat().st_size) if file.exists() else "wrote no file"


def measure(quick: bool) -> str:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(100 if quick else 1_000, 20)), columns=[f"column {i}" for i in range(20)])
    y = (X["column 0"] * X["column 1"] > 0).astype(int).to_numpy()
    clf = HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(X, y)
    why = wg.explain(wg.wrap(clf, X, y), X)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(folder) / "report.html"
        sizes = {}
        for name, options in (("without the model", {"embed_model": False}), ("with the model", {})):
            wg.show(why, **options).save(file)
            sizes[f"whyglass, {name}"] = _kb(file.stat().st_size)
        shap.save_html(str(file), shap.force_plot(why.base_values[0, 0], why.values[:, :, 0], X))
        sizes["shap.force_plot"] = _kb(file.stat().st_size)
        sizes["interpret.preserve (one row)"] = _interpret(X, y, file)
    report = table([f"one report, {len(X):,} rows x 20 columns", "on disk"], [[name, size] for name, size in sizes.items()])
    return f"{table(['front end', 'on disk', 'gzipped'], _front_end())}\n\nA page carries one view and one bridge.\n\n{report}"
