"""The mean distance to the nearest rows is what a table of all distances says."""

from __future__ import annotations

import numpy as np
import pytest

from whyglass.kernels import surroundings

pytestmark = pytest.mark.uncompiled


def by_table(ones, others, scale, near, skip):
    """All distances, sorted."""
    gap = np.abs(ones[:, None] - others[None])
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(scale == 0, (gap != 0) * 1.0, gap / scale)
    missing = np.isnan(ones)[:, None] * 1 + np.isnan(others)[None]
    step = np.where(missing == 1, 1.0, np.where(missing == 2, 0.0, step))
    return np.sort(step.sum(axis=2), axis=1)[:, skip:near].mean(axis=1)


def rows(count, seed):
    rng = np.random.default_rng(seed)
    made = np.column_stack([rng.normal(size=count), rng.integers(0, 3, count), rng.integers(0, 4, count) / 2.0])
    made[rng.random(made.shape) < 0.1] = np.nan
    return made


def found(ones, others, scale, near, skip):
    return surroundings.mean_nearest(ones, others, scale, near, skip)


@pytest.mark.parametrize(("near", "skip"), [(1, 0), (5, 0), (6, 1), (40, 1)])
def test_it_is_what_a_table_of_distances_says(near, skip):
    ones, others, scale = rows(30, 0), rows(40, 1), np.array([0.7, 0.0, 1.5])
    np.testing.assert_allclose(found(ones, others, scale, near, skip), by_table(ones, others, scale, near, skip), rtol=1e-12)


def test_the_check_sees_a_scale_forgotten_and_a_row_counted_among_its_neighbours():
    ones, scale = rows(30, 0), np.array([0.7, 0.0, 1.5])
    true = by_table(ones, ones, scale, 6, 1)
    assert not np.allclose(found(ones, ones, np.array([1.0, 0.0, 1.5]), 6, 1), true, rtol=1e-3)
    assert not np.allclose(found(ones, ones, scale, 6, 0), true, rtol=1e-3)


def test_blocks_do_not_matter():
    ones, others, scale = rows(30, 0), rows(40, 1), np.array([0.7, 0.0, 1.5])
    whole = found(ones, others, scale, 5, 0)
    assert np.array_equal(whole, np.concatenate([found(ones[:7], others, scale, 5, 0), found(ones[7:], others, scale, 5, 0)]))
