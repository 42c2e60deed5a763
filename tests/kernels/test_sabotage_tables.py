"""Tables and the interaction walk broken on purpose, one place at a time: brute force must catch every one of them."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from interactions_by_definition import game, matrix
from random_forests import random_forest, random_rows

from whyglass import kernels

SOURCE = Path(kernels.__file__).parent
ROOM = ("forest", "tree_plan", "tree_shap", "tree_interactions", "leaf_groups", "leaf_cells", "leaf_tables")
PLAIN = """
def compiled(function):
    return function


inlined = compiled
"""

MUTANTS = [
    ("leaf_groups", "if shape.player[up] == into[bit]:", "if shape.player[up] == into[bit] and written == 0:", "conditions are lost"),
    ("leaf_groups", "0 if trees.left[up] == child else 1", "1 if trees.left[up] == child else 0", "a path is turned round"),
    ("leaf_groups", "node, 0, path + count", "node, 1, path + count", "a test below is turned round"),
    ("leaf_groups", "if find(into, 0, count, position) == count:", "if True:", "a player counts twice on one path"),
    ("leaf_groups", "for b in range(a + 1, total):", "for b in range(a + 2, total):", "some pairs are never listed"),
    ("leaf_groups", "and state[at] == 1:", "and state[at] == 7:", "leaves of a group count as uncovered"),
    ("leaf_groups", "alike and trees.threshold[one] == trees.threshold[two]", "alike", "other thresholds are the same test"),
    ("leaf_cells", "leaf.want[at] |= want", "leaf.want[at] |= 0", "the left leaf is taken for the right"),
    ("leaf_cells", "leaf.want[at] |= _NEVER", "leaf.want[at] |= 0", "a path that no row can take is taken"),
    ("leaf_cells", "leaf.ratio[at] *= share(trees, up, child)", "leaf.ratio[at] *= 0.5", "shares below the group are forgotten"),
    ("leaf_cells", "leaf.path[at] *= share(grid.trees, up, child)", "leaf.path[at] *= 0.5", "shares on the path are forgotten"),
    ("leaf_cells", "T[x] * (off + t)", "T[x] * (off - t)", "a factor has the wrong sign"),
    ("leaf_cells", "(1.0 - t) * met, met + t * none", "(1.0 - t) * none, met + t * none", "background rows off the path are counted"),
    ("leaf_cells", "(count + 1) // 2, 1 << count", "max(1, count // 2), 1 << count", "one quadrature node too few"),
    ("leaf_cells", "a, c = w / t, w / (1.0 - t)", "a, c = w / t, w / (1.0 + t)", "an integral is off"),
    ("leaf_cells", "d, e, f = a / t, c / t, c / (1.0 - t)", "d, e, f = a / t, c / t, c / t", "an integral of pairs is off"),
    ("leaf_cells", "leaf.gain[y] = -none", "leaf.gain[y] = none", "a row off the path is credited"),
    ("leaf_cells", "- leaf.sums[0, y] - none", "- leaf.sums[0, y]", "a row on the path gets too much"),
    ("leaf_cells", "leaf.gain[z] = F[x] + G[x] - F[z]", "leaf.gain[z] = F[x] + G[x] + F[z]", "one of two on the path"),
    ("leaf_cells", "- E[y] - F[y] - E[z]", "- E[y] - E[z]", "both of two on the path"),
    ("leaf_cells", "strip[p] += v *", "strip[p] = v *", "leaves of a group overwrite each other"),
    ("leaf_tables", "0 if x[r] > threshold else 1", "1 if x[r] <= threshold else 0", "missing numbers go right"),
    ("leaf_tables", "met[r] &= again[r] ^ turned", "met[r] |= again[r] ^ turned", "one condition of a path is enough"),
    ("leaf_tables", "shares /= len(rows)", "shares /= len(rows) + 1", "background rows weigh too little"),
    ("leaf_tables", "np.maximum(trees.tree_output, 0)[groups.tree[group]] if", "0 if", "every tree adds to the first output"),
    ("leaf_tables", "both + (cells[c + k[r]] + cells[d + m[r]])", "both + cells[c + k[r]]", "the fourth look-up is lost"),
    ("leaf_tables", "into[r] += cells[a + i[r]] + cells[b + j[r]]", "into[r] += cells[a + i[r]]", "the second look-up is lost"),
    ("leaf_tables", "own[:, b] -= half[:, at]", "own[:, b] -= 0", "the diagonal keeps what pairs got"),
    ("tree_interactions", "none + more * work.on[level, r]", "none - more * work.on[level, r]", "a slope has the wrong sign"),
    ("tree_interactions", "above.hidden[before] = 1", "above.hidden[before] = 0", "a player met twice is counted twice"),
    ("tree_interactions", "slope[level * order + q, r] - old)", "slope[level * order + q, r])", "an edge forgets the one before it"),
    ("tree_interactions", "v * work.down[of, r]", "work.down[of, r]", "leaf values are forgotten"),
    ("tree_plan", "[trees.left[node]] == 0 else 0", "[trees.left[node]] == 9 else 0", "a right child walked first starts no sums"),
    ("tree_plan", "[trees.left[node]] | needed", "[trees.left[node]] & needed", "wanted leaves are cut off"),
]  # fmt: skip


def build(folder, number, file="", old="", new=""):
    """A copy of the kernels without the compiler, one place changed, imported under a name of its own."""
    name = f"broken_tables_{number}"
    room = folder / name
    room.mkdir()
    (room / "__init__.py").touch()
    (room / "jit.py").write_text(PLAIN, encoding="utf-8")
    for module in ROOM:
        text = (SOURCE / f"{module}.py").read_text(encoding="utf-8")
        if module == file:
            assert old in text, f"{file}.py no longer says {old!r}: name the place that took its part"
            text = text.replace(old, new)
        (room / f"{module}.py").write_text(text.replace("whyglass.kernels", name), encoding="utf-8")
    return [importlib.import_module(f"{name}.{module}") for module in ("leaf_tables", "tree_shap", "tree_interactions")]


CASES = [
    (random_forest(seed, n_features=4, trees=4, max_depth=4, outputs=outputs, categories=(1, 2)), random_rows(seed, 6, 4, (1, 2)))
    for seed, outputs in ((0, 1), (1, 2), (2, 1), (3, 2))
]
CASES += [
    (random_forest(s, n_features=4, trees=8, max_depth=4, categories=()), random_rows(s, 6, 4, ())) for s in (9, 11)
]  # recurring tests
PLAYERS = np.array([0, 1, 2, 0], np.int32)
for _, rows in CASES[::2]:
    rows[0, 0] = np.nan
TRUTH = [[matrix(game(f, X[0], PLAYERS, b), 3) for b in (None, X[2:])] for f, X in CASES]


def worst(rooms):
    """Largest distance from the truth over all cases; infinite where a kernel cannot even run."""
    tables, tree_shap, tree_interactions = rooms
    distance = 0.0
    for (forest, X), truths in zip(CASES, TRUTH, strict=True):
        try:
            for bits, background, (pairs, values) in ((3, None, truths[0]), (1, None, truths[0]), (9, X[2:], truths[1])):
                made = tables.build(forest, background, players=PLAYERS, pairs=True, bits=bits)
                alone = tables.build(forest, background, players=PLAYERS, bits=bits)
                found, shares = tables.interactions(made, X[:1]), tables.values(alone, X[:1])
                if made.rest is not None and background is None:
                    found = found + tree_interactions.interactions(forest, X[:1], players=PLAYERS, leaves=made.rest)
                    shares = shares + tree_shap.values(forest, X[:1], players=PLAYERS, leaves=made.rest)
                distance = max(distance, float(np.abs(found[0] - pairs).max()), float(np.abs(shares[0] - values).max()))
        except (IndexError, ZeroDivisionError, ValueError):
            return np.inf
    return distance


def test_the_copy_without_the_compiler_is_right(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    assert worst(build(tmp_path, "none")) <= 1e-12


@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=[f"{m[0]}: {m[3]}" for m in MUTANTS])
def test_a_broken_kernel_is_caught(tmp_path, monkeypatch, number):
    monkeypatch.syspath_prepend(tmp_path)
    file, old, new, _ = MUTANTS[number]
    with np.errstate(all="ignore"):
        assert not worst(build(tmp_path, number, file, old, new)) <= 1e-9
