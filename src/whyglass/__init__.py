"""whyglass: point it at any model and ask why.

>>> import whyglass as wg
>>> model = wg.wrap(clf, X_train, y_train)      # any model + the data that gives it a schema
>>> why = wg.explain(model, X_test)             # exact where possible, with honest errors elsewhere
>>> wg.show(why)                                # the live view; .save("why.html") writes it to one file

Everything is wired lazily: importing this package loads no third-party library but numpy at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whyglass.core.version import VERSION

if TYPE_CHECKING:
    from whyglass import datasets as datasets
    from whyglass.batches import explain_to as explain_to
    from whyglass.core.attribution import Attribution as Attribution
    from whyglass.core.errors import InputError as InputError
    from whyglass.core.errors import MissingExtraError as MissingExtraError
    from whyglass.core.errors import ModelError as ModelError
    from whyglass.core.errors import UnsupportedError as UnsupportedError
    from whyglass.core.errors import WhyglassError as WhyglassError
    from whyglass.core.executor import Cancelled as Cancelled
    from whyglass.core.executor import Executor as Executor
    from whyglass.core.model import Model as Model
    from whyglass.core.view import View as View
    from whyglass.core.written import Written as Written
    from whyglass.facade import explain as explain
    from whyglass.facade import load as load
    from whyglass.facade import methods as methods
    from whyglass.facade import show as show
    from whyglass.facade import wrap as wrap
    from whyglass.peers import from_shap as from_shap

__version__ = VERSION

_FACE = {
    **dict.fromkeys(("wrap", "explain", "show", "load", "methods"), "whyglass.facade"),
    **dict.fromkeys(("WhyglassError", "InputError", "ModelError", "UnsupportedError", "MissingExtraError"), "whyglass.core.errors"),
    "explain_to": "whyglass.batches",
    "from_shap": "whyglass.peers",
    "Attribution": "whyglass.core.attribution",
    "Cancelled": "whyglass.core.executor",
    "Executor": "whyglass.core.executor",
    "Model": "whyglass.core.model",
    "View": "whyglass.core.view",
    "Written": "whyglass.core.written",
}
_ROOMS = frozenset({"datasets", "hosts"})

__all__ = [*sorted(_FACE), "__version__", "datasets"]  # noqa: PLE0604  (the face is a table)


def __getattr__(name: str) -> Any:
    from whyglass.core import registry  # noqa: PLC0415  (importing whyglass alone stays free of it)

    if name in _ROOMS:
        return registry.module(f"whyglass.{name}")
    if name in _FACE:
        found = getattr(registry.module(_FACE[name]), name)
        globals()[name] = found
        return found
    from whyglass.core.errors import nearest  # noqa: PLC0415  (only when something is already wrong)

    msg = f"whyglass has no {name!r}. {nearest(name, [*_FACE, *_ROOMS])}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
