"""How far two attributions of the same rows agree: on what is strongest, on directions, on the order by size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import InputError

if TYPE_CHECKING:
    from whyglass.core.attribution import Attribution

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
Counts = NDArray[np.int64]

Z95 = 1.959964
SLIGHT = 0.05  # share of the largest value of a row below which a direction is not spoken of


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far two sets of values agree, one entry a row.

    Attributes:
        k: How many of the strongest features were compared: fewer than asked for where either has fewer that are not zero.
        shared: How many of them are among the strongest in both.
        same_sign: How many of the shared ones point the same way in both.
        opposite: How many features, of all, point in opposite ways beyond their errors.
        rank_correlation: Spearman's correlation of the sizes of all features; NaN where one side's are all of one size.
    """

    k: Counts
    shared: Counts
    same_sign: Counts
    opposite: Counts
    rank_correlation: Array


def compare(one: Array, two: Array, errors: tuple[Array | None, Array | None] = (None, None), k: int = 5) -> Agreement:
    """Compare values row by row.

    Feature, sign and rank agreement after Krishna et al. 2022 (The Disagreement Problem in Explainable Machine Learning, TMLR 2024).

    Args:
        one: float64 (rows, features).
        two: The same.
        errors: Standard errors of each, or None where values are exact.
        k: How many of the strongest features are compared; ties go to the feature that stands first.
    """
    first, second = _strongest(one, k), _strongest(two, k)
    both = first & second
    least = np.minimum(first.sum(axis=1), second.sum(axis=1))
    alike = (np.sign(one) == np.sign(two)) & both
    against = opposite(one, two, errors)
    return Agreement(least, both.sum(axis=1), alike.sum(axis=1), against.sum(axis=1), _spearman(np.abs(one), np.abs(two)))


def opposite(one: Array, two: Array, errors: tuple[Array | None, Array | None] = (None, None)) -> Bits:
    """Features that point in opposite ways: bool (rows, features).

    Both 95% intervals must leave out zero, and both values be at least a twentieth of the largest of their row.
    """
    found: Bits = (np.sign(one) * np.sign(two) < 0) & _sure(one, errors[0]) & _sure(two, errors[1])
    return found


def _sure(values: Array, errors: Array | None) -> Bits:
    sizes = np.abs(values)
    large: Bits = sizes >= SLIGHT * sizes.max(axis=1, keepdims=True, initial=0.0)
    if errors is not None:
        large &= sizes > Z95 * np.nan_to_num(errors, nan=np.inf)
    return large


def _strongest(values: Array, k: int) -> Bits:
    sizes = np.abs(values)
    chosen: Bits = np.zeros(values.shape, dtype=np.bool_)
    np.put_along_axis(chosen, np.argsort(-sizes, axis=1, kind="stable")[:, :k], np.True_, axis=1)
    chosen &= sizes > 0
    return chosen


def _spearman(one: Array, two: Array) -> Array:
    a, b = _ranks(one), _ranks(two)
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.where(spread > 0, (a * b).sum(axis=1) / np.where(spread > 0, spread, 1.0), np.nan)


def _ranks(values: Array) -> Array:
    """Ranks of each row's values; equal values share the middle one of theirs."""
    rows, columns = values.shape
    order = np.argsort(values, axis=1, kind="stable")
    ranked = np.take_along_axis(values, order, axis=1)
    place = np.broadcast_to(np.arange(columns), (rows, columns))
    begins = np.ones((rows, columns), dtype=np.bool_)
    begins[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    ends = np.ones((rows, columns), dtype=np.bool_)
    ends[:, :-1] = begins[:, 1:]
    start = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    stop = np.minimum.accumulate(np.where(ends, place, columns)[:, ::-1], axis=1)[:, ::-1]
    found = np.empty((rows, columns))
    np.put_along_axis(found, order, (start + stop) / 2, axis=1)
    return found


def check_pair(one: Attribution, two: Attribution) -> tuple[str, ...]:
    """Make sure that two results speak of the same rows, columns and model; gives the outputs that both have, in the order of ``one``.

    Raises:
        InputError: If they do not; it says in what they differ.
    """
    if one.feature_names != two.feature_names or one.groups != two.groups:
        msg = f"The results speak of different columns or groups: {_some(one.feature_names)} and {_some(two.feature_names)}."
        raise InputError(msg)
    if len(one) != len(two) or one.dataset.content_hash() != two.dataset.content_hash():
        msg = f"The results explain different rows ({len(one):,} and {len(two):,}). Ask both methods about the same rows in the same order."
        raise InputError(msg)
    hashes = one.provenance.model_hash, two.provenance.model_hash
    if all(hashes) and hashes[0] != hashes[1]:
        msg = "The results are of different models."
        raise InputError(msg)
    outputs = tuple(name for name in one.output_names if name in two.output_names)
    if not outputs:
        msg = f"The results have no output in common: {_some(one.output_names)} and {_some(two.output_names)}. Pass both the same target=."
        raise InputError(msg)
    return outputs


def check_spaces(one: Attribution, two: Attribution) -> None:
    """Make sure that the values of two results are on one scale.

    Raises:
        InputError: If they are not.
    """
    if one.space != two.space:
        msg = f"The results are in {one.space} and in {two.space} space. Ask both methods for the same space=."
        raise InputError(msg)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names[:4])) + (", ..." if len(names) > 4 else "")
