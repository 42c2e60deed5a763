"""Small real data for demos and tests, shipped with the package together with its licence.

What lives here: one file for each data set with the function that reads it, the compressed columns, and a
``<name>-LICENCE.md`` that says where the data come from, what was changed and how to cite them. Reading needs the standard
library and numpy only; the frame that the caller wants is built by the row "builder" of the frames table.

What may not: a download, a pickle, a model, data without a licence that allows sharing, more than 300 kB a file.

To add one: put ``<name>.xz`` (written as ``columns.py`` describes), its licence file and a file for it here, and name its
function below.
"""

from __future__ import annotations

from whyglass.datasets.census_income import census
from whyglass.datasets.columns import Bunch

__all__ = ["Bunch", "census"]
