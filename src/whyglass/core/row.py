"""One line of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, repr=False)
class Row:
    """One line of a table.

    Attributes:
        name: What users write.
        where: "module:attr" of the function that does it.
        takes: What it accepts: for adapters, prefixes of qualified type names; for methods, modalities.
        gives: The result kind.
        needs: Capabilities the model must have.
        answers: The method name this row can stand in for ("shap" is answered by several rows, the first that fits wins).
        max_players: Largest number of columns, or groups of them, that it handles; None when unlimited.
        spaces: ("exact",) when it answers only in the space that the model adds up in, ("linked",) when it is meant for the
            others; empty when it does not matter.
        background: "never" when it takes no background, "always" when it must be given one; empty when either will do.
        evaluations: Whether it needs 2^columns evaluations a row, so that a smaller budget rules it out.
        outcomes: Whether it needs the recorded outcomes of the rows.
        parameters: Names of the keyword parameters it understands, with their defaults.
        laws: Which laws the conformance tests hold it to.
        extra: The extra that installs what it needs; empty when the base install does.
        cost: One sentence on what it costs.
        citation: The paper.
        summary: One sentence for menus and help.
    """

    name: str
    where: str
    takes: tuple[str, ...] = ()
    gives: str = ""
    needs: frozenset[str] = frozenset()
    answers: str = ""
    max_players: int | None = None
    spaces: tuple[str, ...] = ()
    background: str = ""
    evaluations: bool = False
    outcomes: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    laws: frozenset[str] = frozenset()
    extra: str = ""
    cost: str = ""
    citation: str = ""
    summary: str = ""

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={default!r}" for name, default in self.parameters.items())
        return f"<{self.name}({given}): {self.summary}>" if given else f"<{self.name}: {self.summary}>"
