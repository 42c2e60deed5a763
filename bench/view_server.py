"""One server of the view benchmark, in a process of its own: trains, says when it begins and where it serves, and serves.

Run by bench/view.py: python view_server.py whyglass|peer|peer-default ROWS
"""

from __future__ import annotations

import json
import socket
import sys
import time
import warnings
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

BACKGROUND = 200


def fitted(rows: int) -> tuple[lightgbm.LGBMClassifier, pd.DataFrame, np.ndarray, pd.DataFrame]:
    """A model, the rows to show with their outcomes, and the background; categories as numbers, as the peer wants them."""
    import whyglass as wg

    people = wg.datasets.census("pandas")
    X = people.X.apply(lambda column: column.cat.codes if isinstance(column.dtype, pd.CategoricalDtype) else column).astype(float)
    y = (people.y == "more than $50K").astype(int)
    train = people.split == "train"
    model = lightgbm.LGBMClassifier(n_estimators=100, num_leaves=31, verbose=-1, n_jobs=1).fit(X[train], y[train])
    chosen = np.random.default_rng(0).choice(np.flatnonzero(~train), rows, replace=rows > int((~train).sum()))
    background = X[train].sample(BACKGROUND, random_state=0)
    return model, X.iloc[chosen].reset_index(drop=True), y[chosen], background


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def whyglass(rows: int) -> None:
    model, X, y, background = fitted(rows)
    say(begin=time.time())
    import whyglass as wg

    wrapped = wg.wrap(model, background)
    view = wg.show(wg.explain(wrapped, X, y=y), model=wrapped)
    handle = view.serve()
    say(url=handle.url)
    handle.wait()


def peer(rows: int, whole: bool) -> None:
    warnings.simplefilter("ignore")
    model, X, y, background = fitted(rows)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sys.stdout, out = sys.stderr, sys.stdout
    print(json.dumps({"begin": time.time()}), file=out, flush=True)
    from explainerdashboard import ClassifierExplainer, ExplainerDashboard
    from explainerdashboard.custom import ShapContributionsGraphComponent

    explainer = ClassifierExplainer(model, X, y, X_background=background)
    page = ExplainerDashboard(explainer) if whole else ExplainerDashboard(explainer, ShapContributionsGraphComponent, index="0")
    print(json.dumps({"url": f"http://127.0.0.1:{port}/"}), file=out, flush=True)
    page.run(port=port, host="127.0.0.1")


if __name__ == "__main__":
    which, count = sys.argv[1], int(sys.argv[2])
    if which == "whyglass":
        whyglass(count)
    else:
        peer(count, which == "peer-default")
