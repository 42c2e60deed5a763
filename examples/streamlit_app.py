"""The live view in a Streamlit app: what is brushed in the view is a DataFrame in the script.

Run: streamlit run examples/streamlit_app.py
"""

from __future__ import annotations

import streamlit as st
from sklearn.ensemble import HistGradientBoostingClassifier

import whyglass as wg


@st.cache_resource
def explained() -> wg.Attribution:
    """Train once for all visitors; each visitor gets a view of their own."""
    people = wg.datasets.census("pandas")
    train, held_out = people.split == "train", people.split == "held out"
    clf = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(people.X[train], people.y[train])
    model = wg.wrap(clf, people.X[train], people.y[train], protected=people.protected, columns=people.units, labels=people.labels)
    return wg.explain(model, people.X[held_out], y=people.y[held_out])


st.set_page_config(page_title="Why this income?", layout="wide")
st.title("Why this income?")

view = wg.show(explained())
view.to_streamlit(height=800)

if view.selection:
    st.subheader(f"{len(view.selection):,} people brushed")
    st.dataframe(view.selected_frame())
else:
    st.caption("Brush people in the view: they appear here as a table.")
