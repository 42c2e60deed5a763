"""Errors that teach: what was given, what was wanted, and the nearest thing that would have worked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WhyglassError(Exception):
    """Base of every error that whyglass raises on purpose."""


class InputError(WhyglassError, ValueError):
    """The data, a parameter or a name given by the caller cannot be used."""


class ModelError(WhyglassError, ValueError):
    """The model cannot be wrapped, read, or answered with something unusable."""


class UnsupportedError(WhyglassError, NotImplementedError):
    """The request is understood, and this model or method cannot answer it."""


class MissingExtraError(WhyglassError, ImportError):
    """An optional library is needed; the message holds the pip line that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed. Run: pip install 'whyglass[{extra}]'")
        self.extra = extra


def nearest(name: str, valid: Iterable[str]) -> str:
    """Say which valid names there are, the closest one first.

    Args:
        name: What the caller wrote.
        valid: The names that would have been accepted.

    Returns:
        A sentence to end an error message with.
    """
    names = sorted(set(valid))
    folded = {n.casefold(): n for n in reversed(names)}
    close = [folded[n] for n in difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.4)]
    shown = ", ".join(repr(n) for n in names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}Valid: {shown or 'none'}."
