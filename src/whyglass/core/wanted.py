"""What ``wrap`` was told, handed to an adapter."""

from __future__ import annotations

from dataclasses import dataclass

from whyglass.core.schema import Dataset


@dataclass(frozen=True, eq=False)
class Wanted:
    """What ``wrap`` was told, handed to an adapter.

    Attributes:
        data: The encoded training rows with ``y``, or None when only the model was given.
        task: "classification", "regression", or None to find out.
        outputs: Names of the outputs, or None to find out.
        feature_names: Column names, or None to find out.
    """

    data: Dataset | None = None
    task: str | None = None
    outputs: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None
