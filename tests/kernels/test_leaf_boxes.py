"""The leaf-box index: every row lies in exactly one box of each tree, and it is the box of the leaf that the row reaches."""

import numpy as np
import pytest
from random_forests import CODES, random_forest, random_rows

from whyglass.kernels import forest as sums
from whyglass.kernels import leaf_boxes


def inside(boxes, leaf, x):
    """By definition: every entry of the leaf holds."""
    for e in range(boxes.start[leaf], boxes.start[leaf + 1]):
        column, value = boxes.column[e], x[boxes.column[e]]
        count = int(boxes.codes[column])
        if count < 0:
            holds = bool(boxes.missing[e]) if np.isnan(value) else boxes.low[e] < value <= boxes.high[e]
        else:
            code = count + 1 if np.isnan(value) else count if not 0 <= value < count else int(value)
            holds = int(boxes.words[boxes.set_start[e] + code // 64]) >> (code % 64) & 1 == 1
        if not holds:
            return False
    return True


def summed(forest, boxes, X):
    """The forest's sums, from the boxes alone."""
    out = np.repeat(forest.base[None, :], len(X), axis=0)
    for row, x in enumerate(X):
        hits = [leaf for leaf in range(len(boxes)) if inside(boxes, leaf, x)]
        assert [int(boxes.tree[leaf]) for leaf in hits] == list(range(forest.n_trees)), "one leaf of each tree"
        for leaf in hits:
            first = max(0, forest.tree_output[boxes.tree[leaf]])
            value = forest.value[boxes.node[leaf]]
            out[row, first : first + len(value)] += value
    return out


@pytest.mark.parametrize("seed", range(6))
def test_a_row_lies_in_one_box_of_each_tree_and_it_is_its_leaf(seed):
    categories = (1, 2) if seed % 2 else (1,)
    forest = random_forest(seed, n_features=4, trees=4, max_depth=6, outputs=2, categories=categories)
    X = random_rows(seed + 100, 60, 4, categories)
    assert np.allclose(summed(forest, leaf_boxes.build(forest), X), sums.predict(forest, X), atol=1e-12)


def test_a_box_that_forgets_a_bound_is_caught():
    forest = random_forest(0, n_features=4, trees=4, max_depth=6, outputs=2)
    boxes = leaf_boxes.build(forest)
    boxes.high[:] = np.inf
    with pytest.raises(AssertionError, match="one leaf of each tree"):
        summed(forest, boxes, random_rows(100, 60, 4))


@pytest.mark.parametrize("seed", range(3))
def test_a_category_column_may_be_tested_by_threshold_and_have_codes_that_no_node_knows(seed):
    forest = random_forest(seed, n_features=4, max_depth=6, categories=(1,))
    boxes = leaf_boxes.build(forest, np.array([-1, CODES + 30, 3, -1]))
    assert boxes.codes.tolist() == [-1, CODES + 30, 3, -1]
    X = random_rows(7, 60, 4)
    X[:, 2] = np.random.default_rng(seed).integers(-1, 3, size=len(X))
    assert np.allclose(summed(forest, boxes, X), sums.predict(forest, X), atol=1e-12)


def test_it_says_what_it_weighs():
    boxes = leaf_boxes.build(random_forest(0, n_features=4, trees=4, max_depth=6))
    assert boxes.bytes == sum(item.nbytes for item in vars(boxes).values())
    assert boxes.bytes < 400 * len(boxes)
