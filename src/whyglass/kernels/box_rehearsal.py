"""Every kernel of the search over boxes called once, so that its machine code is made off the click path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from whyglass.kernels import box_company, box_descent, box_parts, box_search, box_steps, leaf_boxes


def kernels() -> tuple[Callable[..., Any], ...]:
    """The functions that are compiled on their own and kept on disk."""
    return (
        leaf_boxes.write_sets,
        leaf_boxes.find_levels,
        leaf_boxes.write_boxes,
        box_steps.narrow_regions,
        box_steps.leaves_of,
        box_steps.hand_up,
        box_parts.settle_all,
        box_parts.hand_up_reached,
        box_parts.bound,
        box_parts.worst_demand,
        box_company.company_of,
        box_company.has_company,
        box_company.invite,
        box_company.may_have_company,
        box_search.push,
        box_search.push_interval,
        box_search.push_set,
        box_search.split_clause,
        box_search.hull_of_point,
        box_search.hull_of_leaves,
        box_search.split_hull,
        box_search.blame,
        box_search.split_column,
        box_search.search,
        box_search.open_regions,
        box_search.price_regions,
        box_search.settle_region,
        box_descent.is_wanted,
        box_descent.descend,
    )


def rehearse(forest: Any) -> bool:
    """Find the nearest cell of a forest of one numeric column whose sum is at least 0.5, from a row at 0; whether there is one."""
    boxes = leaf_boxes.build(forest)
    edges = box_steps.column_edges(forest, boxes.codes)
    steps = box_steps.steps_of(forest, boxes, edges)
    own = box_steps.cells(np.zeros((1, 1)), edges, steps.codes)
    regions = box_steps.whole(steps, edges)
    leaves = np.zeros((1, len(steps.roots)), np.int32)
    box_steps.leaves_of(steps, own, leaves)
    box_steps.narrow_regions(steps, leaves, regions)
    gain = np.ascontiguousarray(forest.value.T)
    box_steps.hand_up(steps, gain[0])
    size = len(edges[0]) + 1
    places = np.arange(size)
    nexts = np.stack([places, places], axis=1).astype(np.int32)
    price = np.abs(places - own[0, 0]).astype(np.float64)
    case = box_parts.Case(own[0].copy(), np.array([0, size]), price, nexts, np.zeros(0, np.uint64))
    clauses = box_parts.Clauses(np.zeros(1, np.int64), np.zeros((0, 5), np.int64), np.zeros(0, np.uint64))
    wanted = box_parts.Wanted(gain, np.full(1, 0.5), np.ones(1, np.int64))
    company = box_parts.Company(np.arange(len(boxes), dtype=np.int32)[:, None], np.ones(1, np.int64))
    problem = box_parts.Problem(steps, wanted, case, clauses, np.zeros((0, 1), np.int64), company)
    work, store = box_parts.work_for(steps, 4, company), box_search.store_for(steps, 0)
    row = np.zeros(1, np.int64)
    box_search.price_regions(problem, work, regions, row, np.zeros(0))
    box_search.settle_region(problem, work, regions, 0)
    box_descent.descend(problem, work)
    box_search.open_regions(problem, store, work, box_steps.whole(steps, edges), row)
    box_company.invite(problem, work)
    box_company.company_of(company.leaves, leaves, np.zeros(1, np.int64), np.zeros(1, np.int64))
    box_parts.hand_up_reached(problem, work, gain[0], np.full(gain.shape[1], -np.inf))
    return bool(box_search.search(problem, store, work, 16) == box_search.FOUND)
