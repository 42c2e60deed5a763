"""XGBoost boosters and their scikit-learn face."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb

from whyglass.adapters.models import boosting, compared, xgboost_reader
from whyglass.adapters.models.boosting import Floats, Header
from whyglass.core.errors import InputError, ModelError, UnsupportedError
from whyglass.core.forest import Linear
from whyglass.core.model import Model
from whyglass.core.schema import Schema
from whyglass.core.wanted import Wanted

# Their own answer is a label or a raw score; probabilities are made from the margin.
FROM_MARGIN = frozenset({"multi:softmax", "binary:logitraw"})


@dataclass(frozen=True, eq=False)
class _Asked:
    """A booster and how its predictions are asked for.

    Attributes:
        booster: The native booster.
        header: What its file says.
        missing: The value that stands for missing beside NaN.
        rounds: Boosting rounds used, None for all.
        own: The estimator's own method, where it has put one in the library's place.
    """

    booster: Any
    header: Header
    missing: float
    rounds: int | None
    own: Callable[[Any], Any] | None = None

    def predict(self, frame: Any) -> Floats:
        """Native predictions, or those of the estimator's own method, float64 (rows, outputs)."""
        if self.own is not None:
            return compared.ask_own(self.own, self._taken(frame), self.header.n_classes)
        try:
            data = self._matrix(frame)
        except xgb.core.XGBoostError as error:
            said = str(error).partition("\n")[0].rpartition("Check failed: ")[2]
            msg = f"XGBoost does not take these rows: {said}."
            raise InputError(msg) from error
        from_margin = self.header.objective in FROM_MARGIN
        answer = self.booster.predict(data, output_margin=from_margin, iteration_range=(0, self.rounds or 0), validate_features=False)
        values = np.asarray(answer, dtype=np.float64).reshape(data.num_row(), -1)
        if self.header.objective == "multi:softmax":
            return boosting.softmax(values)
        if self.header.n_classes != 2 or values.shape[1] != 1:
            return values
        return boosting.both_classes(1.0 / (1.0 + np.exp(-values)) if from_margin else values)

    def _taken(self, frame: Any) -> Any:
        """Rows as XGBoost takes them."""
        kind = type(frame).__module__.partition(".")[0]
        if kind == "pyarrow" or (kind == "polars" and self.header.categories):
            frame, kind = frame.to_pandas(), "pandas"
        if kind == "polars":
            return frame
        return self._known_only(frame) if kind == "pandas" else np.asarray(frame, dtype=np.float64)

    def _matrix(self, frame: Any) -> Any:
        frame = self._taken(frame)
        if not isinstance(frame, np.ndarray):
            return xgb.DMatrix(frame, missing=self.missing, enable_categorical=True)
        return xgb.DMatrix(
            frame, missing=self.missing, feature_names=self.booster.feature_names,
            feature_types=self.booster.feature_types, enable_categorical=True,
        )  # fmt: skip

    def _known_only(self, frame: Any) -> Any:
        """A category unknown to the model becomes missing; the library would raise, or take the next one in sort order."""
        changed = {}
        for place, known in self.header.categories.items():
            column = frame.iloc[:, place]
            if hasattr(column, "cat") and not set(column.cat.categories) <= set(known):
                changed[column.name] = column.cat.set_categories(list(known))
        return frame.assign(**changed) if changed else frame


