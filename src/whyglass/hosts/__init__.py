"""Who carries a view: one file for each place where it can be looked at.

Here live jupyter, marimo, streamlit, web and html. A host takes a `core.view.View`, shows its front-end module, gives
it `meta`, `state` and the `first` tables, and joins the page to a `core.session.Session`. It never knows which view it
carries, and no view knows its host.

Here may not live: anything about a particular view, explainer or model. A host imports `core` and its own framework,
inside the function that needs it when the framework is an extra.

To add one: a file with `show(view, **options)`, one row in `core/tables.py` (HOSTS), a bridge in `frontend/src/bridge`
if the place has no AFM model of its own, and a parameter in `tests/browser`.
"""
