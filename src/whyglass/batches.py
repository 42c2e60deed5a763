"""``explain_to``: answers for more rows than fit into the memory, written to a file block by block."""

from __future__ import annotations

import hashlib
import itertools
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from whyglass.core import registry
from whyglass.core.ask import Budget
from whyglass.core.attribution import Attribution
from whyglass.core.container import plain
from whyglass.core.errors import InputError, UnsupportedError, nearest
from whyglass.core.executor import Executor
from whyglass.core.model import Model
from whyglass.core.provenance import Provenance
from whyglass.core.schema import Dataset
from whyglass.core.written import Written
from whyglass.facade import _answer, ready

ROWS = 50_000  # of a block: enough for every kernel to pay for its set-up
NUMBERS = 8_000_000  # values of a block at most
COMMON = ("method", "target", "space", "seed")


def explain_to(path: str | Path, model: Any, X: Any, *, y: Any = None, executor: Executor | None = None, **options: Any) -> Written:
    """Explain rows block by block into a Parquet file, in memory that does not grow with their number.

    >>> done = wg.explain_to("why.parquet", model, "rows.parquet", executor=wg.Executor(progress=print))
    >>> done.rows, done.failed, done.seconds

    The file has the columns of ``explain(model, X).to_frame()``: row, output, base_value, prediction, one a feature, with estimates
    one "<feature> std_error" each, and status; the same numbers. Its metadata entry "whyglass" is JSON that says how they were made.
    It is written beside its path and renamed when whole: after an error or a cancel, nothing is left.

    Args:
        path: Where to, ending in ".parquet".
        model: What ``wrap`` gave, or a bare estimator with ``data=`` its training rows. Without these the rows of a frame ``X`` stand
            in as in ``explain``; of a file, its first 50,000 and one for each category after them.
        X: Any frame, or the path of a .parquet, .arrow, .feather or .csv file, which is read batch by batch.
        y: Recorded outcomes of ``data`` where that is given, else of ``X``; or the name of a column of the file ``X``.
        executor: Threads; ``progress`` hears of all rows, a block when it is written; ``cancel`` raises Cancelled.
        **options: All others of ``explain``: method, target, data, background, space, budget, seed and the method's own. A budget that
            is a time is that of all rows together.

    Returns:
        A Written: path, rows, failed, seconds, model_calls, provenance.

    Raises:
        InputError: If the path has another ending, or the rows do not fit the schema.
        UnsupportedError: If the model cannot give what the method needs.
        Cancelled: If ``executor.cancel`` was set.

    Cost: that of ``explain``, and about 10 bytes of disk a value. Memory: that of explaining 50,000 rows, or of fewer where there are
    many columns and outputs, however many rows there are.
    """
    start = time.perf_counter()
    target = _target(path, options)
    by, budget = Executor.read(executor), options.pop("budget", None)
    data, background = options.pop("data", None), options.pop("background", None)
    common = {name: options.pop(name) for name in COMMON if name in options}
    common.update(budget=Budget.read(budget), params=options)
    source = registry.load("frames", "blocks")(X)
    outcomes = _outcomes(y, source) if data is None else None
    rows, recorded, rows_are = X, outcomes, "explained rows"
    if source.file is not None and data is None and not isinstance(model, Model):
        rows = source.sample(ROWS, without=outcomes if isinstance(outcomes, str) else None)
        recorded, rows_are = None, "first explained rows"
    wrapped, unknown = ready(model, rows, recorded if data is None else y, data=data, background=background, rows_are=rows_are)
    parts = _parts(source.rows, len(wrapped.schema) * len(wrapped.outputs))
    told = _Told(wrapped, source.rows)
    column = outcomes if isinstance(outcomes, str) else None
    sheet = registry.load("exports", "sheet")(target)
    with sheet, closing(source.blocks(parts, wrapped.schema, column)) as blocks:
        for part, (frame, found) in zip(parts, blocks, strict=True):
            by.check()
            read = wrapped.encode(frame, found if isinstance(outcomes, str | None) else outcomes[part])
            answers = _answer(wrapped, read, background=unknown, executor=_within(by, part, source.rows), **common)
            told.add(answers, read)
            sheet.add(answers, errors=told.estimates)
            if by.progress is not None:
                by.progress(part.stop, source.rows)
        by.check()
        made = told.provenance(budget, time.perf_counter() - start)
        sheet.finish(told.meta(made))
    return told.written(target, made)