def adapt(estimator: Any, wanted: Wanted) -> Model:
    """Wrap an ``xgboost.Booster`` or a fitted ``XGB*`` estimator.

    Args:
        estimator: The booster or estimator.
        wanted: What ``wrap`` was told.

    Returns:
        A model with "predict", and "trees" or "linear" where these are exact; why not stands in
        ``provenance["refused"]``.

    Raises:
        ModelError: If the estimator is not fitted or was trained on other columns.
    """
    booster = _booster_of(estimator)
    raw = bytes(booster.save_raw("ubj"))
    parsed = xgboost_reader.load(raw)
    header = xgboost_reader.read_header(parsed)
    rounds = _rounds(estimator)
    schema = boosting.schema_of(header, wanted)
    own = compared.own_method(estimator, *(("predict_proba",) if header.n_classes else ()), "predict")
    frame = wanted.data.frame if wanted.data is not None else ("pandas" if header.categories or (own and header.names) else "numpy")
    trained = header.names or tuple(f"x{i}" for i in range(header.n_features))
    boosting.check_names("XGBoost", trained, schema, by_position=not header.names or frame == "numpy" or wanted.data is None)
    # a Booster's own predict is what is asked in any case, with its library's DMatrix
    asked = _Asked(booster, header, _missing(estimator), rounds, None if isinstance(estimator, xgb.Booster) else own)
    readers, refused = _readers(parsed, asked, schema)
    if own is not None and readers.pop("linear", None) is not None:
        refused["linear"] = "it answers through a method of its own, which its coefficients do not describe"
    width = max(header.n_classes, int(parsed["learner"]["learner_model_param"].get("num_target", 1) or 1), 1)
    trees = len(readers["trees"]().roots) if "trees" in readers else 0
    model = Model(
        name=type(estimator).__name__,
        kind=_kind(estimator, parsed, trees),
        task="classification" if header.n_classes else "regression",
        outputs=boosting.output_names(header, getattr(estimator, "classes_", None) if header.n_classes else None, wanted, width),
        schema=schema,
        abilities={"predict": asked.predict, **readers},
        data=wanted.data,
        frame=frame,
        model_hash=hashlib.blake2b(raw + repr((rounds, schema.content_hash())).encode(), digest_size=16).hexdigest(),
        provenance={
            "library": f"xgboost {xgb.__version__}",
            "objective": header.objective,
            "refused": refused,
            "arithmetic": "XGBoost sums in float32; the forest sums the same leaves in float64.",
        },
    )
    return compared.checked(model, overridden=own is not None)


def _booster_of(estimator: Any) -> Any:
    booster = estimator
    if not isinstance(estimator, xgb.Booster):
        if not estimator.__sklearn_is_fitted__():
            msg = f"{type(estimator).__name__} is not fitted yet. Call fit(X, y) first."
            raise ModelError(msg)
        booster = estimator.get_booster()
    try:
        booster.num_features()
    except xgb.core.XGBoostError as error:
        msg = "The Booster holds no trained model yet. Use xgboost.train(...) or load_model(...)."
        raise ModelError(msg) from error
    return booster


def _missing(estimator: Any) -> float:
    given = getattr(estimator, "missing", math.nan)
    return math.nan if given is None else float(given)


def _rounds(estimator: Any) -> int | None:
    """The scikit-learn face predicts with the best round after early stopping; a native booster with all of them."""
    if isinstance(estimator, xgb.Booster) or getattr(estimator, "booster", None) == "gblinear":
        return None
    best = getattr(estimator, "best_iteration", None)
    return None if best is None else int(best) + 1


def _readers(parsed: dict[str, Any], asked: _Asked, schema: Schema) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """The "trees" or "linear" ability, and why others are not offered."""
    header = asked.header
    linear = parsed["learner"]["gradient_booster"].get("name") == "gblinear"
    if not math.isnan(asked.missing):
        reason = f"it treats {asked.missing:g} as missing beside NaN, which is not expressed"
        return {}, {"linear" if linear else "trees": reason}
    try:
        if linear:
            coefficients = _linear(parsed, header, schema)
            return {"linear": lambda: coefficients}, {"trees": "a linear booster has no trees"}
        raw = xgboost_reader.read_trees(parsed, rounds=asked.rounds)
        forest = boosting.over_schema(raw, header, schema)
    except UnsupportedError as error:
        return {}, {"linear" if linear else "trees": str(error)}
    return {"trees": lambda: forest}, {}


def _linear(parsed: dict[str, Any], header: Header, schema: Schema) -> Linear:
    read = xgboost_reader.read_linear(parsed)
    coefficients, tables = read.coefficients.copy(), {}
    for place, column in enumerate(schema.columns):
        numbers = boosting.code_values(column, header.categories.get(place), splits_by_category=False)
        if numbers is not None:
            seen = np.append(numbers[:-1], [0.0, np.nan_to_num(numbers[-1])])
            tables[place] = coefficients[:, place, None] * np.nan_to_num(seen)[None, :]
            coefficients[:, place] = 0.0
    return Linear(coefficients, read.intercept, read.missing, tables, read.link, read.space)


def _kind(estimator: Any, parsed: dict[str, Any], trees: int) -> str:
    name = parsed["learner"]["gradient_booster"].get("name")
    if name == "gblinear":
        return "boosted linear model"
    what = "random forest" if "RF" in type(estimator).__name__ else "gradient-boosted trees"
    what += " with dropout" if name == "dart" else ""
    return f"{what}, {trees:,} tree{'s' if trees > 1 else ''}" if trees else what
