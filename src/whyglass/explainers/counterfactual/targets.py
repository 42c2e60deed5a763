"""What a counterfactual is asked for: a class, the next likely one, or a range of values; and when that is met."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import InputError, nearest
from whyglass.core.forest import Forest
from whyglass.core.model import Model
from whyglass.core.schema import write_number

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Goal:
    """What one row's prediction is to become.

    Attributes:
        position: The wanted class, or -1 where a range is wanted.
        low: Smallest prediction that will do.
        high: Largest one.
    """

    position: int = -1
    low: float = -math.inf
    high: float = math.inf

    def met(self, said: Array) -> NDArray[np.bool_]:
        """Which predictions (rows, outputs) are as wanted; one that is not finite never is."""
        fine = np.asarray(np.isfinite(said).all(axis=1))
        if self.position >= 0:
            return np.asarray(fine & (np.where(fine[:, None], said, 0.0).argmax(axis=1) == self.position))
        return np.asarray(fine & (said[:, 0] >= self.low) & (said[:, 0] <= self.high))

    def lacking(self, said: Array) -> Array:
        """How far predictions are from the goal, 0 where it is met, inf where a prediction is not finite."""
        fine = np.isfinite(said).all(axis=1)
        if self.position >= 0:
            others = np.delete(said, self.position, axis=1).max(axis=1, initial=-np.inf)
            short = others - said[:, self.position]
        else:
            short = np.maximum(self.low - said[:, 0], said[:, 0] - self.high)
        return np.where(fine, np.where(self.met(said), 0.0, np.maximum(short, np.finfo(float).tiny)), np.inf)


@dataclass(frozen=True)
class Target:
    """What was asked for of all rows.

    Attributes:
        words: In words.
        goal: The same for every row, or None where it depends on what the model says of the row.
        outputs: The classes.
    """

    words: str
    goal: Goal | None
    outputs: tuple[str, ...]

    def of(self, said: Array) -> Goal:
        """The goal of a row of which the model says this (outputs,): the likeliest of the other classes where none was named."""
        if self.goal is not None:
            return self.goal
        others = said.copy()
        others[int(said.argmax())] = -np.inf
        return Goal(int(others.argmax()))

    def name(self, goal: Goal) -> str:
        """One row's goal in words."""
        return self.outputs[goal.position] if goal.position >= 0 else self.words


def read_target(model: Model, given: Any) -> Target:
    """Read ``target=``.

    Args:
        model: The model.
        given: A class by name or, for a regression, a pair (low, high) with None for an open end; None for another class.

    Raises:
        InputError: If it fits neither the model's outputs nor its task.
    """
    if model.task == "classification":
        return _class(model, given)
    if len(model.outputs) != 1:
        msg = f"{model.name} predicts {len(model.outputs)} values; a counterfactual needs a model of one value, or of classes."
        raise InputError(msg)
    wanted = "wanted a range such as target=(10_000, 20_000), with None for an open end"
    if not isinstance(given, tuple | list) or len(given) != 2:
        msg = f"target={given!r} is no range of {model.outputs[0]}; {wanted}."
        raise InputError(msg)
    low, high = _end(given[0], -math.inf, wanted), _end(given[1], math.inf, wanted)
    if low > high or (math.isinf(low) and math.isinf(high)):
        msg = f"target={given!r} is {'turned round' if low > high else 'open at both ends'}; {wanted}."
        raise InputError(msg)
    ends = (write_number(low), write_number(high))
    words = (
        f"{ends[0]} to {ends[1]}"
        if not math.isinf(low) and not math.isinf(high)
        else f"at least {ends[0]}"
        if math.isinf(high)
        else f"at most {ends[1]}"
    )
    return Target(words, Goal(low=low, high=high), model.outputs)


def _class(model: Model, given: Any) -> Target:
    if len(model.outputs) < 2:
        msg = f"{model.name} knows one class only, so there is no other to go to."
        raise InputError(msg)
    if given is None:
        return Target("the other class" if len(model.outputs) == 2 else "the likeliest other class", None, model.outputs)
    if not isinstance(given, str) and str(given) in model.outputs:
        given = str(given)
    if given not in model.outputs:
        msg = f"There is no output {given!r}. {nearest(str(given), model.outputs)}"
        raise InputError(msg)
    return Target(given, Goal(model.outputs.index(given)), model.outputs)


def _end(given: Any, openly: float, wanted: str) -> float:
    if given is None:
        return openly
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = math.nan
    if math.isnan(value) or isinstance(given, bool | str):
        msg = f"target has {given!r} as an end; {wanted}."
        raise InputError(msg)
    return value


def demands(goal: Goal, forest: Forest) -> tuple[Array, Array]:
    """A goal as half-spaces of the forest's sums.

    Args:
        goal: What is wanted.
        forest: The forest; its links are monotone, so that a class or a range of predictions is one of sums.

    Returns:
        float64 (demands, sums) weights, and float64 (demands,): the weighted sums, base left out, must reach these.
    """
    sums = forest.n_outputs
    if goal.position < 0:
        ends = [(1.0, _unlinked(goal.low, forest.link)), (-1.0, -_unlinked(goal.high, forest.link))]
        kept = [(sign, aim) for sign, aim in ends if not math.isinf(aim) or aim > 0]
        weights = np.array([[sign] for sign, _ in kept]).reshape(-1, 1)
        aims = np.array([aim for _, aim in kept])
    elif sums == 1:
        weights, aims = np.array([[1.0 if goal.position == 1 else -1.0]]), np.zeros(1)
    else:
        others = [k for k in range(sums) if k != goal.position]
        weights = np.zeros((len(others), sums))
        weights[:, goal.position] = 1.0
        weights[np.arange(len(others)), others] = -1.0
        aims = np.zeros(len(others))
    return weights, aims - weights @ forest.base


def _unlinked(value: float, link: str) -> float:
    """The sum behind a prediction."""
    if link == "exp":
        return math.log(value) if 0 < value < math.inf else -math.inf if value <= 0 else math.inf
    return value
