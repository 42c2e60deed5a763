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


SCENES = {"tiny": tiny, "slow": lambda folder: tiny(folder, slow=2.0)}


def make(name, folder):
    return SCENES[name](folder)
