"""What to believe of candidates: the table's word on each, how far the table is off for the case, and the candidate's own draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.explainers.anchors.candidates import Candidate

Array = NDArray[np.float64]
OFF = (-0.5, 0.5)  # mean and spread of how far the table is off for a case, in logarithmic odds, before any draw
OWN = 0.3  # spread of how far it is off for one candidate beyond that
_EDGE = 1e-4  # shares are kept so far from 0 and 1


@dataclass(eq=False)
class Trial:
    """A candidate and what its draws said so far."""

    candidate: Candidate
    hits: int = 0
    draws: int = 0


def odds(share: Array) -> Array:
    """Logarithmic odds of shares."""
    inner = np.clip(share, _EDGE, 1.0 - _EDGE)
    return np.asarray(np.log(inner / (1.0 - inner)))


def believed(trials: Sequence[Trial]) -> tuple[Array, Array]:
    """Mean and spread of the true precision's logarithmic odds, for each candidate.

    A candidate's odds are the table's, plus what the case's candidates have in common, plus what is its own; all three are
    taken as normal, so that the draws of one candidate also speak of the others.

    Args:
        trials: The candidates of a case.

    Returns:
        float64 (candidates,) twice.
    """
    told = odds(np.array([t.candidate.share for t in trials]))
    hits, draws = np.array([t.hits for t in trials], float), np.array([t.draws for t in trials], float)
    share = (hits + 0.5) / (draws + 1.0)
    noise = 1.0 / np.maximum(draws * np.maximum(share * (1.0 - share), 0.01), _EDGE)
    weight = np.where(draws > 0, 1.0 / (noise + OWN**2), 0.0)
    off = odds(share) - told
    known = 1.0 / (1.0 / OFF[1] ** 2 + weight.sum())
    common = known * (OFF[0] / OFF[1] ** 2 + float((weight * off).sum()))
    heard = np.where(draws > 0, OWN**2 / (OWN**2 + noise), 0.0)
    middle = told + common + heard * (off - common)
    spread = np.sqrt(known * (1.0 - heard) ** 2 + OWN**2 * (1.0 - heard))
    return middle, spread


def chances(trials: Sequence[Trial], needed: float, draws: int) -> Array:
    """Chance that so many more draws of each candidate hit in at least a share of ``needed``.

    Args:
        trials: The candidates of a case.
        needed: The share.
        draws: How many draws.
    """
    middle, spread = believed(trials)
    share = 1.0 / (1.0 + np.exp(-middle))
    far = (middle - odds(np.array([needed]))) / np.sqrt(spread**2 + 1.0 / (draws * share * (1.0 - share)))
    return np.array([0.5 * (1.0 + math.erf(z / math.sqrt(2.0))) for z in far])
