"""Census income, 1994: 32,561 people, 11 facts about each, and whether they earned more than $50K a year."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import Literal

from whyglass.datasets.columns import Bunch, Columns, read

_UNITS = MappingProxyType({"Age": "{} years", "Hours per week": "{} h", "Capital gain": "${}", "Capital loss": "${}"})
_LABELS = MappingProxyType(
    {
        "title": "Income model",
        "subtitle": "Adult census, 1994",
        "outcome": "earn more than $50K",
        "opposite": "earn $50K or less",
        "noun": "people",
        "positive": "more than $50K",
    }
)
_LICENCE = "CC BY 4.0 (UCI Machine Learning Repository, Adult)"
_CITATION = "Becker, B. & Kohavi, R. (1996). Adult [Dataset]. UCI Machine Learning Repository. https://doi.org/10.24432/C5XW20."
_DESCRIPTION = (
    "One person of the 1994 US census a row. Blanks around values removed, '?' is missing, category names written out, "
    "the number of school years left out because it repeats Education. 8,141 rows drawn at random are held out."
)


def census(as_frame: Literal["numpy", "pandas", "polars", "arrow"] | None = None) -> Bunch:
    """Census income: who earned more than $50K a year in 1994.

    Args:
        as_frame: Which kind of frame ``X`` is; None takes pandas, else polars, else pyarrow, whichever is installed.
            With "numpy" it is an object array without column names.

    Returns:
        ``X`` (32,561 rows; Age, Education (ordered), Occupation, Employer, Hours per week, Capital gain, Capital loss, Marital
        status, Household role, Gender, Ethnicity; a fact not stated is missing), ``y`` ("more than $50K" or "$50K or less"),
        ``split`` (24,420 "train", 8,141 "held out"), ``protected`` (Gender, Ethnicity), units, sentence words, licence.

    Raises:
        InputError: If there is no such kind of frame.
    """
    columns = _columns()
    names = tuple(n for n in columns.names if n not in {"y", "split"})
    return Bunch(
        X=columns.frame(names, as_frame),
        y=columns.text("y"),
        split=columns.text("split"),
        names=names,
        protected=("Gender", "Ethnicity"),
        units=_UNITS,
        labels=_LABELS,
        licence=_LICENCE,
        citation=_CITATION,
        description=_DESCRIPTION,
    )


@cache
def _columns() -> Columns:
    return read("census.xz")
