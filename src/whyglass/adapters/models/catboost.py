"""CatBoost models: ``CatBoost`` and its scikit-learn faces.

The trees are read from the library's own export to JSON, written to a temporary folder. Category columns are split by a
hash of their text; the export states the hash of every category of the rows that ``wrap`` was given.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import catboost as cb
import numpy as np
from numpy.typing import NDArray

from whyglass.adapters.frames_out import UNSEEN
from whyglass.adapters.models import boosting, catboost_reader, compared, sklearn_columns
from whyglass.adapters.models.boosting import Floats, Header
from whyglass.core import registry
from whyglass.core.errors import InputError, ModelError, UnsupportedError
from whyglass.core.model import Model
from whyglass.core.schema import Dataset, Schema
from whyglass.core.wanted import Wanted

PREDICTION = {"exp": "Exponent", "identity": "RawFormulaVal"}


@dataclass(frozen=True, eq=False)
class _Asked:
    """A model and how its predictions are asked for.

    Attributes:
        model: The fitted CatBoost model.
        header: What its export says.
        prediction: CatBoost's name for the kind of answer.
        categories: Columns that it takes as categories.
        own: The model's own method, where it has put one in the library's place.
    """

    model: Any
    header: Header
    prediction: str
    categories: tuple[int, ...]
    own: Callable[[Any], Any] | None = None

    def predict(self, frame: Any) -> Floats:
        """The library's predictions, or those of the model's own method, float64 (rows, outputs)."""
        rows = self.rows(frame)
        if self.own is not None:
            return compared.ask_own(self.own, rows, 2 if self.prediction == "Probability" else 0)
        try:
            answer = cb.CatBoost.predict(self.model, rows, prediction_type=self.prediction)  # a subclass may say classes by its own rule
        except cb.CatBoostError as error:
            msg = f"CatBoost does not take these rows: {str(error).splitlines()[0]}"
            raise InputError(msg) from error
        return np.asarray(answer, dtype=np.float64).reshape(len(rows), -1)

    def rows(self, frame: Any) -> Any:
        """Rows as CatBoost takes them: categories as text or whole numbers, a missing one as one never seen."""
        kind = type(frame).__module__.partition(".")[0]
        if kind in {"polars", "pyarrow"}:
            frame, kind = frame.to_pandas(), "pandas"
        if not self.categories:
            return frame if kind == "pandas" else np.asarray(frame, dtype=np.float64)
        if kind != "pandas":
            frame = np.array(frame, dtype=object)
            for place in self.categories:
                frame[:, place] = _written(frame[:, place])
            return frame
        changed = False
        for place in self.categories:
            column = frame.iloc[:, place]
            if column.dtype.kind == "f" or column.isna().any():
                frame = frame if changed else frame.copy()
                frame.isetitem(place, _written(np.asarray(column, dtype=object)))
                changed = True
        return frame


def _written(values: NDArray[np.object_]) -> NDArray[np.object_]:
    """Categories that CatBoost accepts: it refuses missing ones, and whole numbers that are floats."""
    written = np.empty(len(values), dtype=object)
    written[:] = [_category(v) for v in values.tolist()]
    return written


def _category(value: Any) -> Any:
    if isinstance(value, float):
        return UNSEEN if math.isnan(value) else int(value) if value.is_integer() else value
    return value if isinstance(value, (str, int)) else UNSEEN


def adapt(estimator: Any, wanted: Wanted) -> Model:
    """Wrap a fitted ``CatBoost``, ``CatBoostClassifier``, ``CatBoostRegressor`` or ``CatBoostRanker``.

    Args:
        estimator: The fitted model.
        wanted: What ``wrap`` was told; rows are needed when the model has category columns.

    Returns:
        A model with "predict" (probabilities, the exponent of a Poisson or Tweedie sum, else the sum), and "trees" where
        they are exact; why not stands in ``provenance["refused"]``.

    Raises:
        ModelError: If the model is not fitted or was trained on other columns.
        UnsupportedError: If it has category columns and there are no rows that say which categories.
    """
    if not estimator.is_fitted():
        msg = f"{type(estimator).__name__} is not fitted yet. Call fit(X, y) first."
        raise ModelError(msg)
    names = tuple(str(n) for n in estimator.feature_names_)
    nameless = names == tuple(str(i) for i in range(len(names)))
    frame = wanted.data.frame if wanted.data is not None else "numpy"
    if wanted.data is not None:
        boosting.check_names("CatBoost", names, wanted.data.schema, by_position=nameless or frame == "numpy")
    categories = tuple(int(i) for i in estimator.get_cat_feature_indices())
    wanted = replace(wanted, data=_as_categories(estimator, wanted.data, categories))
    parsed, raw, refused = _export(estimator, wanted.data, categories)
    header = Header("", names, n_features=len(names)) if parsed is None else catboost_reader.read_header(parsed, names)
    schema = boosting.schema_of(replace(header, names=() if nameless else names), wanted)
    readers: dict[str, Callable[[], Any]] = {}
    if parsed is not None:
        readers, refused = _readers(parsed, names, schema)
    classes = _classes(estimator)
    link = catboost_reader.LINKS.get(header.objective, "identity")
    labelled = header.n_classes > 0 if parsed is not None else classes is not None
    prediction = PREDICTION[link] if link in PREDICTION and not labelled else "Probability"
    if header.objective == "RMSEWithUncertainty":
        prediction = header.objective
    own = _own(estimator, prediction)
    if own is not None and wanted.data is None and not nameless:
        frame = "pandas"
    asked = _Asked(estimator, header, prediction, categories, own)
    model = Model(
        name=type(estimator).__name__,
        kind=f"gradient-boosted trees, {estimator.tree_count_:,} tree{'s' if estimator.tree_count_ > 1 else ''}",
        task="classification" if labelled else "regression",
        outputs=boosting.output_names(header, classes, wanted, _width(estimator, header, classes)),
        schema=schema,
        abilities={"predict": asked.predict, **readers},
        data=wanted.data,
        frame=frame,
        model_hash=hashlib.blake2b(raw + schema.content_hash().encode(), digest_size=16).hexdigest(),
        provenance={
            "library": f"catboost {cb.__version__}",
            "objective": header.objective,
            "prediction_type": prediction,
            **({"missing": "CatBoost refuses a missing category; it is taken for one never seen."} if categories else {}),
            "refused": refused,
        },
    )
    return compared.checked(model, overridden=own is not None)


def _own(estimator: Any, prediction: str) -> Callable[..., Any] | None:
    own = compared.own_method(estimator, *(("predict_proba",) if prediction == "Probability" else ()), "predict")
    if own is None or isinstance(estimator, (cb.CatBoostClassifier, cb.CatBoostRegressor, cb.CatBoostRanker)):
        return own
    return partial(own, prediction_type=prediction)


def _classes(estimator: Any) -> Any:
    held = estimator.classes_
    return None if held is None or len(held) == 0 else list(held)


def _width(estimator: Any, header: Header, classes: Any) -> int:
    if header.n_classes:
        return header.n_classes
    if classes is not None and header.objective == "":
        return len(classes)
    bias = estimator.get_scale_and_bias()[1]
    return len(bias) if isinstance(bias, (list, tuple, np.ndarray)) else 1


def _as_categories(estimator: Any, data: Dataset | None, categories: tuple[int, ...]) -> Dataset | None:
    """The rows, with whole numbers that the model takes as categories read as such.

    Raises:
        UnsupportedError: If there are no rows.
    """
    if not categories:
        return data
    if data is None:
        names = [estimator.feature_names_[i] for i in categories[:5]]
        msg = f"{type(estimator).__name__} takes {names} as categories and knows them by hash only. Pass its training rows: wrap(model, X)."
        raise UnsupportedError(msg)
    found = {}
    for place in categories:
        column = data.schema.columns[place] if place < len(data.schema) else None
        if column is not None and column.kind == "numeric":
            values = np.unique(data.matrix[:, place])
            values = values[np.isfinite(values)]
            found[place] = [int(v) if v.is_integer() else float(v) for v in values]
    given = sklearn_columns.Given(data.schema, data, data.frame, tuple(range(len(data.schema))))
    return sklearn_columns.widen(given, found).data


def _export(estimator: Any, data: Dataset | None, categories: tuple[int, ...]) -> tuple[dict[str, Any] | None, bytes, dict[str, str]]:
    """The model as parsed JSON (None when it cannot be written so), bytes that identify it, and why it cannot."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model"
        if estimator.get_text_feature_indices() or estimator.get_embedding_feature_indices():
            estimator.save_model(str(file), format="cbm")
            reason = "it reads text or embedding columns, whose splits are computed from many numbers at once"
            return None, file.read_bytes(), {"trees": reason}
        pool = None
        if categories and data is not None:
            pool = _every_category(estimator, data, categories)
        estimator.save_model(str(file), format="json", pool=pool)
        parsed = catboost_reader.check_export(json.loads(file.read_text(encoding="utf-8")))
    lasting = {k: v for k, v in parsed.items() if k not in ("model_info", "features_info")}
    lasting["features_info"] = {k: v for k, v in parsed["features_info"].items() if k != "cat_features_hash"}
    return parsed, json.dumps(lasting, sort_keys=True).encode(), {}


