"""One file to mail: the live view of a model, with the model inside, that works from disk with no network.

Run: python examples/report.py why.html
"""

from __future__ import annotations

import sys

from sklearn.ensemble import HistGradientBoostingClassifier

import whyglass as wg

people = wg.datasets.census("pandas")
train, held_out = people.split == "train", people.split == "held out"

clf = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(people.X[train], people.y[train])
model = wg.wrap(clf, people.X[train], people.y[train], protected=people.protected, columns=people.units, labels=people.labels)
why = wg.explain(model, people.X[held_out], y=people.y[held_out])

print(why)
print(why[:2000].to_frame().groupby("output")[list(why.feature_names)].mean().T)

path = wg.show(why).save(sys.argv[1] if len(sys.argv) > 1 else "why.html")
print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
