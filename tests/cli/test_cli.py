"""The command line: it teaches, gives the numbers that Python gives, and turns mistakes into one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx
import lightgbm
import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

import whyglass as wg
from whyglass import cli
from whyglass.core.errors import MissingExtraError


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with a model, its training rows and rows to explain."""
    folder = tmp_path_factory.mktemp("work")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["age", "hours", "gain"])
    y = (X["age"] + X["hours"] ** 2 > 1).astype(int)
    lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, y), 5).save_model(folder / "model.txt")
    X.to_csv(folder / "train.csv", index=False)
    X.assign(fell=y).to_csv(folder / "recorded.csv", index=False)
    X[:20].to_parquet(folder / "rows.parquet")
    X[:20].to_csv(folder / "rows.csv", index=False)
    return folder


def fails(capsys, *arguments) -> str:
    """The one line that a mistake gives."""
    assert cli.main([str(a) for a in arguments]) == cli.USAGE_ERROR
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("whyglass: ")
    assert err.count("\n") == 1, err
    return err


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    said = capsys.readouterr().out
    assert stop.value.code == 0
    for taught in ("whyglass demo --export why.html", "whyglass explain model.ubj rows.parquet", "wg.wrap(clf, X_train, y_train)"):
        assert taught in said


@pytest.mark.parametrize("verb", ["demo", "explain", "show"])
def test_each_verb_has_help_that_fits_a_terminal(capsys, verb):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    said = capsys.readouterr().out
    assert "usage: whyglass " + verb in said
    assert max(map(len, said.splitlines())) <= 100


@pytest.mark.parametrize("verb", ["audit", "serve", "watch", "xplain"])
def test_a_verb_that_is_not_there_is_not_offered(capsys, verb):
    with pytest.raises(SystemExit) as stop:
        cli.main([verb])
    assert stop.value.code == cli.USAGE_ERROR
    assert "choose from" in capsys.readouterr().err


def test_the_examples_of_the_help_parse():
    lines = [line.strip() for text in (cli.EXAMPLES, cli.EXPLAIN_EXAMPLES) for line in text.splitlines()]
    commands = [re.split(r"\s{2,}", line)[0].split()[1:] for line in lines if line.startswith("whyglass ")]
    assert len(commands) >= 8
    for command in commands:
        cli._parser().parse_args(command)


def test_the_shell_gives_the_numbers_of_python(work, tmp_path):
    out = tmp_path / "why.arrow"
    assert cli.main(["explain", str(work / "model.txt"), str(work / "rows.parquet"), "--out", str(out)]) == 0
    rows = pd.read_parquet(work / "rows.parquet")
    why = wg.explain(wg.wrap(lightgbm.Booster(model_file=work / "model.txt"), rows), rows)
    saved = wg.load(out)
    np.testing.assert_array_equal(saved.values, why.values)
    np.testing.assert_array_equal(saved.base_values, why.base_values)
    assert saved.feature_names == ("age", "hours", "gain")


def test_the_shell_says_which_rows_stood_for_unknown(work, tmp_path):
    out, asked = tmp_path / "why.arrow", ["--method", "shap.sampled", "--budget", "8"]
    for extra, words in (([], "all 20 explained rows"), (["--background", str(work / "train.csv")], "background rows given")):
        assert cli.main(["explain", str(work / "model.txt"), str(work / "rows.csv"), "--out", str(out), *asked, *extra]) == 0
        assert words in wg.load(out).background_note


def test_a_csv_gives_what_a_parquet_gives(work, tmp_path):
    for kind in ("csv", "parquet"):
        assert cli.main(["explain", str(work / "model.txt"), str(work / f"rows.{kind}"), "--out", str(tmp_path / f"{kind}.parquet")]) == 0
    one, two = (pyarrow.parquet.read_table(tmp_path / f"{kind}.parquet") for kind in ("csv", "parquet"))
    assert one.equals(two)
    assert one.num_rows == 20


def test_options_reach_the_verb(work, tmp_path):
    out = tmp_path / "why.json"
    options = ["--method", "shap.sampled", "--background", str(work / "train.csv"), "--budget", "64", "--seed", "5"]
    assert cli.main(["explain", str(work / "model.txt"), str(work / "rows.csv"), "--out", str(out), *options]) == 0
    made = wg.load(out).provenance
    assert (made.method, made.seed) == ("shap.sampled", 5)
    assert made.params["background_rows"] == 200


