"""The static picture: well-formed, escaped, complete, and drawn to scale."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from whyglass.core.attribution import Attribution
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.views.waterfall import svg

SVG = "{http://www.w3.org/2000/svg}"


def made(features=4, space="probability", errors=False, name="<script>alert('x')</script>"):
    rng = np.random.default_rng(0)
    columns = tuple(Column(name if j == 0 else f"f{j}") for j in range(features))
    values = rng.normal(size=(1, features, 1)) / 10
    base = np.array([[0.24]])
    return Attribution(
        values=values,
        base_values=base,
        predictions=base + values.sum(axis=1),
        dataset=Dataset(Schema(columns), rng.normal(size=(1, features))),
        output_names=('say "yes" & <b>',),
        space=space,
        exact=not errors,
        std_errors=np.full_like(values, 0.01) if errors else None,
    )


@pytest.mark.parametrize("features", [1, 4, 30])
@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize("space", ["probability", "margin"])
def test_it_parses_and_escapes(features, errors, space):
    text = svg(made(features, space, errors))
    root = ET.fromstring(text)  # noqa: S314  (our own text)
    assert root.get("role") == "img"
    assert not list(root.iter(f"{SVG}script"))
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    bars = [r for r in root.iter(f"{SVG}rect") if r.get("class") in ("u", "d")]
    assert len(bars) == min(features, 11)


def test_bars_are_to_scale_and_carry_their_sign():
    why = made(4)
    root = ET.fromstring(svg(why))  # noqa: S314
    bars = [r for r in root.iter(f"{SVG}rect") if r.get("class") in ("u", "d")]
    values = why.values[0, np.argsort(-np.abs(why.values[0, :, 0])), 0]
    widths = np.array([float(b.get("width")) for b in bars])
    assert np.allclose(widths / widths[0], np.abs(values) / abs(values[0]), atol=0.02)
    assert [b.get("class") for b in bars] == ["u" if v >= 0 else "d" for v in values]
    assert not np.allclose(widths / widths[0], np.abs(values[::-1]) / abs(values[-1]), atol=0.02)


def test_the_rest_is_summed():
    why = made(30)
    text = svg(why)
    assert "20 more" in text
    order = np.argsort(-np.abs(why.values[0, :, 0]))
    rest = 100 * why.values[0, order[10:], 0].sum()
    assert re.search(rf"{abs(rest):.1f}<", text)


def test_a_row_that_failed_says_so():
    why = made()
    failed = Attribution(
        **{
            **{f: getattr(why, f) for f in ("values", "base_values", "predictions", "dataset", "output_names", "space", "exact")},
            "status": ("the model raised <ValueError>",),
        }
    )
    assert "could not be explained" in svg(failed)
    assert "&lt;ValueError&gt;" in svg(failed)
