"""Each example runs from top to bottom, as its first lines say."""

from __future__ import annotations

import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.slow


def test_the_report_is_written(root, tmp_path):
    command = [sys.executable, "-W", "error", root / "examples" / "report.py", "why.html"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Attribution: 8,141 rows x 11 features" in done.stdout
    assert (tmp_path / "why.html").stat().st_size < 600_000


def test_one_decision_is_seen_from_four_sides(root, tmp_path):
    command = [sys.executable, "-W", "error", root / "examples" / "one_decision.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    spoken = ("IF Education", "THEN $50K or less", "of the people held out", "\N{RIGHTWARDS ARROW}", "rank_correlation", "Curves: partial")
    for said in spoken:
        assert said in done.stdout
    assert sorted(f.stem for f in tmp_path.iterdir()) == ["around", "effects", "flips", "rule"]


def test_many_rows_are_written(root, tmp_path):
    command = [sys.executable, "-W", "error", root / "examples" / "many_rows.py", "why.parquet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "why.parquet: 32,561 rows x 11 features" in done.stdout
    assert done.stderr.endswith("32,561 of 32,561 rows")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["rows.parquet", "why.parquet"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # the kernel's client, not ours
def test_the_notebook_runs(root, tmp_path):
    notebook = nbformat.read(root / "examples" / "explain_census.ipynb", as_version=4)
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    shown = [output.data for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs if "data" in output]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)
    assert any("image/svg+xml" in data for data in shown)
    assert (tmp_path / "why.html").exists()


def test_the_notebook_is_kept_without_outputs(root):
    notebook = nbformat.read(root / "examples" / "explain_census.ipynb", as_version=4)
    assert [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # streamlit's, not ours
def test_the_streamlit_app_runs(root):
    app = AppTest.from_file(str(root / "examples" / "streamlit_app.py"), default_timeout=240).run()
    assert not app.exception
    assert app.title[0].value == "Why this income?"
    assert "Brush people" in app.caption[0].value


def test_the_marimo_app_runs(root, tmp_path):
    page = tmp_path / "app.html"
    command = [sys.executable, "-m", "marimo", "export", "html", root / "examples" / "marimo_app.py", "-o", page]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "marimo-anywidget" in page.read_text(encoding="utf-8")
