"""One decision from four sides: its rule, what would flip it, what mattered around it, how the model responds at large.

Run: python examples/one_decision.py folder-for-the-pages
"""

from __future__ import annotations

import sys
from pathlib import Path

from sklearn.ensemble import HistGradientBoostingClassifier

import whyglass as wg

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
people = wg.datasets.census("pandas")
train, held_out = people.split == "train", people.split == "held out"

clf = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(people.X[train], people.y[train])
model = wg.wrap(clf, people.X[train], people.y[train], protected=people.protected, columns=people.units, labels=people.labels)
person, others = people.X[held_out][:1], people.X[held_out]

# is there a rule behind it? gender and ethnicity are protected, so no rule speaks of them unless exclude=() lets it
rules = wg.explain(model, person, method="anchors")
print(rules[0])
print(f"  it is true of {rules[0].mask(others).mean():.0%} of the people held out")

# what would have to change? hard facts: age and gender stay, schooling only rises
asked = {"immutable": ["Age", "Gender", "Ethnicity"], "increase_only": ["Education"], "k": 3}
flips = wg.explain(model, person, method="counterfactual", **asked)
for case in flips[0]:
    print(case)

# what mattered around here? a straight line through draws, beside the exact Shapley values, and how far the two agree
lime = wg.explain(model, person, method="lime", target="more than $50K")
why = wg.explain(model, person, space="probability", target="more than $50K")
print(why.agreement(lime))

# how does the model respond at large?
curves = wg.explain(model, others[:2000], method="pdp", features=["Age", "Hours per week"], pairs=[("Age", "Hours per week")])
print(curves)

for name, view in {"rule": wg.show(rules), "flips": wg.show(flips), "around": wg.show(why, lime), "effects": wg.show(curves)}.items():
    view.save(folder / f"{name}.html")
