"""Answers for more rows than fit into the memory: a file in, a Parquet file out, block by block.

Run: python examples/many_rows.py why.parquet
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

import whyglass as wg

people = wg.datasets.census("pandas")
train = people.split == "train"
clf = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(people.X[train], people.y[train])
model = wg.wrap(clf, people.X[train], people.y[train], protected=people.protected)

out = Path(sys.argv[1] if len(sys.argv) > 1 else "why.parquet")
rows = out.with_name("rows.parquet")
people.X.to_parquet(rows)  # however many rows stand in it, no more than 50,000 are in the memory at once


def progress(done: int, total: int) -> None:
    print(f"\r{done:,} of {total:,} rows", end="", file=sys.stderr)


done = wg.explain_to(out, model, rows, executor=wg.Executor(progress=progress))
print(f"\n{done}")

# any reader of Parquet takes it, and only the columns that it needs
strongest = pd.read_parquet(out, columns=["Age", "Marital status"]).abs().mean()
print(strongest)
