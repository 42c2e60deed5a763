"""A Parquet file of answers, written block by block: nothing stands at its path before all of it does."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError

KEY = "whyglass"


class Sheet:
    """The flat frame of many answers below each other, as ``Attribution.save`` writes that of one.

    Use it as a context: leaving without ``finish`` removes what was written. The file stands beside its path under a hidden
    name until it is whole, and is renamed then.

    Args:
        path: Where to; an existing file is replaced only by a complete one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        self._errors = False
        self._rows = 0
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, pa.ArrowException):  # a full disk was the error already, or the file is not wanted any more
            self._close()
        self._beside.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()

    def add(self, answers: Attribution, *, errors: bool = False) -> None:
        """Write the next rows: one row group.

        Args:
            answers: The answers, all of one method.
            errors: Whether there are columns of standard errors in any case; zeros stand where values are exact.

        Raises:
            InputError: If the file cannot be written to.
        """
        self._errors = self._errors or errors or answers.std_errors is not None
        if self._errors and answers.std_errors is None:
            answers = _with_errors(answers)
        table = answers.to_frame("arrow")
        table = table.set_column(0, "row", pa.array(table.column("row").to_numpy() + self._rows))
        try:
            if self._writer is None:
                words = ["output", "status"]
                self._writer = parquet.ParquetWriter(
                    self._beside, table.schema, compression="zstd", use_dictionary=words, store_schema=False
                )
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        except OSError as error:
            raise self._cannot(error) from error
        self._rows += len(answers)

    def finish(self, meta: dict[str, Any]) -> None:
        """Write the metadata and put the file in its place.

        Args:
            meta: JSON: what all answers have in common, their provenance among it.

        Raises:
            InputError: If the file cannot be written to.
        """
        text = json.dumps({"whyglass": 1, "meta": meta}, allow_nan=False)
        try:
            self._writer.add_key_value_metadata({KEY: text})
            self._close()
            self._beside.replace(self._path)
        except OSError as error:
            raise self._cannot(error) from error

    def _cannot(self, error: OSError) -> InputError:
        return InputError(f"{str(self._path)!r} cannot be written: {error.strerror or error}.")


def _with_errors(answers: Attribution) -> Attribution:
    """Exact values among estimates: their error is nil."""
    return replace(answers, exact=False, std_errors=np.where(np.isnan(answers.values), np.nan, 0.0))
