"""The tables themselves: one line for each method, adapter, frame function, view, host and file format."""

from __future__ import annotations

from whyglass.core.methods import METHODS
from whyglass.core.row import Row

MODELS = (
    Row(
        "xgboost",
        "whyglass.adapters.models.xgboost:adapt",
        ("xgboost.",),
        "Model",
        extra="xgboost",
        summary="XGBoost boosters and their scikit-learn face.",
    ),
    Row(
        "lightgbm",
        "whyglass.adapters.models.lightgbm:adapt",
        ("lightgbm.",),
        "Model",
        extra="lightgbm",
        summary="LightGBM boosters and their scikit-learn face.",
    ),
    Row(
        "catboost",
        "whyglass.adapters.models.catboost:adapt",
        ("catboost.",),
        "Model",
        extra="catboost",
        summary="CatBoost models and their scikit-learn face.",
    ),
    Row(
        "onnx",
        "whyglass.adapters.models.onnx:adapt",
        ("onnx.", "onnxruntime.", "builtins.bytes"),
        "Model",
        extra="onnx",
        summary="ONNX models over a table: the bytes of a file, a ModelProto or an InferenceSession.",
    ),
    Row(
        "file",
        "whyglass.adapters.models.files:adapt",
        ("builtins.str", "pathlib."),
        "Model",
        summary="A path to a saved model: .onnx, .skops, .json, .ubj, .txt or .cbm.",
    ),
    Row(
        "sklearn",
        "whyglass.adapters.models.sklearn:adapt",
        ("sklearn.",),
        "Model",
        extra="sklearn",
        summary="Any scikit-learn estimator or pipeline with predict.",
    ),
    Row(
        "callable",
        "whyglass.adapters.models.callable:adapt",
        ("",),
        "Model",
        summary="Any function from a frame to (rows,) or (rows, outputs).",
    ),
)

FRAMES = (
    Row("reader", "whyglass.adapters.frames:read", summary="Any table -> Dataset."),
    Row("writer", "whyglass.adapters.frames:write", summary="Encoded matrix -> the caller's kind of frame."),
    Row("picker", "whyglass.adapters.frames:pick", summary="Rows of the caller's own frame by position."),
    Row("builder", "whyglass.adapters.frames:build", summary="Named columns -> the caller's kind of frame."),
    Row("joiner", "whyglass.adapters.frames:join", summary="Frames of one kind -> one frame, index kept."),
    Row("stream", "whyglass.adapters.stream:stream", summary="Columns -> an Arrow stream for a page."),
    Row("file", "whyglass.adapters.frames:read_file", summary="A .csv, .parquet or .arrow file -> a frame."),
    Row("file with outcomes", "whyglass.adapters.frames:read_outcomes", summary="The same, and one column of it beside it."),
    Row("file's columns", "whyglass.adapters.frames_blocks:names", summary="The names of the columns of a file, unread."),
    Row("blocks", "whyglass.adapters.frames_blocks:open_rows", summary="A frame or a file -> its rows, block by block."),
)

FORMATS = (
    Row("arrow", "whyglass.adapters.formats:save_arrow", summary="The whole result, with its metadata."),
    Row("parquet", "whyglass.adapters.formats:save_parquet", summary="The flat frame."),
    Row("json", "whyglass.core.wire:save_json", summary="The whole result as text."),
    Row("html", "whyglass.hosts.html:save", summary="The view, alive in one file."),
)

LOADERS = (
    Row("arrow", "whyglass.adapters.formats:load_arrow", summary="A result saved with .save('x.arrow')."),
    Row("json", "whyglass.core.wire:load_json", summary="A result saved with .save('x.json')."),
)

