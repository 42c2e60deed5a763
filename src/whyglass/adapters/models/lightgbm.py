"""LightGBM boosters and their scikit-learn face."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightgbm as lgb
import numpy as np

from whyglass.adapters.models import boosting, compared, lightgbm_reader
from whyglass.adapters.models.boosting import Floats, Header
from whyglass.adapters.models.lightgbm_reader import Text
from whyglass.core.errors import ModelError, UnsupportedError
from whyglass.core.model import Model
from whyglass.core.schema import Schema
from whyglass.core.wanted import Wanted

DECLARED = ("category", "categorical", "enum", "dictionary")


def adapt(estimator: Any, wanted: Wanted) -> Model:
    """Wrap a ``lightgbm.Booster`` or a fitted ``LGBM*`` estimator.

    Args:
        estimator: The booster or estimator.
        wanted: What ``wrap`` was told.

    Returns:
        A model with "predict", and "trees" where they are exact; why not stands in ``provenance["refused"]``.

    Raises:
        ModelError: If the estimator is not fitted or was trained on other columns.
    """
    booster = _booster_of(estimator)
    written = booster.model_to_string()  # up to the best iteration when there is one, as predict does
    text = lightgbm_reader.cut(written)
    header = lightgbm_reader.read_header(text)
    header = replace(header, categories=_categories(text, header, wanted))
    schema = boosting.schema_of(header, wanted)
    own = compared.own_method(estimator, *(("predict_proba",) if header.n_classes else ()), "predict")
    nameless = header.names in ((), _nameless(header))
    frame = wanted.data.frame if wanted.data is not None else ("pandas" if header.categories or (own and not nameless) else "numpy")
    _check_names(header, schema, frame, wanted)
    readers, refused = _readers(text, header, schema)
    width = max(header.n_classes, int(text.head.get("num_tree_per_iteration", 1)), 1)
    body = written.partition("\nparameters:")[0]
    model = Model(
        name=type(estimator).__name__,
        kind=_kind(text),
        task="classification" if header.n_classes else "regression",
        outputs=boosting.output_names(header, getattr(estimator, "classes_", None) if header.n_classes else None, wanted, width),
        schema=schema,
        abilities={"predict": _predictor(booster, header, None if booster is estimator else own), **readers},
        data=wanted.data,
        frame=frame,
        model_hash=hashlib.blake2b((body + schema.content_hash()).encode(), digest_size=16).hexdigest(),
        provenance={"library": f"lightgbm {lgb.__version__}", "objective": header.objective, "refused": refused, **_arithmetic()},
    )
    return compared.checked(model, overridden=own is not None)


def _booster_of(estimator: Any) -> Any:
    booster = estimator
    if not isinstance(estimator, lgb.Booster):
        if not estimator.__sklearn_is_fitted__():
            msg = f"{type(estimator).__name__} is not fitted yet. Call fit(X, y) first."
            raise ModelError(msg)
        booster = estimator.booster_
    if booster.num_trees() == 0:
        msg = "The Booster holds no trees yet. Use lightgbm.train(...) first."
        raise ModelError(msg)
    return booster


def _categories(text: Text, header: Header, wanted: Wanted) -> dict[int, tuple[Any, ...]]:
    """Feature -> category values. The text lists them for the frame's category columns, in order, without saying which."""
    held = text.pandas_categories
    if not held:
        return {}
    if wanted.data is not None:
        places = [i for i, c in enumerate(wanted.data.schema.columns) if c.dtype.lower().startswith(DECLARED)]
    else:
        places = sorted(header.category_features)
    return dict(zip(places, held, strict=True)) if len(places) == len(held) else {}


def _check_names(header: Header, schema: Schema, frame: str, wanted: Wanted) -> None:
    """Names are compared as the library writes them: blanks become underscores, nameless columns Column_0, Column_1."""
    nameless = header.names == _nameless(header)
    spelt = Schema(tuple(replace(c, name="_".join(c.name.split())) for c in schema.columns))
    trained = header.names or schema.names
    positional = nameless or not header.names or frame == "numpy" or wanted.data is None
    boosting.check_names("LightGBM", tuple("_".join(n.split()) for n in trained), spelt, by_position=positional)


def _nameless(header: Header) -> tuple[str, ...]:
    return tuple(f"Column_{i}" for i in range(header.n_features))


def _readers(text: Text, header: Header, schema: Schema) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """The "trees" ability, or why it is not offered."""
    try:
        raw = lightgbm_reader.read_trees(text)
        forest = boosting.over_schema(raw, header, schema)
    except UnsupportedError as error:
        return {}, {"trees": str(error)}
    return {"trees": lambda: forest}, {}


def _predictor(booster: Any, header: Header, own: Callable[[Any], Any] | None) -> Callable[[Any], Floats]:
    def predict(frame: Any) -> Floats:
        kind = type(frame).__module__.partition(".")[0]
        if kind in {"polars", "pyarrow"}:
            frame = frame.to_pandas()
        elif kind != "pandas":
            frame = np.asarray(frame, dtype=np.float64)
        if own is not None:
            return compared.ask_own(own, frame, header.n_classes)
        answer = np.asarray(booster.predict(frame), dtype=np.float64)
        if header.n_classes == 2 and answer.ndim == 1:
            return boosting.both_classes(answer)
        return answer.reshape(len(frame), -1)

    return predict


def _arithmetic() -> dict[str, str]:
    if not lgb.__version__.startswith("3."):
        return {}
    return {"arithmetic": "LightGBM 3 rounds frames of mixed types to float32; a value that close to a split may go the other way."}


def _kind(text: Text) -> str:
    what = "random forest" if "average_output" in text.head else "gradient-boosted trees"
    return f"{what}, {len(text.trees):,} tree{'s' if len(text.trees) > 1 else ''}"