def asked(work, *arguments) -> list[str]:
    return ["explain", str(work / "model.txt"), *(str(work / a) if str(a).endswith(".csv") else str(a) for a in arguments)]


@pytest.mark.parametrize("method", ["lime", "anchors", "counterfactual", "pdp", "permutation"])
def test_every_kind_of_answer_is_what_python_gives(work, tmp_path, capsys, method):
    out, rows = tmp_path / "why.arrow", pd.read_csv(work / "recorded.csv")
    assert cli.main(asked(work, "recorded.csv", "--train", "recorded.csv", "--outcome", "fell", "--method", method, "--out", out)) == 0
    X, y = rows.drop(columns="fell"), rows["fell"]
    model = wg.wrap(lightgbm.Booster(model_file=work / "model.txt"), X, y)
    assert wg.load(out) == wg.explain(model, X, y=y, method=method)
    assert str(out) in capsys.readouterr().err


def test_parameters_of_the_method_reach_it(work, capsys):
    given = ["--train", "train.csv", "--method", "counterfactual", "--target", "1", "--set", 'immutable=["age"]', "--set", "k=2"]
    assert cli.main(asked(work, "rows.csv", *given)) == 0
    said = capsys.readouterr().out
    assert "leads to 1" in said
    assert "held: age stays" in said


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("more", [(), ("--train", "train.csv"), ("--background", "train.csv")])
def test_outcomes_are_read_from_a_column(work, tmp_path, suffix, more):
    out = tmp_path / f"why.{suffix}"
    assert cli.main(asked(work, "recorded.csv", "--outcome", "fell", "--space", "log_loss", *more, "--out", out)) == 0
    found = wg.load(out).to_frame().drop(columns="index", errors="ignore") if suffix == "arrow" else pd.read_parquet(out)
    rows = pd.read_csv(work / "recorded.csv")
    X, y = rows.drop(columns="fell"), rows["fell"]
    model = wg.wrap(lightgbm.Booster(model_file=work / "model.txt"), X)
    wanted = wg.explain(model, X, y=y, space="log_loss", background=X if "--background" in more else None)
    np.testing.assert_allclose(found[["age", "hours", "gain"]].to_numpy(float), wanted.values[:, :, 0], atol=1e-12)


def test_middle_rows_stand_for_unknown(work, capsys):
    assert cli.main(asked(work, "rows.csv", "--train", "train.csv", "--background", "medoids:5")) == 0
    assert "5" in capsys.readouterr().out.splitlines()[1]


