"""Models from files: skops (scikit-learn), .json and .ubj (XGBoost), .txt (LightGBM), .cbm (CatBoost), .onnx. No pickle.

A skops file names the types it wants to build. Only the types below are built, and as two of them are compiled code that
follows indices without looking, the indices are checked before anything is asked of the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.errors import InputError, ModelError
from whyglass.core.model import Model
from whyglass.core.wanted import Wanted

# beyond what skops trusts by itself: plain containers, scikit-learn's trees (checked below) and the boosters' own parsers
TRUSTED = frozenset(
    {
        "collections.OrderedDict",
        "functools.partial",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils.validation.check_array",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    }
)


def read_model(path: str | Path) -> Any:
    """The model in a file, by its extension.

    Raises:
        InputError: If there is no such file, or its extension names no safe format.
        ModelError: If the file is damaged, or wants something built that whyglass does not build from a file.
        MissingExtraError: If the model's library is not installed.
    """
    file = Path(path)
    for row in registry.rows("model files"):
        if file.suffix.lower() in row.takes:
            if not file.is_file():
                msg = f"There is no file {str(file)!r}."
                raise InputError(msg)
            return registry.resolve(row)(file)
    formats = "; ".join(f"{' or '.join(row.takes)}: {row.summary.rstrip('.')}" for row in registry.rows("model files") if row.takes)
    why = " A pickle can run anything while it is read, so whyglass reads none." if file.suffix in {".pkl", ".pickle", ".joblib"} else ""
    msg = f"Cannot read a model from {file.name!r}.{why} Wanted {formats}."
    raise InputError(msg)


def adapt(estimator: str | Path, wanted: Wanted) -> Model:
    """Wrap the model in a file.

    Args:
        estimator: Its path.
        wanted: What ``wrap`` was told.

    Raises:
        InputError: If there is no such file, or its extension names no safe format.
        ModelError: If the file is damaged, or the model cannot be wrapped.
    """
    model = read_model(estimator)
    names = [f"{c.__module__}.{c.__qualname__}" for c in type(model).__mro__]
    for row in registry.rows("models"):
        if any(prefix and name.startswith(prefix) for name in names for prefix in row.takes):
            wrapped: Model = registry.resolve(row)(model, wanted)
            return wrapped
    msg = f"{str(estimator)!r} holds a {type(model).__qualname__}, which is not a model that whyglass knows."
    raise ModelError(msg)


def read_skops(file: Path) -> Any:
    """A scikit-learn estimator or pipeline saved with ``skops.io.dump``."""
    from skops import io  # noqa: PLC0415  (an extra)
    from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException  # noqa: PLC0415

    own = (UnsupportedTypeException, UntrustedTypesFoundException, BadZipFile)
    with _whole(file, "skops", *own):
        wanted = set(io.get_untrusted_types(file=file))
    if strange := sorted(wanted - TRUSTED):
        names = ", ".join(strange[:5])
        msg = f"{file.name!r} wants {names} built, which whyglass does not build from a file. Load it in Python and use wg.wrap."
        raise ModelError(msg)
    with _whole(file, "skops", *own):
        model = io.load(file, trusted=sorted(wanted))
    if _unsafe(model):
        msg = f"{file.name!r} holds a tree whose branches or columns lead outside it."
        raise ModelError(msg)
    return model


def read_xgboost(file: Path) -> Any:
    """An XGBoost booster saved with ``save_model``."""
    import xgboost  # noqa: PLC0415  (an extra)

    with _whole(file, "XGBoost", xgboost.core.XGBoostError):
        return xgboost.Booster(model_file=str(file))


def read_lightgbm(file: Path) -> Any:
    """A LightGBM booster saved with ``save_model``."""
    import lightgbm  # noqa: PLC0415  (an extra)

    if file.read_bytes()[:4] != b"tree":
        msg = f"{file.name!r} does not begin as a LightGBM model does. Wanted: a file that booster.save_model wrote."
        raise ModelError(msg)
    with _whole(file, "LightGBM", lightgbm.basic.LightGBMError):
        return lightgbm.Booster(model_file=str(file))


def read_catboost(file: Path) -> Any:
    """A CatBoost model saved with ``save_model`` in its own format."""
    import catboost  # noqa: PLC0415  (an extra)

    with _whole(file, "CatBoost", catboost.CatBoostError):
        return catboost.CatBoost().load_model(str(file), format="cbm")


def read_onnx(file: Path) -> Any:
    """An ONNX model, with the tensors that it keeps in files beside it."""
    import onnx  # noqa: PLC0415  (an extra)

    with _whole(file, "ONNX", Exception):  # protobuf has exceptions of its own, without a common root
        return onnx.load(file)


@contextmanager
def _whole(file: Path, library: str, *own: type[Exception]) -> Iterator[None]:
    """Turn what a library raises on a damaged file into one sentence."""
    damaged: tuple[type[Exception], ...] = (ValueError, TypeError, KeyError, AttributeError, OSError, IndexError, ImportError, RuntimeError)
    try:
        yield
    except own + damaged as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        msg = f"{file.name!r} is no whole {library} model: {first}"
        raise ModelError(msg) from error


@dataclass(frozen=True)
class _Tree:
    """One compiled tree: children, which nodes are leaves, the split columns, and how many columns and category sets there are."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    leaf: NDArray[np.bool_]
    feature: NDArray[np.int64]
    sets: NDArray[np.int64]
    columns: int
    set_count: int

    @property
    def whole(self) -> bool:
        """A child comes after its parent and inside the tree, a column inside the table: it ends, and reads nothing foreign."""
        inner = np.flatnonzero(~self.leaf)
        children = np.stack([self.left[inner], self.right[inner]])
        inside = (children > inner) & (children < len(self.left))
        column, chosen = self.feature[inner], self.sets[inner]
        return bool(
            len(self.left)
            and inside.all()
            and ((column >= 0) & (column < self.columns)).all()
            and ((chosen >= 0) & (chosen < self.set_count)).all()
        )