def _every_category(estimator: Any, data: Dataset, categories: tuple[int, ...]) -> Any:
    """A pool in which every category of the schema occurs, written as the model is asked."""
    write = registry.load("frames", "writer")
    columns = data.schema.columns
    rows = max([1, *(len(columns[i].categories) for i in categories)])
    matrix = np.zeros((rows, len(columns)))
    for place in categories:
        matrix[:, place] = np.minimum(np.arange(rows), max(len(columns[place].categories) - 1, 0))
    asked = _Asked(estimator, Header("", ()), "RawFormulaVal", categories)
    try:
        return cb.Pool(asked.rows(write(matrix, data.schema, data.frame)), cat_features=list(categories))
    except cb.CatBoostError as error:
        msg = f"CatBoost does not take the categories of these rows: {str(error).splitlines()[0]}"
        raise ModelError(msg) from error


def _readers(parsed: Mapping[str, Any], names: tuple[str, ...], schema: Schema) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """The "trees" ability, or why it is not offered."""
    try:
        raw = catboost_reader.read_trees(parsed, names)
        columns = [_codes(parsed, place, schema) for place in range(len(schema))]
        forest = boosting.to_forest(raw, columns)
    except UnsupportedError as error:
        return {}, {"trees": str(error)}
    return {"trees": lambda: forest}, {}


def _codes(parsed: Mapping[str, Any], place: int, schema: Schema) -> Floats | None:
    """The number that the trees know each category by; None for a column of numbers.

    Raises:
        UnsupportedError: If a column of text is one of numbers to the model, or a category's hash is not known.
    """
    column = schema.columns[place]
    by_hash = catboost_reader.read_columns(parsed)
    if place not in by_hash.category.values():
        return boosting.code_values(column, None, splits_by_category=False)
    if column.kind != "categorical":
        msg = f"column {column.name!r} is a category to the model, but {column.kind} in the data"
        raise UnsupportedError(msg)
    known = catboost_reader.hashes(parsed)
    code = {value: number for number, value in enumerate(by_hash.values.get(place, ()))}
    never = float(len(code))
    found = []
    for value in column.categories:
        text = str(int(value)) if isinstance(value, bool) else str(value)
        if text not in known:
            msg = f"CatBoost gives no hash for the category {value!r} of column {column.name!r}"
            raise UnsupportedError(msg)
        found.append(float(code.get(known[text], never)))
    return np.array([*found, never])
