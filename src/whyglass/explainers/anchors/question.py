"""What is asked of a rule: how sure, under which rows, of which columns, and when the model counts as saying the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.errors import InputError, UnsupportedError, nearest
from whyglass.core.rules import PRECISION_KINDS, Predicate
from whyglass.core.schema import Schema, write_number
from whyglass.explainers.anchors.given import read_rule
from whyglass.explainers.shapley.games import Game

Array = NDArray[np.float64]
_BAND = 0.5  # standard deviations of the predictions of training rows, on either side


@dataclass(frozen=True)
class Goal:
    """What the model is to keep saying.

    Attributes:
        name: In words.
        output: Position of the output.
        low: Least value, for a regression.
        high: Largest one.
        ranged: Whether it is a range of values.
    """

    name: str
    output: int
    low: float = -math.inf
    high: float = math.inf
    ranged: bool = False

    def met(self, said: Array) -> NDArray[np.bool_]:
        """Which predictions (rows, outputs) are so; one that is not finite never is."""
        fine = np.asarray(np.isfinite(said).all(axis=1))
        if not self.ranged:
            return np.asarray(fine & (np.where(fine[:, None], said, 0.0).argmax(axis=1) == self.output))
        values = said[:, self.output]
        with np.errstate(invalid="ignore"):
            return np.asarray(fine & (values >= self.low) & (values <= self.high))


@dataclass(frozen=True, eq=False)
class Question:
    """What was asked, read.

    Attributes:
        ask: As the facade put it.
        game: The user's model.
        precision: Asked for.
        confidence: Of the interval.
        kind: "interventional" or "observational".
        most: Columns in a rule.
        left_out: Columns that no rule may speak of.
        band: Half the width of the range of a regression, whose ends are rounded inwards; None for half a standard deviation.
        rule: The user's own rule, or None to look for one.
    """

    ask: Ask
    game: Game
    precision: float
    confidence: float
    kind: str
    most: int
    left_out: frozenset[int]
    band: float | None
    rule: tuple[Predicate, ...] | None

    @property
    def error(self) -> float:
        """Permitted probability that an interval misses the truth."""
        return 1.0 - self.confidence

    @property
    def columns(self) -> int:
        """How many columns a row has."""
        return len(self.ask.data.schema)

    def width(self, said: Array) -> float:
        """Half the width of a regression's range.

        Args:
            said: Predictions of training rows (rows, outputs).
        """
        if self.band is not None:
            return self.band
        known = said[np.isfinite(said).all(axis=1)]
        return _BAND * float(known[:, self.output].std()) if len(known) else 0.0

    @property
    def output(self) -> int:
        """The output that a regression's rule speaks of."""
        return self.ask.outputs[0] if self.ask.outputs else 0

    def goal(self, said: Array, width: float) -> Goal:
        """What a rule for a row is to hold the model to.

        Args:
            said: The prediction of the row (outputs,).
            width: Half the width of the range, for a regression.
        """
        model = self.ask.model
        if model.task == "classification":
            at = self.output if self.ask.target is not None else int(said.argmax())
            return Goal(model.outputs[at], at)
        value = float(said[self.output])
        low, high, words = readable(value, width, str(model.provenance.get("labels", {}).get("unit", "")))
        return Goal(f"{model.outputs[self.output]} {words}", self.output, low, high, ranged=True)