def _unsafe(model: Any) -> bool:
    """Whether anything that hangs in the model, however deep, would lead compiled code outside its arrays."""
    waiting: list[tuple[Any, int]] = [(model, 0)]
    seen = set()
    while waiting:
        item, columns = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        columns = int(getattr(item, "n_features_in_", columns))
        kind = type(item).__name__
        if kind == "Tree" and hasattr(item, "children_left"):
            left = item.children_left
            tree = _Tree(
                left, item.children_right, left == -1, item.feature, np.zeros(len(left), np.int64), min(columns, item.n_features), 1
            )
            if not tree.whole:
                return True
        elif (kind == "TreePredictor" and not _histogram_tree(item, columns).whole) or (kind == "_BinMapper" and _bad_bins(item, columns)):
            return True
        elif isinstance(item, dict):
            waiting += [(part, columns) for part in item.values()]
        elif isinstance(item, list | tuple | set):
            waiting += [(part, columns) for part in item]
        elif isinstance(item, np.ndarray):
            waiting += [(part, columns) for part in item.flat] if item.dtype == object else []
        elif hasattr(item, "__dict__"):
            waiting += [(part, columns) for part in vars(item).values()]
    return False


def _histogram_tree(item: Any, columns: int) -> _Tree:
    nodes = item.nodes
    left, right, feature = (nodes[name].astype(np.int64) for name in ("left", "right", "feature_idx"))
    sets = np.where(nodes["is_categorical"].astype(bool), nodes["bitset_idx"].astype(np.int64), -1)
    return _Tree(left, right, nodes["is_leaf"].astype(bool), feature, sets + 1, columns, 1 + len(item.raw_left_cat_bitsets))


def _bad_bins(item: Any, columns: int) -> bool:
    known = [c for c in item.known_categories or () if c is not None]
    return len(item.is_categorical_) < columns or any(len(c) and not (min(c) >= 0 and max(c) <= _LAST_CATEGORY) for c in known)


_LAST_CATEGORY = 255  # the bits of a category set
