"""What a report weighs on disk, held to its budgets on data that does not compress away."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import whyglass as wg


@pytest.fixture(scope="module")
def why():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(1000, 20)).round(3), columns=[f"measurement {j}" for j in range(20)])
    y = (X.sum(axis=1) + rng.normal(size=1000) > 0).astype(int)
    model = wg.wrap(HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(X, y), X, y)
    return wg.explain(model, X, space="probability", budget=64)


def test_a_thousand_rows_of_twenty_columns_without_the_model(why, tmp_path):
    view = wg.show(why, embed_model=False)
    size = view.save(tmp_path / "why.html").stat().st_size
    assert view.freeze()[0]["frozen"]["rows_shown"] == 1000
    assert size <= 300_000


def test_with_its_model_it_stays_small(why, tmp_path):
    assert wg.show(why).save(tmp_path / "why.html").stat().st_size <= 400_000
