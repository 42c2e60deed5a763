"""The map: neighbours stay neighbours, the same on every run, whatever is thrown at it."""

import numpy as np
import pytest

from whyglass.views.embedding import flat_map


def blobs(seed=0, rows=240):
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=10, size=(6, 8))
    labels = np.arange(rows) % 6
    return centres[labels] + rng.normal(size=(rows, 8)), labels


def purity(places, labels, k=5):
    apart = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1)[:, :k]
    return (labels[nearest] == labels[:, None]).mean()


def test_neighbours_stay_neighbours():
    points, labels = blobs()
    places = flat_map(points).places
    assert purity(places, labels) > 0.95
    assert purity(np.random.default_rng(0).normal(size=places.shape), labels) < 0.5


def test_newcomers_land_among_their_own():
    points, labels = blobs()
    x, y = flat_map(points[:120]).place(points[120:])
    assert purity(np.column_stack([x, y]).astype(float), labels[120:]) > 0.9


def test_the_same_map_every_time():
    points, _ = blobs()
    assert np.array_equal(flat_map(points).places, flat_map(points).places)


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 9])
@pytest.mark.parametrize("columns", [1, 3])
def test_few_rows_and_constant_columns(rows, columns):
    points = np.ones((rows, columns))
    x, y = flat_map(points).place(np.ones((4, columns)))
    assert x.dtype == y.dtype == np.uint16
    assert len(x) == len(y) == 4
