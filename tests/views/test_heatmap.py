"""The static picture of pairs: well-formed, escaped, shaded by size, under the waterfall."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

import whyglass as wg
from whyglass.core import registry
from whyglass.core.attribution import Attribution
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.views.heatmap import svg
from whyglass.views.waterfall import svg as waterfall

SVG = "{http://www.w3.org/2000/svg}"


def made(space="margin", rows=5, names=("<script>", "b & c", "third")):
    both = np.zeros((rows, 3, 3, 1))
    both[:, 0, 1] = both[:, 1, 0] = 0.5
    both[:, 0, 2] = both[:, 2, 0] = -0.1
    both[:, [0, 1, 2], [0, 1, 2]] = np.array([3.0, 2.0, 0.5])[:, None]
    values = both.sum(axis=2)
    schema = Schema(tuple(Column(name) for name in names))
    return Attribution(
        values=values,
        base_values=np.zeros((rows, 1)),
        predictions=values.sum(axis=1),
        dataset=Dataset(schema, np.zeros((rows, 3))),
        output_names=("out",),
        space=space,
        exact=True,
        interactions=both,
    )


def shades(text):
    root = ET.fromstring(text)  # noqa: S314  (our own text)
    return [float(r.get("opacity")) for r in root.iter(f"{SVG}rect") if r.get("class") == "c"]


@pytest.mark.parametrize("space", ["margin", "probability", "value", "log_loss"])
def test_it_parses_escapes_and_names_the_unit(space):
    text = svg(made(space))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    root = ET.fromstring(text)  # noqa: S314  (our own text)
    assert "and b &" in root.get("aria-label")
    unit = {"margin": "margin units", "probability": "percentage points", "value": "units of the prediction", "log_loss": "log loss"}
    assert unit[space] in text
    assert ("100.0 percentage" if space == "probability" else "1 ") in root.get("aria-label")


def test_a_pair_is_shaded_by_both_halves_beside_the_strongest():
    assert shades(svg(made())) == [1.0, pytest.approx(0.2**0.85, abs=0.01), 0.0]


def test_main_effects_are_no_pairs():
    strong = made()
    strong.interactions[:, 0, 0] = 1000.0
    assert shades(svg(strong)) == shades(svg(made()))


def test_it_stands_under_the_waterfall():
    why = made()
    both = wg.show(why).fallback()
    root = ET.fromstring(both)  # noqa: S314  (our own text)
    inner = list(root.findall(f"{SVG}svg"))
    assert len(inner) == 2
    assert float(inner[1].get("y")) == float(inner[0].get("height"))
    assert float(root.get("height")) == sum(float(part.get("height")) for part in inner)
    assert wg.show(replace(why, interactions=None)).fallback() == waterfall(why)


def test_without_interactions_it_says_so():
    with pytest.raises(wg.UnsupportedError, match="interactions=True"):
        registry.load("views", "static-heatmap")(replace(made(), interactions=None))


def test_no_rows_and_players():
    assert shades(svg(made(rows=0))) == [0.0, 0.0, 0.0]
    grouped = replace(made(names=("a", "b", "c")), groups=(("a", (0,)), ("b", (1,)), ("rest", (2,))))
    assert ">rest<" in svg(grouped)