VIEWS = (
    Row("show", "whyglass.facade:show", ("Attribution",), "View", summary="What a result displays itself as, its model at hand."),
    Row(
        "workbench",
        "whyglass.views.workbench:build",
        ("Attribution",),
        "View",
        summary="Cases, one case in full, what-if, and the model at large.",
    ),
    Row("rules", "whyglass.views.rules:build", ("Rules",), "View", summary="The rule behind each row, in words, with its intervals."),
    Row(
        "counterfactuals",
        "whyglass.views.counterfactuals:build",
        ("Counterfactuals",),
        "View",
        summary="Facts beside the changes that flip the answer, solved again as locks change.",
    ),
    Row(
        "curves", "whyglass.views.curves:build", ("Curves",), "View", summary="A small chart of each column or pair, the chosen row marked."
    ),
    Row(
        "ranking",
        "whyglass.views.ranking:build",
        ("Attribution",),
        "View",
        summary="Values that do not add up: a bar with its interval for each fact, strongest first.",
    ),
    Row(
        "beside",
        "whyglass.views.surrogates:pair",
        ("Attribution", "Attribution"),
        "Attribution",
        summary="Of results shown together, the LIME one that goes beside the contributions.",
    ),
    Row(
        "static-svg",
        "whyglass.views.waterfall:svg",
        ("Attribution",),
        "str",
        summary="A waterfall as SVG text, for places where no script runs.",
    ),
    Row(
        "static-heatmap",
        "whyglass.views.heatmap:svg",
        ("Attribution",),
        "str",
        summary="Which columns act together, as SVG text; for results with interactions.",
    ),
)

HOSTS = (
    Row("jupyter", "whyglass.hosts.jupyter:show", extra="jupyter", summary="JupyterLab, Notebook 7, VS Code, Colab."),
    Row("marimo", "whyglass.hosts.marimo:show", extra="marimo", summary="marimo notebooks and apps."),
    Row("streamlit", "whyglass.hosts.streamlit:show", extra="streamlit", summary="Streamlit apps."),
    Row("web", "whyglass.hosts.web:serve", summary="A page served on loopback."),
    Row("html", "whyglass.hosts.html:save", summary="One file that needs no server and no network."),
)

KERNELS = (Row("warm", "whyglass.kernels.warm:warm", summary="Compile the kernels off the click path."),)

EXPORTS = (
    Row("shap", "whyglass.adapters.shap:explanation", extra="shap", summary="A shap.Explanation, for shap's plots and tools."),
    Row("sheet", "whyglass.adapters.streamed:Sheet", summary="A Parquet file of answers, written block by block."),
)

IMPORTS = (Row("shap", "whyglass.adapters.shap:attribution", extra="shap", summary="A shap.Explanation -> an Attribution."),)

MODEL_FILES = (
    Row(
        "skops",
        "whyglass.adapters.models.files:read_skops",
        (".skops",),
        extra="sklearn",
        summary="scikit-learn, saved with skops.io.dump.",
    ),
    Row(
        "xgboost",
        "whyglass.adapters.models.files:read_xgboost",
        (".json", ".ubj"),
        extra="xgboost",
        summary="XGBoost, saved with save_model.",
    ),
    Row(
        "lightgbm", "whyglass.adapters.models.files:read_lightgbm", (".txt",), extra="lightgbm", summary="LightGBM, saved with save_model."
    ),
    Row(
        "catboost", "whyglass.adapters.models.files:read_catboost", (".cbm",), extra="catboost", summary="CatBoost, saved with save_model."
    ),
    Row("onnx", "whyglass.adapters.models.files:read_onnx", (".onnx",), extra="onnx", summary="ONNX, trees or any graph over a table."),
    Row("reader", "whyglass.adapters.models.files:read_model", summary="Any of these, by its extension."),
)

DEMOS = (
    Row(
        "census",
        "whyglass.adapters.models.demo:census",
        extra="demo",
        summary="Census income, gradient-boosted trees, held-out people explained.",
    ),
)

TABLES: dict[str, tuple[Row, ...]] = {
    "methods": METHODS,
    "models": MODELS,
    "frames": FRAMES,
    "formats": FORMATS,
    "loaders": LOADERS,
    "views": VIEWS,
    "hosts": HOSTS,
    "kernels": KERNELS,
    "exports": EXPORTS,
    "imports": IMPORTS,
    "model files": MODEL_FILES,
    "demos": DEMOS,
}
