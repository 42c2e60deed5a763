"""The names of CONTRACT.md that exist so far, held one by one: more may be added, nothing here may go or change."""

from __future__ import annotations

import inspect

import pytest

import whyglass as wg

FACE = {
    "wrap": ("model", "X=None", "y=None", "*", "task=None", "outputs=None", "feature_names=None", "categorical=None", "protected=None"),
    "explain": (
        "model",
        "X",
        "*",
        "method='auto'",
        "target=None",
        "data=None",
        "y=None",
        "background=None",
        "space=None",
        "budget=None",
        "seed=0",
        "executor=None",
        "**params",
    ),
    "show": ("*things", "model=None", "data=None", "y=None", "split=None", "theme='auto'", "embed_model=True"),
    "load": ("path",),
    "datasets.census": ("as_frame=None",),
}
ATTRIBUTES = {
    "Model": {"predict", "can", "schema", "outputs", "provenance"},
    "Attribution": {
        *("values", "base_values", "predictions", "std_errors", "exact", "additive", "feature_names", "output_names", "data"),
        *("interactions", "fidelity", "space", "status", "provenance", "output", "top", "to_shap", "to_frame", "save"),
        *("__len__", "__getitem__", "__eq__", "_repr_mimebundle_"),
    },
    "View": {"state", "selection", "selected_frame", "on", "save", "serve", "to_streamlit", "_repr_mimebundle_"},
    "core.provenance.Provenance": {
        *("method", "params", "seed", "model_calls", "model_rows", "seconds", "versions", "model_hash", "data_hash", "to_dict"),
    },
}
LATER = ("trace", "audit", "serve", "watch", "save", "callbacks")


def reach(path: str) -> object:
    """What a dotted path of the public face leads to."""
    if path.startswith("core."):
        module, _, name = path.rpartition(".")
        return getattr(__import__(f"whyglass.{module}", fromlist=[name]), name)
    found: object = wg
    for part in path.split("."):
        found = getattr(found, part)
    return found


def lacking(function: object, wanted: tuple[str, ...]) -> list[str]:
    """Which wanted parameters a signature has not, or not with that default or kind."""
    given, keyword_only = [], False
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            given.append("*")
        if p.kind is p.VAR_POSITIONAL:
            keyword_only = True
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        given.append(f"{mark}{p.name}" + ("" if p.default is p.empty else f"={p.default!r}"))
    places = [given.index(w) for w in wanted if w in given]
    missing = [w for w in wanted if w not in given]
    return missing if places == sorted(places) else [*missing, f"order {given}"]


def attributes(kind: type) -> set[str]:
    """What an instance has: methods, properties and dataclass fields."""
    return {*dir(kind), *(name for k in kind.__mro__ for name in getattr(k, "__annotations__", {}))}


@pytest.mark.parametrize("path", FACE)
def test_a_verb_takes_what_the_contract_says(path):
    assert lacking(reach(path), FACE[path]) == []


@pytest.mark.parametrize("path", ATTRIBUTES)
def test_a_type_has_what_the_contract_says(path):
    assert ATTRIBUTES[path] - attributes(reach(path)) == set()


def test_everything_listed_is_there_and_documented():
    for name in wg.__all__:
        if not name.startswith("__"):
            assert (getattr(wg, name).__doc__ or "").strip(), name


def test_errors_are_one_family():
    assert {wg.InputError, wg.ModelError, wg.UnsupportedError, wg.MissingExtraError} <= set(wg.WhyglassError.__subclasses__())


@pytest.mark.parametrize("name", LATER)
def test_what_is_not_there_yet_is_not_offered(name):
    assert name not in dir(wg)
    with pytest.raises(AttributeError, match="has no"):
        getattr(wg, name)


def test_a_misspelt_verb_is_told_the_nearest():
    with pytest.raises(AttributeError, match="Did you mean 'explain'"):
        _ = wg.explian


def _narrower(model, X=None, *, y=None): ...


def _renamed(model, X=None, labels=None, *, task=None): ...


def _required(model, X, y=None): ...


@pytest.mark.parametrize("function", [_narrower, _renamed, _required])
def test_a_changed_signature_is_caught(function):
    assert lacking(function, FACE["wrap"])


def test_a_lost_attribute_is_caught():
    class Poorer:
        values: float

    assert ATTRIBUTES["Attribution"] - attributes(Poorer)
