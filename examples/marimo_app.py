"""The live view in marimo: cells that read the view run again when something happens in it.

Run: marimo edit examples/marimo_app.py    or, as an app: marimo run examples/marimo_app.py
"""

import marimo

app = marimo.App(width="full", app_title="Why this income?")


@app.cell
def _():
    import marimo as mo
    from sklearn.ensemble import HistGradientBoostingClassifier

    import whyglass as wg

    return HistGradientBoostingClassifier, mo, wg


@app.cell
def _(HistGradientBoostingClassifier, wg):
    people = wg.datasets.census("pandas")
    train, held_out = people.split == "train", people.split == "held out"
    clf = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(people.X[train], people.y[train])
    model = wg.wrap(clf, people.X[train], people.y[train], protected=people.protected, columns=people.units, labels=people.labels)
    why = wg.explain(model, people.X[held_out], y=people.y[held_out])
    return (why,)


@app.cell
def _(wg, why):
    from whyglass.hosts.marimo import element

    view = wg.show(why)
    page = element(view)
    page
    return page, view


@app.cell
def _(mo, page, view):
    _ = page.value  # this cell runs again when the page changes
    table = mo.vstack([mo.md(f"**{len(view.selection):,} people brushed**"), view.selected_frame()])
    table if view.selection else mo.md("Brush people in the view: they appear here as a table.")
    return


if __name__ == "__main__":
    app.run()
