"""The verbs from the shell: demo, explain, show. Every mistake of the caller is one line on stderr and exit status 2."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from whyglass import __version__
from whyglass.core import registry
from whyglass.core.attribution import SPACES
from whyglass.core.errors import InputError, WhyglassError, nearest
from whyglass.core.executor import Executor
from whyglass.core.model import Model

USAGE_ERROR = 2

DESCRIPTION = "whyglass: point it at any model and ask why."
EXAMPLES = """
examples:
  whyglass demo                                   a real model, explained, in your browser
  whyglass demo --export why.html                 the same as one file that works with no network
  whyglass explain model.ubj rows.parquet         why each row got its prediction, on the terminal
  whyglass explain model.ubj rows.csv --out why.arrow
  whyglass show why.arrow                         look at saved answers in your browser
  whyglass show why.arrow --export why.html

In Python:
  import whyglass as wg
  model = wg.wrap(clf, X_train, y_train)
  why = wg.explain(model, X_test)
  wg.show(why)
"""
DEMO = """
Train gradient-boosted trees on 24,420 people of the 1994 US census, explain 8,141 others
exactly, and look at all of them in the live view.
"""
EXPLAIN = """
Explain rows of a file and write the answers, or print the strongest pushes.

MODEL   .skops (scikit-learn), .json or .ubj (XGBoost), .txt (LightGBM), .cbm (CatBoost), .onnx
DATA    .csv, .parquet or .arrow with the columns the model was trained on
"""
EXPLAIN_EXAMPLES = """
examples:
  whyglass explain model.txt rows.parquet --out why.parquet       one line per row and output,
                                                                  more rows than fit into memory
  whyglass explain model.skops rows.csv --background train.csv --out why.html
  whyglass explain model.ubj rows.csv --method shap.sampled --background train.csv --budget 30s
  whyglass explain model.txt rows.csv --train train.csv --outcome income --method anchors
  whyglass explain model.txt rows.csv --train train.csv --method counterfactual --set k=3
