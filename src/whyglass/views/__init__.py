"""Views: a result becomes a View (one JSON state, columns as bytes, actions). None of them knows where it is shown.

What lives here: one module per view (with helpers beside it), and ``static/``, the built front end. What may not be
here: a host, an explainer, a plotting library, any frame library; what a view must ask of a model it asks through the
``ask`` function that the facade hands it, and tables become bytes through the frames table of ``core.tables``.

How to add one: a function ``build(result, *, model, ask, data, split, theme, embed_model) -> View`` here, one
``frontend/src/views/<name>.ts`` that renders it, one line in ``core.tables.VIEWS``, and its name as ``view_name`` of the
results it shows. ``facade.show`` and the hosts are not touched.
"""
