"""What an explainer is asked: one frozen record instead of a dozen parameters."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from whyglass.core.errors import InputError
from whyglass.core.executor import Executor
from whyglass.core.model import Model
from whyglass.core.schema import Dataset

DEFAULT_EVALUATIONS = 2048


def least_evaluations(columns: int) -> int:
    """The smallest budget that a sampled method can tell so many columns apart with."""
    return min(2 * columns + 6, 1 << columns)


@dataclass(frozen=True)
class Budget:
    """How much may be spent: value-function evaluations per row, or wall time of the call.

    Attributes:
        evaluations: Cap per explained row.
        deadline: ``time.monotonic()`` value after which no further evaluation starts; None when there is no time limit.
        given: Whether the caller named the number of evaluations, so that it caps what a method would do of its own.
    """

    evaluations: int = DEFAULT_EVALUATIONS
    deadline: float | None = None
    given: bool = False

    def left(self) -> bool:
        """Whether there is time left."""
        return self.deadline is None or time.monotonic() < self.deadline

    @classmethod
    def read(cls, given: int | str | Budget | None) -> Budget:
        """Read ``budget=``: a Budget as it is, an int of evaluations per row, or a wall time such as "200ms" or "30s".

        Raises:
            InputError: If it is neither.
        """
        if isinstance(given, Budget):
            return given
        if given is None:
            return cls()
        if isinstance(given, Integral) and not isinstance(given, bool) and given > 0:
            return cls(evaluations=int(given), given=True)
        text = str(given).strip().lower()
        for suffix, scale in (("ms", 1e-3), ("s", 1.0)):
            if text.endswith(suffix):
                try:
                    seconds = float(text.removesuffix(suffix)) * scale
                except ValueError:
                    break
                if 0 < seconds < math.inf:
                    return cls(evaluations=2**31, deadline=time.monotonic() + seconds)
        msg = f"budget={given!r} is neither a positive number of evaluations per row nor a time such as '200ms' or '30s'."
        raise InputError(msg)


@dataclass(frozen=True, eq=False)
class Ask:
    """Everything an explainer needs to answer.

    Attributes:
        model: The wrapped model.
        data: The rows to explain, encoded by the model's schema.
        background: Rows that stand for "unknown"; None when the caller gave none.
        space: "margin", "probability", "value", or None for the method's exact space.
        outputs: Positions of the outputs asked for, in the order of ``model.outputs``.
        target: What the caller gave as ``target``: an output's name, or for a counterfactual a range of values.
        budget: How much may be spent.
        seed: Every random draw follows from it.
        executor: Maps over blocks of rows.
        params: The method's own parameters.
    """

    model: Model
    data: Dataset
    background: Dataset | None = None
    space: str | None = None
    outputs: tuple[int, ...] = ()
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    executor: Executor = field(default_factory=Executor)
    params: Mapping[str, Any] = field(default_factory=dict)
    target: Any = None
