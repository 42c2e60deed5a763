"""What stands in a file of answers that was written block by block."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from whyglass.core.provenance import Provenance
from whyglass.core.schema import count_of


@dataclass(frozen=True)
class Written:
    """What stands in a file of answers that was written block by block.

    Attributes:
        path: The file.
        rows: How many rows were asked about; the file has one line for each of them and each output.
        failed: How many of them could not be explained; their line says why in "status".
        feature_names: The columns explained, or the players where columns were grouped.
        output_names: One per output.
        space: "probability", "margin", "value" or "log_loss".
        exact: Whether the values are exact; else a column of standard errors follows each of them.
        provenance: How the answers were made, over all blocks.
    """

    path: Path
    rows: int
    failed: int
    feature_names: tuple[str, ...]
    output_names: tuple[str, ...]
    space: str
    exact: bool
    provenance: Provenance = field(repr=False)

    @property
    def seconds(self) -> float:
        """Wall time, reading and writing included."""
        return self.provenance.seconds

    @property
    def model_calls(self) -> int:
        """How often the user's model was called."""
        return self.provenance.model_calls

    def __repr__(self) -> str:
        trust = "exact" if self.exact else "estimated, with standard errors"
        bad = f", {self.failed:,} of them not explained" if self.failed else ""
        sizes = {"row": self.rows, "feature": len(self.feature_names), "output": len(self.output_names)}
        shape = " x ".join(count_of(number, thing) for thing, number in sizes.items()) + bad
        return f"{self.path}: {shape}, in {self.space} space, {trust} ({self.provenance.method}), {self.seconds:.1f} s"