def _target(path: str | Path, options: dict[str, Any]) -> Path:
    """Say before the work, not after it, what cannot be written."""
    target = Path(path)
    if target.suffix != ".parquet":
        msg = f"explain_to writes .parquet, not {target.name!r}. {nearest(target.suffix, ['.parquet'])}"
        raise InputError(msg)
    if not target.absolute().parent.is_dir():
        msg = f"There is no folder {str(target.absolute().parent)!r} to write {target.name!r} into."
        raise InputError(msg)
    if options.get("interactions"):
        msg = "A flat file has no room for interactions. Leave them out, or explain fewer rows with explain(..., interactions=True)."
        raise InputError(msg)
    return target


def _outcomes(y: Any, source: Any) -> Any:
    """What was recorded of the rows: the name of a column of the file, or one outcome a row."""
    if y is None or (isinstance(y, str) and source.file is not None):
        return y
    if isinstance(y, str):
        msg = f"y={y!r} names a column, which only a file has beside those of the model. Pass the outcomes themselves."
        raise InputError(msg)
    values = np.asarray(y.to_numpy() if hasattr(y, "to_numpy") else y)
    if values.shape not in ((source.rows,), (source.rows, 1)):
        msg = f"y has shape {values.shape}, X has {source.rows:,} rows; wanted one outcome a row."
        raise InputError(msg)
    return values.reshape(-1)


def _parts(rows: int, width: int) -> list[slice]:
    """Blocks of nearly equal size, so that none is so small that a method would go about it in another way."""
    most = max(1, min(ROWS, NUMBERS // max(1, width)))
    count = max(1, -(-rows // most))
    edges = [rows * k // count for k in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def _within(by: Executor, part: slice, rows: int) -> Executor:
    """The executor of one block: what it says of itself is told as a part of all rows, and never goes back."""
    if by.progress is None:
        return by
    tell, heard, size = by.progress, part.start, part.stop - part.start

    def progress(done: int, total: int) -> None:
        nonlocal heard
        now = min(part.start + size * done // max(1, total), part.stop - 1)
        if now > heard:
            heard = now
            tell(now, rows)

    return replace(by, progress=progress)


@dataclass(eq=False)
class _Told:
    """What is kept of the answers when they are written: of every block all but its rows."""

    model: Model
    rows: int
    failed: int = 0
    blocks: list[Attribution] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._before = self.model.counter.snapshot()
        schema = self.model.schema
        self._digest = hashlib.blake2b(schema.content_hash().encode(), digest_size=16)
        self._digest.update(repr((self.rows, len(schema))).encode())

    def add(self, answers: Attribution, read: Dataset) -> None:
        """One more block.

        Raises:
            UnsupportedError: If the method does not give one attribution a row.
        """
        if not isinstance(answers, Attribution) or len(answers) != len(read):
            given = f"{len(answers)} for all rows" if isinstance(answers, Attribution) else type(answers).__name__
            msg = f"explain_to writes one attribution a row; this method gives {given}. Ask explain, and .save() the result."
            raise UnsupportedError(msg)
        self.blocks.append(answers[:0])
        self.failed += len(answers) - answers.status.count("ok")
        self._digest.update(np.ascontiguousarray(read.matrix).tobytes())

    @property
    def exact(self) -> bool:
        """Whether all of the values are."""
        return all(block.exact for block in self.blocks)

    @property
    def estimates(self) -> bool:
        """Whether the method gives standard errors, though perhaps not for these rows."""
        return "dummy" not in registry.find("methods", self.blocks[0].provenance.method).laws

    def provenance(self, budget: Any, seconds: float) -> Provenance:
        """How all of the answers were made; a parameter that was not the same in every block is the list of what it was."""
        params: dict[str, list[Any]] = {}
        for block in self.blocks:
            for name, value in block.provenance.params.items():
                met = params.setdefault(name, [])
                if value not in met:
                    met.append(value)
        calls, rows = (after - before for after, before in zip(self.model.counter.snapshot(), self._before, strict=True))
        return replace(
            self.blocks[0].provenance,
            params={**{name: met[0] if len(met) == 1 else met for name, met in params.items()}, "budget": budget},
            model_calls=calls,
            model_rows=rows,
            seconds=seconds,
            data_hash=self._digest.hexdigest(),
        )

    def meta(self, made: Provenance) -> dict[str, Any]:
        """What the file says of itself."""
        words, _ = self.blocks[0].to_wire()
        del words["status"]
        return {**words, "exact": self.exact, "provenance": plain(made.to_dict())}

    def written(self, target: Path, made: Provenance) -> Written:
        """What the caller gets."""
        first = self.blocks[0]
        return Written(target, self.rows, self.failed, first.feature_names, first.output_names, first.space, self.exact, made)