def readable(value: float, width: float, unit: str = "") -> tuple[float, float, str]:
    """The range around a prediction with its ends moved inwards to numbers that a person can read, and how it is written.

    Args:
        value: The prediction.
        width: Half the width of the range.
        unit: A format such as "{} h" or "${}"; empty when numbers stand alone.

    Returns:
        Both ends, each less than a tenth of ``width`` inside, and the words.
    """
    form = unit if "{}" in unit else f"{{}} {unit}".strip()
    tenth = math.log10(width / 10) if 0 < width < math.inf else math.nan
    if not math.isfinite(tenth) or abs(value) > 1e15 * width:
        return value - width, value + width, form.replace("{}", write_number(value))
    power = math.floor(tenth + 1e-12)
    step = max(part for part in (1.0, 2.0, 5.0) if part <= 10.0 ** (tenth - power) + 1e-9) * 10.0**power
    places = max(0, -power)
    ends = [round(turned(end / step) * step, places) for turned, end in ((math.ceil, value - width), (math.floor, value + width))]
    if max(map(abs, ends)) < 1e-4:
        words = [f"{end:.3g}" for end in ends]
    else:
        words = [f"{end + 0.0:,.{places}f}".replace("-", "\N{MINUS SIGN}") for end in ends]
    if form.startswith("{}"):
        return ends[0], ends[1], form.replace("{}", " to ".join(words))
    return ends[0], ends[1], " to ".join(form.replace("{}", word) for word in words)


def read(ask: Ask) -> Question:
    """Read the parameters.

    Raises:
        InputError: If one of them cannot be used.
        UnsupportedError: If a space is asked for that the model does not answer in.
    """
    model, params = ask.model, ask.params
    plain = "probability" if model.task == "classification" else "value"
    if ask.space not in (None, plain):
        msg = f"A rule is about what {model.name} says, not about {ask.space!r} space. Leave space out."
        raise UnsupportedError(msg)
    if model.task != "classification" and len(model.outputs) > 1 and ask.target is None:
        msg = f"{model.name} predicts {len(model.outputs)} values; a rule is about one of them. Pass target=, {nearest('', model.outputs)}"
        raise InputError(msg)
    kind = params.get("precision_kind", "interventional")
    if kind not in PRECISION_KINDS:
        msg = f"precision_kind={kind!r} is not known. {nearest(str(kind), PRECISION_KINDS)}"
        raise InputError(msg)
    band = params.get("band")
    if band is not None and model.task == "classification":
        msg = f"band={band!r} is for regressions; {model.name} is a classifier, whose rules keep the class."
        raise InputError(msg)
    if band is not None and (not _number(band) or not 0 < band < math.inf):
        msg = f"band={band!r} is not a positive number: how far predictions under the rule may lie from that of the row."
        raise InputError(msg)
    schema = ask.data.schema
    given = params.get("rule")
    return Question(
        ask=ask,
        game=Game(model.predict_matrix, model.outputs, plain, compiled=False, width=len(model.outputs)),
        precision=_share(params.get("precision", 0.95), "precision"),
        confidence=_share(params.get("confidence", 0.95), "confidence"),
        kind=str(kind),
        most=_most(params.get("max_predicates", 5)),
        left_out=_left_out(params.get("exclude", "protected"), schema),
        band=None if band is None else float(band),
        rule=None if given is None else read_rule(given, schema),
    )


def _number(given: Any) -> bool:
    return isinstance(given, int | float | np.integer | np.floating) and not isinstance(given, bool)


def _share(given: Any, name: str) -> float:
    if not _number(given) or not 0 < given < 1:
        msg = f"{name}={given!r} is not a share between 0 and 1, such as 0.95; draws can come near to 1, and never show it."
        raise InputError(msg)
    return float(given)


def _most(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        msg = f"max_predicates={given!r} is not a whole number from 1 up."
        raise InputError(msg)
    return int(given)


def _left_out(given: Any, schema: Schema) -> frozenset[int]:
    """Positions of the columns that rules do without; "protected" is the schema's own."""
    if isinstance(given, str) and given not in schema.names:
        if given != "protected":
            msg = f"exclude={given!r} is neither 'protected' nor a column. {nearest(given, (*schema.names, 'protected'))}"
            raise InputError(msg)
        return frozenset(at for at, column in enumerate(schema.columns) if column.role == "protected")
    if given is not None and not isinstance(given, Iterable):
        msg = f"exclude={given!r} is neither 'protected' nor a list of column names."
        raise InputError(msg)
    names = () if given is None else (given,) if isinstance(given, str) else tuple(given)
    return frozenset(schema.index(name) for name in names)
