"""Columns as an Arrow IPC stream: how tables travel to a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def stream(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack equally long numeric columns into one uncompressed Arrow IPC stream."""
    table = pa.table({name: pa.array(np.ascontiguousarray(column)) for name, column in columns.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=max(1, table.num_rows))
    return bytes(sink.getvalue())
