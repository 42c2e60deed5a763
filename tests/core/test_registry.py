"""The tables: every row resolves, names are unique, errors teach."""

import importlib.util

import pytest

from whyglass.core import registry, tables
from whyglass.core.errors import InputError, MissingExtraError, nearest
from whyglass.core.row import Row


@pytest.mark.parametrize("table", sorted(tables.TABLES))
def test_names_are_unique_and_summed_up(table):
    names = [row.name for row in registry.rows(table)]
    assert len(names) == len(set(names))
    assert all(row.summary.endswith(".") for row in registry.rows(table))


@pytest.mark.parametrize("row", [r for t in tables.TABLES.values() for r in t], ids=lambda r: f"{r.where}")
def test_every_row_points_at_something(row):
    module, _, attribute = row.where.partition(":")
    assert importlib.util.find_spec(module) is not None, module
    assert callable(registry.resolve(row)), attribute


def test_unknown_names_offer_the_nearest():
    with pytest.raises(InputError, match=r"Did you mean 'shap\.tree'"):
        registry.find("methods", "shap.tre")
    with pytest.raises(InputError, match="Did you mean 'hosts'"):
        registry.rows("host")


def test_a_missing_extra_says_how_to_install_it():
    row = Row("x", "surely_not_installed_anywhere:thing", extra="demo")
    with pytest.raises(MissingExtraError, match=r"pip install 'whyglass\[demo\]'"):
        registry.resolve(row)
    with pytest.raises(ModuleNotFoundError):
        registry.resolve(Row("x", "surely_not_installed_anywhere:thing"))


def test_nearest_lists_what_is_valid():
    assert nearest("zzz", ["a", "b"]) == "Valid: 'a', 'b'."
    assert "and 8 more" in nearest("q", [f"name{i}" for i in range(20)])
