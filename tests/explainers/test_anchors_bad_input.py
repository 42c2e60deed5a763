"""Anchors of awkward models, tables and cases: each a clear answer, none an exception out of a batch; and how often the model is called."""

import numpy as np
import pandas as pd
import pytest

import whyglass as wg

JOBS = ["Clerk", "Farmer", "Nurse", "Smith"]


def people(rows=2000, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows).astype(float),
            "hours": np.round(rng.normal(40, 10, rows)),
            "job": rng.choice(JOBS, rows),
            "sex": rng.choice(["f", "m"], rows),
        }
    )


def rich(X):
    score = (X["hours"].to_numpy(float) - 40) / 4 + (X["job"] == "Smith") * 3.0 - (X["job"] == "Farmer") * 3.0
    yes = 1 / (1 + np.exp(-score.to_numpy(float)))
    return np.column_stack([1 - yes, yes])


def wrapped(function=rich, X=None, **options):
    given = {"task": "classification", "outputs": ["poor", "rich"], "protected": ["sex"]}
    return wg.wrap(function, people() if X is None else X, **{**given, **options})


def ask(model, cases, **options):
    found = wg.explain(model, cases, method="anchors", **options)
    assert len(found) == len(cases)
    for rule, status in zip(found.rules, found.status, strict=True):
        assert 0 <= rule.precision_interval[0] <= rule.precision <= rule.precision_interval[1] <= 1
        assert rule.met == (status == "ok" and rule.precision_interval[0] >= found.provenance.params["precision"] - 1e-12)
        assert rule.met or rule.reason or status != "ok"
    return found


def test_a_constant_regression_needs_no_condition():
    for rule in ask(wg.wrap(lambda X: np.full(len(X), 5.0), people(), task="regression", outputs=["pay"]), people(2)).rules:
        assert rule.met
        assert str(rule) == "whatever the facts, pay 5"


def test_a_class_that_is_never_predicted_is_named_so():
    model = wrapped(lambda X: np.column_stack([rich(X), np.zeros(len(X))]), outputs=["poor", "rich", "royal"])
    for rule in ask(model, people(3), target="royal").rules:
        assert "says royal for none of the 2,000 training rows" in rule.reason
    assert any(rule.met for rule in ask(model, people(6)).rules), "the other classes have rules"


def test_several_classes_have_rules_each():
    def three(X):
        score = ((X["hours"] - 40) / 5).to_numpy(float)
        each = np.exp(np.column_stack([-score, 1 + 0 * score, score]))
        return each / each.sum(axis=1, keepdims=True)

    found = ask(wrapped(three, outputs=["low", "mid", "high"]), people(30))
    assert {rule.output for rule in found.rules if rule.met} == {"low", "mid", "high"}


@pytest.mark.parametrize(
    ("column", "value", "said"), [("job", "Pilot", "job, whose category here"), ("hours", np.nan, "hours, which is missing")]
)
def test_what_no_training_row_has_is_named_when_it_keeps_a_rule_away(column, value, said):
    def needs(X):
        return rich(X.assign(hours=X["hours"].fillna(40.0)))

    cases = people(200, seed=3).query("35 <= hours <= 45").iloc[:6].assign(**{column: value})
    if column == "hours":
        cases["job"] = "Clerk"
    found = ask(wrapped(needs), cases)
    assert set(found.status) == {"ok"}
    assert column not in {p.feature for rule in found.rules for p in rule.predicates}
    unmet = [rule.reason for rule in found.rules if not rule.met and "it may reach that" not in rule.reason]
    assert unmet
    assert all("no condition can hold" in reason and said in reason for reason in unmet)


def test_a_model_without_an_answer_for_some_perturbations_counts_them_as_misses():
    def holes(X):
        out = rich(X)
        out[((X["job"] == "Nurse") & (X["hours"] < 28)).to_numpy()] = np.nan
        return out

    X = people()
    found = ask(wrapped(holes), X.iloc[:30])
    lost = ((X["job"] == "Nurse") & (X["hours"] < 28)).iloc[:30].to_numpy()
    assert [status for status, gone in zip(found.status, lost, strict=True) if gone] == ["the model answered NaN"] * lost.sum()
    assert sum(rule.met for rule in found.rules) >= 10
    told = ask(wrapped(holes), X.iloc[:1], rule={"hours": ("<", 28)})[0]
    assert not told.met
    assert "had no finite answer (the model answered NaN)" in told.reason


def test_a_model_that_answers_only_about_the_case_says_so():
    def shy(X):
        return rich(X) if len(X) < 20 else np.full((len(X), 2), np.nan)

    for rule in ask(wrapped(shy), people(3)).rules:
        assert "could not answer about training rows: the model answered NaN" in rule.reason


def test_a_call_that_fails_once_costs_no_answer():
    calls = []

    def flaky(X):
        calls.append(len(X))
        if len(calls) == 6:
            msg = "connection reset"
            raise ConnectionError(msg)
        return rich(X)

    model = wrapped(flaky)
    found = ask(model, people(10))
    assert set(found.status) == {"ok"}
    assert [str(r) for r in found.rules] == [str(r) for r in ask(wrapped(), people(10)).rules], "the failed rows are asked again"


@pytest.mark.parametrize("budget", [1, 50, 79])
def test_a_budget_below_what_any_rule_takes_is_named(budget):
    for rule in ask(wrapped(), people(3), budget=budget).rules:
        assert f"a budget of {budget} draws is too small: a precision of 0.95 takes at least" in rule.reason


def test_a_budget_just_large_enough_says_what_is_clear():
    case = people(300).query("hours > 55 and job == 'Smith'").iloc[:3]
    model = wrapped()
    assert all(rule.met for rule in ask(model, case, budget=100).rules)
    before = model.counter.snapshot()[1]
    ask(model, case, budget=100)
    assert model.counter.snapshot()[1] - before <= 3 * 100 + 3


