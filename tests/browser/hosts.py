"""Real servers on free loopback ports, each with folders of its own, and how each one opens a scene."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

HERE = Path(__file__).resolve().parent
SRC = HERE.parents[1] / "src"
SCENES = HERE / "scenes"
START = 180.0
PATIENCE = int(os.environ.get("WHYGLASS_PATIENCE", "120000"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds=PATIENCE / 1000, every=0.1):
    """What the condition gives once it is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(every)


@dataclass
class Server:
    """A child process that serves HTTP."""

    command: list[str]
    folder: Path
    port: int
    health: str
    environment: dict[str, str] = field(default_factory=dict)

    def start(self):
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "HOME": str(home),
            "PYTHONPATH": os.pathsep.join([str(SRC), str(SCENES)]),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "OMP_NUM_THREADS": "1",
            **self.environment,
        }
        environment.pop("PYTHONWARNINGS", None)
        self.log = self.folder / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.command], cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._answers, START)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.command} ended: {self.log.read_text(errors='replace')[-3000:]}")
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{self.health}", trust_env=False, timeout=5).status_code < 500
        except httpx.HTTPError:
            return False

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def jupyter(folder):
    port = free_port()
    places = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    places |= {f"JUPYTERLAB_{name}_DIR": str(folder / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    command = [
        "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ip=127.0.0.1", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
        "--allow-root", f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True", "--LabApp.news_url=", "--ServerApp.terminals_enabled=False",
        # what else is installed may ask for a rebuild, in a dialog above the notebook
        '--ServerApp.tornado_settings={"page_config_data": {"buildCheck": False, "buildAvailable": False}}',
    ]  # fmt: skip
    return Server(command, folder, port, "/api", places).start()


def marimo(folder, app):
    port = free_port()
    command = ["-m", "marimo", "run", str(app), "--headless", "--no-token", "--host=127.0.0.1", f"--port={port}"]
    return Server(command, folder, port, "/health").start()


def streamlit(folder, app):
    port = free_port()
    command = [
        "-m", "streamlit", "run", str(app), "--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}",
        "--server.fileWatcherType=none", "--browser.gatherUsageStats=false", "--global.developmentMode=false",
    ]  # fmt: skip
    return Server(command, folder, port, "/_stcore/health").start()


def notebook_text(code):
    cell = {"cell_type": "code", "execution_count": None, "id": "why", "metadata": {}, "outputs": [], "source": code}
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}, "language_info": {"name": "python"}}
    return json.dumps({"cells": [cell], "metadata": spec, "nbformat": 4, "nbformat_minor": 5})


MARIMO_APP = """
import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import marimo as mo
    from scene import make
    query = mo.query_params()
    view = make(query["scene"], query["folder"])
    view
    return


if __name__ == "__main__":
    app.run()
"""

STREAMLIT_APP = """
import streamlit as st
from scene import make
from whyglass.hosts.streamlit import show

st.set_page_config(layout="wide")
name, folder = st.query_params["scene"], st.query_params["folder"]
view = show(make(name, folder), key=name)
st.write("selected", str(view.selection))
"""