def test_without_out_the_strongest_pushes_are_printed(work, capsys):
    assert cli.main(["explain", str(work / "model.txt"), str(work / "rows.csv")]) == 0
    assert "Attribution: 20 rows x 3 features" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing.txt", "rows.csv"), "There is no file"),
        (("model.txt", "nothing.csv"), "nothing.csv"),
        (("model.pkl", "rows.csv"), "A pickle can run anything"),
        (("model.txt", "rows.csv", "--method", "shapp"), "Did you mean 'shap'"),
        (("model.txt", "rows.csv", "--target", "nobody"), "There is no output 'nobody'"),
        (("model.txt", "rows.csv", "--budget", "soon"), "soon"),
        (("model.txt", "rows.csv", "--out", "why.xlsx"), "Valid:"),
        (("model.txt", "rows.csv", "--out", "nowhere/why.arrow"), "There is no folder"),
        (("model.txt", "rows.csv", "--outcome", "fell"), "a column of neither DATA nor --train"),
        (("model.txt", "rows.csv", "--set", "k"), "--set 'k' is not understood"),
        (("model.txt", "rows.csv", "--set", "k=3"), "has no parameter 'k'"),
        (("model.txt", "rows.csv", "--method", "permutation"), "pass y="),
    ],
)
def test_a_mistake_is_one_line(work, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(work)
    assert said in fails(capsys, "explain", *arguments)


def test_wrong_columns_are_one_line(work, capsys, tmp_path):
    other = tmp_path / "rows.csv"
    other.write_text("height,weight\n1,2\n")
    assert "age" in fails(capsys, "explain", work / "model.txt", other)


@pytest.mark.parametrize("content", [b"", b"ARROW1\x00\x00 cut", b"\x80\x04K\x01.", b'{"kind": "Attribution"}'])
@pytest.mark.parametrize("suffix", [".arrow", ".json"])
def test_a_damaged_result_is_one_line(tmp_path, capsys, suffix, content):
    file = tmp_path / f"why{suffix}"
    file.write_bytes(content)
    fails(capsys, "show", file, "--export", tmp_path / "why.html")
    assert not (tmp_path / "why.html").exists()


def test_a_file_that_cannot_be_exported_is_said_before_the_work(capsys):
    assert "html" in fails(capsys, "demo", "--export", "why.pdf")


def test_without_the_extra_the_demo_prints_the_pip_line(capsys, monkeypatch):
    def missing(table, name):
        extra = "demo"
        raise MissingExtraError(name, extra)

    monkeypatch.setattr(cli.registry, "load", missing)
    assert "pip install 'whyglass[demo]'" in fails(capsys, "demo")


def test_without_scikit_learn_the_demo_prints_the_pip_line(tmp_path):
    """The same with the real import failing, as on a machine without it."""
    (tmp_path / "sklearn.py").write_text("raise ModuleNotFoundError(\"No module named 'sklearn'\", name='sklearn')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "whyglass", "demo"], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == cli.USAGE_ERROR
    assert done.stderr == "whyglass: sklearn is not installed. Run: pip install 'whyglass[demo]'\n"


def test_a_saved_answer_is_exported(work, tmp_path):
    saved, page = tmp_path / "why.arrow", tmp_path / "why.html"
    assert cli.main(["explain", str(work / "model.txt"), str(work / "rows.csv"), "--out", str(saved)]) == 0
    assert cli.main(["show", str(saved), "--export", str(page)]) == 0
    assert page.read_text(encoding="utf-8").startswith("<!")


@contextmanager
def running(*arguments):
    """The command line as a process, and the address that it printed; killed when the test is over."""
    command = [sys.executable, "-m", "whyglass", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        line = process.stdout.readline()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\S+/\n", line), line + process.stderr.read()
        yield process, line.strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_show_serves_and_stops_cleanly(work, tmp_path, stop):
    saved = tmp_path / "why.arrow"
    assert cli.main(["explain", str(work / "model.txt"), str(work / "rows.csv"), "--out", str(saved)]) == 0
    with running("show", saved, "--no-browser") as (process, address):
        assert httpx.get(address).status_code == 200
        process.send_signal(stop)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err.endswith("Stopped.\n")
    assert "Traceback" not in err
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


@pytest.mark.slow
def test_demo_writes_a_report(tmp_path, capsys):
    page = tmp_path / "why.html"
    assert cli.main(["demo", "--export", str(page)]) == 0
    assert "works from disk with no network" in capsys.readouterr().err
    assert page.stat().st_size < 600_000


@pytest.mark.slow
def test_demo_serves_until_ctrl_c():
    with running("demo", "--no-browser") as (process, address):
        assert "workbench.js" in httpx.get(address).text
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in err


def test_a_port_in_use_is_one_line(work, tmp_path, capsys):
    import socket

    saved = tmp_path / "why.arrow"
    assert cli.main(["explain", str(work / "model.txt"), str(work / "rows.csv"), "--out", str(saved)]) == 0
    capsys.readouterr()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "cannot be used" in fails(capsys, "show", saved, "--port", taken.getsockname()[1])


def test_parquet_is_written_block_by_block(work, tmp_path, monkeypatch, capsys):
    from whyglass import batches

    monkeypatch.setattr(batches, "ROWS", 8)
    out = tmp_path / "why.parquet"
    assert cli.main(["explain", str(work / "model.txt"), str(work / "rows.csv"), "--out", str(out)]) == 0
    assert pyarrow.parquet.read_metadata(out).num_row_groups == 3
    said = capsys.readouterr().err
    assert said.startswith(f"{out}: 20 rows explained, exact")
    assert "\r" not in said, "progress is for a terminal"


def test_progress_is_shown_on_a_terminal(work, tmp_path, monkeypatch, capsys):
    from whyglass import batches

    monkeypatch.setattr(batches, "ROWS", 8)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    arguments = ["explain", str(work / "model.txt"), str(work / "rows.csv"), "--out", str(tmp_path / "why.parquet")]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().err
    assert "20 of 20 rows" in said
    assert said.splitlines()[-1].lstrip("\r\x1b[K").startswith(str(tmp_path))


def test_an_interrupt_leaves_nothing(work, tmp_path, monkeypatch):
    from whyglass import batches

    monkeypatch.setattr(batches, "_within", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert cli.main(["explain", str(work / "model.txt"), str(work / "rows.csv"), "--out", str(tmp_path / "why.parquet")]) == 130
    assert list(tmp_path.iterdir()) == []