"""
SHOW = "Look at saved answers (.arrow or .json) in the live view."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; those of the process when None.

    Returns:
        The exit status: 0, or 2 after a mistake of the caller.
    """
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except WhyglassError as error:
        sys.stderr.write(f"whyglass: {' '.join(str(error).split())}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # the reader (head, less) has seen enough; what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"whyglass: {message}\nTry: {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    style = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="whyglass", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=style)
    parser.add_argument("--version", action="version", version=f"whyglass {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="verb", required=True)

    demo = verbs.add_parser("demo", help="a real model, explained, in your browser", description=DEMO, formatter_class=style)
    _where(demo)
    demo.set_defaults(run=_demo)

    explain = verbs.add_parser(
        "explain", help="explain rows of a file", description=EXPLAIN, epilog=EXPLAIN_EXAMPLES, formatter_class=style
    )
    explain.add_argument("model", metavar="MODEL", type=Path)
    explain.add_argument("data", metavar="DATA", type=Path)
    explain.add_argument(
        "--out", metavar="FILE", type=Path, help="write the answers: .parquet, .arrow, .json or .html (the live view in one file)"
    )
    explain.add_argument("--method", default="auto", metavar="M", help="how to explain; auto is exact wherever the model allows it")
    explain.add_argument("--target", metavar="OUTPUT", help="explain this output (a class) only; for a counterfactual, the one wanted")
    explain.add_argument("--space", choices=SPACES, help="the unit of the answers; the method's exact one by default")
    explain.add_argument("--budget", metavar="N", help='evaluations for each row, or a time for all such as "30s" (default 2,048)')
    explain.add_argument(
        "--background", metavar="FILE", help="rows that stand for 'unknown' and tell the model's columns; or medoids:50, of --train"
    )
    explain.add_argument("--train", metavar="FILE", type=Path, help="rows the model was trained on: draws and neighbours come from them")
    explain.add_argument("--outcome", metavar="COLUMN", help="the column of DATA and of --train that holds what was recorded")
    explain.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same answer (default 0)")
    explain.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the method, as JSON or as text; may be repeated"
    )
    explain.set_defaults(run=_explain)

    show = verbs.add_parser("show", help="look at saved answers", description=SHOW, formatter_class=style)
    show.add_argument("thing", metavar="THING", type=Path, help="what `whyglass explain --out` or .save() wrote: .arrow or .json")
    _where(show)
    show.set_defaults(run=_show)
    return parser


def _where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--export", metavar="FILE", type=Path, help="write one .html file that needs no network, and exit")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="serve on this port of this machine (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address without opening it")


def _demo(given: argparse.Namespace) -> None:
    from whyglass import datasets, facade  # noqa: PLC0415  (kept off the path of --help)

    _check_export(given.export)
    _check_port(given.port)
    train_model = registry.load("demos", "census")
    people = datasets.census("pandas")
    train, held_out = people.split == "train", people.split != "train"
    _say("Training on 24,420 people of the 1994 census ...")
    model = facade.wrap(
        train_model(people.X[train], people.y[train]),
        people.X[train],
        people.y[train],
        protected=people.protected,
        columns=people.units,
        labels=people.labels,
    )
    _say("Explaining the other 8,141 ...")
    why = facade.explain(model, people.X[held_out], y=people.y[held_out])
    _carry(facade.show(why), given)


def _explain(given: argparse.Namespace) -> None:
    from whyglass import facade  # noqa: PLC0415  (kept off the path of --help)

    if given.out is not None:
        _check_suffix(given.out, [row.name for row in registry.rows("formats")])
    params = dict(_parameter(text) for text in given.set)
    if not any(_has(file, given.outcome) for file in (given.data, given.train) if file is not None):
        msg = f"--outcome {given.outcome!r} is a column of neither DATA nor --train."
        raise InputError(msg)
    estimator = registry.load("model files", "reader")(given.model)
    background = given.background
    if background is not None and not background.startswith("medoids:"):
        background = _read(Path(background), given.outcome)[0]
    if given.train is not None:
        estimator = facade.wrap(estimator, *_read(given.train, given.outcome))
    elif given.outcome is not None and background is not None and not isinstance(background, str):
        estimator = facade.wrap(estimator, background)
    asked = {
        "method": given.method,
        "target": _value(given.target) if (given.target or "").startswith("[") else given.target,
        "data": None if isinstance(estimator, Model) or isinstance(background, str) else background,
        "background": background,
        "space": given.space,
        "budget": int(given.budget) if given.budget is not None and given.budget.isdigit() else given.budget,
        "seed": given.seed,
        **params,
    }
    if given.out is not None and given.out.suffix == ".parquet" and given.method in _streamed():
        _stream(estimator, given, **asked)
        return
    rows, outcomes = _read(given.data, given.outcome)
    why = facade.explain(estimator, rows, y=outcomes, **asked)
    if given.out is None:
        sys.stdout.write(f"{why!r}\n")
        _say("Every row: --out why.parquet. The live view: --out why.html.")
        return
    why.save(given.out)
    _say(f"{given.out}: {repr(why).splitlines()[0]}")
    _count(sum(status != "ok" for status in why.status))


def _streamed() -> set[str]:
    """The methods whose answers can be written block by block: one attribution a row."""
    return {"auto", "shap"} | {row.name for row in registry.rows("methods") if row.gives == "Attribution" and not row.outcomes}


def _has(path: Path, outcome: str | None) -> bool:
    return outcome is None or outcome in registry.load("frames", "file's columns")(path)


def _read(path: Path, outcome: str | None) -> tuple[Any, Any]:
    """The rows of a file, and what was recorded of them where a column of it holds that."""
    if outcome is None:
        return registry.load("frames", "file")(path), None
    return registry.load("frames", "file with outcomes")(path, outcome)  # type: ignore[no-any-return]


def _parameter(text: str) -> tuple[str, Any]:
    name, given, value = text.partition("=")
    if not given or not name.isidentifier():
        msg = f'--set {text!r} is not understood; wanted a parameter\'s name and its value, such as k=3 or immutable=["age"].'
        raise InputError(msg)
    return name, _value(value)


def _value(text: str | None) -> Any:
    """A list, mapping, number or truth value written as JSON; anything else is text."""
    try:
        return None if text is None else json.loads(text)
    except json.JSONDecodeError:
        return text


def _stream(estimator: Any, given: argparse.Namespace, **asked: Any) -> None:
    """Explain block by block, with a line that counts the rows where a person watches."""
    from whyglass import batches  # noqa: PLC0415  (kept off the path of --help)

    start = time.monotonic()
    watched = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        spent = time.monotonic() - start
        left = spent / done * (total - done)
        sys.stderr.write(f"\r{done:,} of {total:,} rows, {spent:,.0f} s, about {left:,.0f} s left\x1b[K")
        sys.stderr.flush()

    try:
        by = Executor(progress=progress if watched else None)
        recorded = given.outcome if _has(given.data, given.outcome) else None
        done = batches.explain_to(given.out, estimator, given.data, y=recorded, executor=by, **asked)
    finally:
        if watched:
            sys.stderr.write("\r\x1b[K")
    trust = "exact" if done.exact else "estimated, with standard errors"
    _say(f"{given.out}: {done.rows:,} rows explained, {trust}, in {done.space} space ({done.provenance.method}).")
    _count(done.failed)


def _count(bad: int) -> None:
    if bad:
        _say(f"{bad:,} rows could not be explained; their status says why.")


def _show(given: argparse.Namespace) -> None:
    from whyglass import facade  # noqa: PLC0415  (kept off the path of --help)

    _check_export(given.export)
    _carry(facade.show(facade.load(given.thing)), given)


def _carry(view: Any, given: argparse.Namespace) -> None:
    """Write the view, or serve it until Ctrl-C."""
    if given.export is not None:
        view.save(given.export)
        _say(f"{given.export}: {given.export.stat().st_size / 1000:,.0f} kB, works from disk with no network.")
        return
    handle = view.serve(given.port)
    try:
        # a service manager's stop is the same wish as Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        sys.stdout.write(f"{handle.url}\n")
        sys.stdout.flush()
        _say("The view is at the address above, for this machine only. Ctrl-C stops it.")
        if not given.no_browser and _has_screen():
            webbrowser.open(handle.url)
        handle.wait()
    except KeyboardInterrupt:
        pass
    finally:
        handle.stop()
        _say("Stopped.")


def _has_screen() -> bool:
    """Whether a browser would open a window; without one some systems open a text browser in this terminal."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _check_port(port: int) -> None:
    """Find out before the work, not after it, that nothing can be served there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            msg = f"Nothing can be served on port {port}: {error}. Without --port a free one is found."
            raise InputError(msg) from error


def _check_export(target: Path | None) -> None:
    """Say before the work, not after it, that the file cannot be written."""
    if target is not None:
        _check_suffix(target, ["html"])


def _check_suffix(target: Path, known: Sequence[str]) -> None:
    if target.suffix[1:] not in known:
        msg = f"Cannot tell what to write from {target.name!r}. {nearest(target.suffix[1:], known)}"
        raise InputError(msg)
    if not target.absolute().parent.is_dir():
        msg = f"There is no folder {str(target.absolute().parent)!r} to write {target.name!r} into."
        raise InputError(msg)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