def test_all_columns_protected_names_those_that_a_rule_needs():
    cases = people(300).query("hours > 55 and job != 'Farmer'").iloc[:3]
    for rule in ask(wrapped(protected=list(people())), cases).rules:
        assert not rule.met
        assert rule.predicates == ()
        assert rule.reason.startswith("no rule holds without ")
        assert "hours" in rule.reason.partition(", left out here; with it: IF ")[0]


def test_one_training_row_and_two():
    for rows in (1, 2):
        for rule in ask(wrapped(X=people(rows)), people(3)).rules:
            assert rule.met or rule.reason
    for rule in ask(wrapped(X=people(1)), people(2), precision_kind="observational").rules:
        assert "there is only one row" in rule.reason
    scored = ask(wrapped(X=people(1)), people(2), rule={"age": ("<", 200)}, precision_kind="observational")[0]
    assert scored.met or scored.reason


def test_columns_that_never_change_are_not_spoken_of():
    X = people().assign(one=1.0, same="x")
    found = ask(wrapped(X=X), X.iloc[:10])
    assert any(rule.met for rule in found.rules)
    assert {p.feature for rule in found.rules for p in rule.predicates} <= {"age", "hours", "job"}


def test_names_of_any_kind_stay_as_they_are(tmp_path):
    script, snow = "Beruf <script>alert(1)</script>", "Größe ☃"
    X = people().rename(columns={"job": script, "hours": snow}).assign(**{script: "<b>" + people()["job"] + "</b> ü"})

    def reads(Z):
        return rich(pd.DataFrame({"hours": Z[snow], "job": Z[script].str[3:-6]}))

    found = ask(wrapped(reads, X, outputs=["<i>arm</i>", "reich ü"]), X.iloc[:20])
    texts = " ".join(str(rule) for rule in found.rules if rule.met)
    assert f"{script} = <b>Smith</b> ü" in texts
    assert snow in texts
    assert "THEN <i>arm</i>" in texts
    found.save(tmp_path / "rules.arrow")
    assert wg.load(tmp_path / "rules.arrow") == found
    drawn = found._repr_mimebundle_()
    page = drawn[0] if isinstance(drawn, tuple) else drawn
    assert "<script>alert(1)" not in str(page.get("text/html", ""))


def test_no_rows_and_five_thousand_categories():
    assert len(ask(wrapped(), people().iloc[:0])) == 0
    X = people(6000).assign(street=[f"street {k % 5000}" for k in range(6000)])
    cases = X.iloc[:4].assign(street=["street 1", "street 4999", "nowhere", None])
    found = ask(wrapped(X=X), cases)
    assert set(found.status) == {"ok"}
    assert "street" not in {p.feature for rule in found.rules for p in rule.predicates}


@pytest.mark.parametrize("rows", [1, 60])
def test_a_distant_model_is_called_few_times_with_many_rows(rows):
    sizes = []

    def distant(X):
        sizes.append(len(X))
        return rich(X)

    model, cases = wrapped(distant), people(rows, seed=9)
    sizes.clear()
    found = ask(model, cases)
    assert sizes[:4] == [rows, 2000, 5000, 8192], "the cases, then what is asked once"
    assert len(sizes) <= 4 + 1 + 3 * 4 + 6
    assert sum(sizes[4:]) <= rows * 2048
    assert found.provenance.model_calls == len(sizes)
    assert found.provenance.model_rows == sum(sizes)
    sizes.clear()
    ask(model, cases, rule={"job": "Smith", "hours": (">", 50)})
    assert sizes == [rows, 2048], "a given rule is scored on the same draws for every row"
    sizes.clear()
    ask(model, cases, rule={"job": "Smith"}, precision_kind="observational")
    assert sizes == [rows, 2000]
    ask(model, cases, precision_kind="observational")
    assert sizes == [rows, 2000, rows], "training rows are asked about once"


def test_observational_precision_is_that_of_training_rows_that_had_no_part_in_the_search():
    X = people(6000)
    X["hours"] = X["hours"] + 12 * (X["job"] == "Smith") - 12 * (X["job"] == "Farmer")
    model = wrapped(X=X)
    given = ask(model, X.iloc[:1], rule={"job": "Smith"}, precision_kind="observational")[0]
    inside = (X["job"] == "Smith").to_numpy()
    true = (rich(X[inside]).argmax(axis=1) == ["poor", "rich"].index(given.output)).mean()
    assert given.precision_interval[0] <= true <= given.precision_interval[1]
    other = ask(model, X.iloc[:1], rule={"job": "Smith"})[0]
    assert abs(other.precision - true) > 0.02, "redrawn columns say something else here"
    for rule in ask(model, X.iloc[:20], precision_kind="observational").rules:
        if rule.met:
            rows = X[rule.mask(X)]
            assert (np.array(["poor", "rich"])[rich(rows).argmax(axis=1)] == rule.output).mean() >= 0.94


def test_a_rule_that_takes_more_columns_than_it_may_have_says_so():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(3000, 3)), columns=list("abc")).round(2)

    def sums(Z):
        yes = 1 / (1 + np.exp(-3 * Z[list("abc")].sum(axis=1).to_numpy()))
        return np.column_stack([1 - yes, yes])

    case = pd.DataFrame(np.full((1, 3), 1.4), columns=list("abc"))
    model = wg.wrap(sums, X, task="classification", outputs=["no", "yes"])
    few, more = (ask(model, case, max_predicates=most)[0] for most in (1, 2))
    assert more.met
    assert "with every allowed column held to the row's own bin" in few.reason
    assert "one condition is too little to hold it" in few.reason
