"""How an answer was made: enough to make it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """How an answer was made.

    Attributes:
        method: The row of the methods table that answered.
        params: Every parameter, defaults included.
        seed: The seed.
        model_calls: How often the user's model was called for this answer.
        model_rows: How many rows it was called with in all.
        seconds: Wall time.
        versions: Library -> version.
        model_hash: Content hash of the model.
        data_hash: Content hash of the explained rows.
    """

    method: str
    params: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    model_calls: int = 0
    model_rows: int = 0
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    model_hash: str = ""
    data_hash: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types only."""
        return asdict(self)
