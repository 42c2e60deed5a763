"""What the hosts show in these tests; imported by notebooks and apps, and by the tests themselves."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

from whyglass.core.view import Action, Answer, View

HERE = Path(__file__).resolve().parent
FIRST = bytes(range(256)) * 40


class Trace:
    """Notes what reached Python, one JSON line each, and lets a test move the view from outside."""

    def __init__(self, folder, view):
        self.path = Path(folder) / "trace.jsonl"
        self.orders = Path(folder) / "orders"
        self.orders.mkdir(exist_ok=True, parents=True)
        self.view = view
        self._lock = threading.Lock()
        view.on("state", lambda state: self.note(state=state))
        threading.Thread(target=self._obey, daemon=True).start()

    def note(self, **what):
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")

    def _obey(self):
        done = set()
        while True:
            for order in sorted(self.orders.glob("*.json")):
                if order.name not in done:
                    done.add(order.name)
                    self.view.state = json.loads(order.read_text())
            time.sleep(0.05)


def tiny(folder, *, slow=0.0):
    """The view of tiny.js."""
    view = View("tiny", {"view": "tiny", "title": "Tiny & <b>small</b>", "n_rows": 5}, {"t": FIRST}, options={"assets": HERE})
    trace = Trace(folder, view)

    def explain(args, turn):
        for step in range(3):
            turn.progress(Answer(step))
        return Answer({"case": args["id"], "nan": float("nan")}, (bytes(10), bytes(args["id"] + 1)))

    def predict(args, _turn):
        trace.note(call=args["x"])
        time.sleep(slow)
        return Answer(args["x"] * 2)

    view.actions = {"explain": Action(explain, lane="explain"), "predict": Action(predict, lane="predict")}
    return view


def census(rows):
    import whyglass as wg

    bunch = wg.datasets.census(as_frame="pandas")
    return bunch.X[:rows], bunch.y[:rows]


def boosted(X, y):
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=15, categorical_features="from_dtype").fit(X, y)


def workbench(folder):
    """A model that travels into the page."""
    import whyglass as wg

    X, y = census(640)
    model = wg.wrap(boosted(X[40:], y[40:]), X[40:], y[40:])
    view = wg.show(wg.explain(model, X[:40]), model=model)
    trace = Trace(folder, view)
    view.on("selection", lambda _ids: trace.note(frame=[type(view.selected_frame()).__name__, len(view.selected_frame())]))
    return view


def together(folder):
    """A result that carries interactions; a report of it travels without the model."""
    import whyglass as wg

    X, y = census(640)
    model = wg.wrap(boosted(X[40:], y[40:]), X[40:], y[40:])
    why = wg.explain(model, X[:40], space="probability", interactions=True)
    view = wg.show(why, model=model, embed_model=False)
    Trace(folder, view)
    return view


def groups(folder):
    """A result over groups of columns."""
    import whyglass as wg

    X, y = census(640)
    model = wg.wrap(boosted(X[40:], y[40:]), X[40:], y[40:])
    money = ["Capital gain", "Capital loss"]
    view = wg.show(wg.explain(model, X[:40], groups={"Money": money}), model=model)
    Trace(folder, view)
    return view


def wrong(folder):
    """What makes the model wrong on labelled rows."""
    import whyglass as wg

    X, y = census(640)
    model = wg.wrap(boosted(X[40:], y[40:]), X[40:], y[40:])
    view = wg.show(wg.explain(model, X[:40], y=y[:40], space="log_loss"), model=model)
    Trace(folder, view)
    return view


def alone(folder, method, rows=6, **params):
    """One result on its own, of a model that can be asked."""
    import whyglass as wg

    X, y = census(640)
    model = wg.wrap(boosted(X[40:], y[40:]), X[40:], y[40:], protected=["Gender", "Ethnicity"])
    view = wg.show(wg.explain(model, X[:rows], method=method, **params))
    Trace(folder, view)
    return view


def beside(folder):
    """Contributions and LIME of the same rows, given together; a report of it travels without the model."""
    import whyglass as wg

    X, y = census(640)
    model = wg.wrap(boosted(X[40:], y[40:]), X[40:], y[40:])
    why, lime = (wg.explain(model, X[:40], method=method, space="probability") for method in ("shap", "lime"))
    view = wg.show(why, lime, embed_model=False)
    Trace(folder, view)
    return view


def importance(folder):
    """What predictions lose when a fact says nothing."""
    import whyglass as wg

    X, y = census(640)
    view = wg.show(wg.explain(wg.wrap(boosted(X, y), X, y), X[:200], y=y[:200], method="permutation"))
    Trace(folder, view)
    return view


def everything(folder):
    """All census rows."""
    import whyglass as wg

    X, y = census(None)
    model = wg.wrap(boosted(X, y), X, y)
    view = wg.show(model)
    Trace(folder, view)
    return view


def opaque(folder):
    """A model of which nothing is known but that one row takes it two seconds."""
    import whyglass as wg

    X, y = census(200)
    X = X.iloc[:, :3]
    inner = boosted(X, y)
    notes = []

    def ask(frame):
        if len(frame) == 1:
            if notes:
                notes[0].note(call=json.loads(frame.to_json(orient="records"))[0])
            time.sleep(2.0)
        return inner.predict_proba(frame)

    model = wg.wrap(ask, X, y, task="classification", outputs=[str(c) for c in inner.classes_])
    view = wg.show(wg.explain(model, X[:5]), model=model)
    notes.append(Trace(folder, view))
    return view


SCENES = {
    "tiny": tiny,
    "slow": lambda folder: tiny(folder, slow=2.0),
    "workbench": workbench,
    "together": together,
    "groups": groups,
    "wrong": wrong,
    "rules": lambda folder: alone(folder, "anchors"),
    "flips": lambda folder: alone(folder, "counterfactual", k=2),
    "curves": lambda folder: alone(folder, "pdp", rows=40, pairs=[("Age", "Education")], features=["Age", "Education", "Hours per week"]),
    "lines": lambda folder: alone(folder, "ice", rows=40),
    "lime": lambda folder: alone(folder, "lime"),
    "importance": importance,
    "beside": beside,
    "everything": everything,
    "opaque": opaque,
}


def make(name, folder):
    return SCENES[name](folder)
