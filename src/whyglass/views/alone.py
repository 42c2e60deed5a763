"""What the views of one result on its own share: its rows, its words, and what the model says of them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.container import plain
from whyglass.core.errors import InputError
from whyglass.core.model import Model
from whyglass.core.provenance import Provenance
from whyglass.core.rescue import rescue
from whyglass.core.schema import Dataset
from whyglass.core.version import VERSION
from whyglass.core.view import Action, View
from whyglass.views import panels
from whyglass.views.naming import ASKED, DECISION, counted, primary, title_of, words_of
from whyglass.views.rows import Shown
from whyglass.views.subject import Asker, Subject

Array = NDArray[np.float64]
MOST_ROWS = 2_000
SEED = 0


@dataclass(frozen=True, eq=False)
class Alone:
    """One result, the rows of it that a page carries, and the model behind it where there is one.

    Attributes:
        subject: The rows of the result, and the live model.
        provenance: How the result was made.
        ids: Positions of the rows that the page carries, ascending.
        outputs: Names of the outputs.
    """

    subject: Subject
    provenance: Provenance
    ids: NDArray[np.intp]
    outputs: tuple[str, ...]

    @property
    def live(self) -> bool:
        """Whether the model can be asked."""
        return self.subject.ask is not None

    def given(self) -> dict[str, Any]:
        """The method's own parameters with which the result was made, where they are known."""
        return {name: self.provenance.params[name] for name in self._parameters() if name in self.provenance.params}

    def call(self) -> str:
        """The Python that asks for the result again."""
        defaults = self._parameters()
        said = [f"{name}={value!r}" for name, value in self.given().items() if plain(value) != plain(defaults[name])]
        target = self.provenance.params.get("target")
        if target is not None and "target" not in defaults:
            said.insert(0, f"target={plain(target)!r}")
        return ", ".join(["wg.explain(model, X_test", f'method="{self.provenance.method}"', *said]) + ")"

    def _parameters(self) -> Mapping[str, Any]:
        own = {row.name: row.parameters for row in registry.rows("methods")}
        return own.get(self.provenance.method, {})

    def rows(self) -> bytes:
        """The rows that the page carries: ids, encoded values, and what the model says of each (null where nothing is known)."""
        matrix, said = self.subject.shown.matrix[self.ids], self.subject.shown.predictions
        p = said[self.ids, self.subject.output] if said.shape[1] else np.full(len(self.ids), np.nan)
        return document({"ids": self.ids.tolist(), "values": matrix.tolist(), "p": p.tolist()})

    def meta(self, name: str, theme: str, more: Mapping[str, Any]) -> dict[str, Any]:
        """What never changes while the view lives; ``more`` is the view's own."""
        subject, model = self.subject, self.subject.model
        words = words_of(model)
        classes = subject.space == "probability"
        size, method = len(subject.shown), self.provenance.method
        carried = f", {len(self.ids):,} of them here, drawn at random" if len(self.ids) < size else ""
        return {
            "view": name,
            "version": VERSION,
            "title": words["title"] or (title_of(model) if model is not None else "Saved result"),
            "subtitle": f"{ASKED.get(method, method)}, {counted(size, words['noun'])}{carried}",
            "live": self.live,
            "host": "",
            "theme": theme,
            "created": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
            "n_rows": size,
            "outputs": list(self.outputs),
            "output": subject.output,
            "outcome": words["outcome"],
            "noun": words["noun"],
            "scale": "probability" if classes else "value",
            "space": subject.space,
            "unit": words["unit"] if subject.space in ("probability", "value") else "",
            "decision": DECISION if classes and len(self.outputs) <= 2 else None,
            "columns": [c.to_json() for c in subject.shown.schema.columns],
            "primary": primary(subject.shown.schema, words),
            "python": {"model": "model", "call": self.call(), "frame": subject.shown.parts[0].frame},
            "asks": "at once" if panels.quick(subject) else "when pressed",
            "can_ask": self.live,
            "frozen": None,
            **more,
        }

    def view(self, meta: dict[str, Any], tables: dict[str, bytes], actions: dict[str, Action], state: dict[str, Any]) -> View:
        """The view of these parts; a saved page holds the same tables, and nobody answers it."""
        view = View(
            name=meta["view"],
            module="results",
            meta=meta,
            first={"rows": self.rows(), **tables},
            actions=actions if self.live else {},
            frame_rows=self.subject.shown.pick,
            theme=meta["theme"],
        )
        view.state = {"case": int(self.ids[0]) if len(self.ids) else 0, "selection": None, **state}
        view.freeze = lambda **_options: (_frozen(meta), view.first)
        return view


def on_its_own(lay_out: Callable[[Any, Alone, str], View]) -> Callable[..., View]:
    """A builder of the table of views from what lays out one kind of result: the rest of building is the same for all kinds."""

    @wraps(lay_out)
    def build(
        result: Any,
        *,
        model: Model | None = None,
        ask: Asker | None = None,
        data: Dataset | None = None,
        split: Any = None,
        theme: str = "auto",
        **_options: Any,
    ) -> View:
        return lay_out(result, alone(result, model=model, ask=ask, data=data, split=split), theme)

    return build


def alone(result: Any, *, model: Model | None, ask: Asker | None, data: Dataset | None, split: Any) -> Alone:
    """Gather what a view of this result is about.

    Args:
        result: The result; it has ``dataset`` and ``provenance``.
        model: The wrapped model, or None when only the saved result is there.
        ask: Explains encoded rows.
        data: Must be None: a result is shown on its own rows.
        split: Must be None.

    Raises:
        InputError: If other rows are given, or the model is one over other columns.
    """
    if data is not None or split is not None:
        msg = f"{type(result).__name__} are shown on their own rows. Leave data= and split= out."
        raise InputError(msg)
    rows: Dataset = result.dataset
    if model is not None and rows.schema.names != model.schema.names:
        msg = f"The rows have the columns {list(rows.schema.names)[:8]}, {model.name} takes {list(model.schema.names)[:8]}."
        raise InputError(msg)
    outputs = tuple(getattr(result, "output_names", ()) or (model.outputs if model is not None else ()))
    space = getattr(result, "space", None) or ("value" if model is not None and model.task != "classification" else "probability")
    said = np.full((len(rows), max(1, len(outputs))), np.nan)
    if model is not None and space in ("probability", "value") and set(outputs) <= set(model.outputs):
        said = rescue(model.predict_matrix, rows.matrix, len(model.outputs), give_up=True)[0][:, [model.outputs.index(n) for n in outputs]]
    shown = Shown((rows,), rows.matrix, np.ones(len(rows), np.uint8), np.full(len(rows), np.nan), np.where(np.isfinite(said), said, np.nan))
    output = _shown_output(result, model, outputs)
    subject = Subject(shown, model, ask if model is not None else None, None, output, space, None, None)
    ids = np.sort(np.random.default_rng(SEED).permutation(len(shown))[:MOST_ROWS]).astype(np.intp)
    return Alone(subject, result.provenance, ids, outputs)


def _shown_output(result: Any, model: Model | None, outputs: tuple[str, ...]) -> int:
    """The class that the labels speak of, the second of two, the one that was wanted, or the first."""
    positive = model.provenance.get("labels", {}).get("positive") if model is not None else None
    if positive in outputs:
        return outputs.index(positive)
    wanted = getattr(result, "target", None)
    return 1 if len(outputs) == 2 else outputs.index(wanted) if wanted in outputs else 0


def document(value: Any) -> bytes:
    """JSON bytes for a page; what is not a number is null."""
    return json.dumps(plain(value), allow_nan=False, separators=(",", ":")).encode()


def _frozen(meta: dict[str, Any]) -> dict[str, Any]:
    return {**meta, "live": False, "host": "html", "can_ask": False, "frozen": {"date": meta["created"][:10]}}
