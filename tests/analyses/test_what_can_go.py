"""The study's tables: rank correlations as scipy has them, and orders as they are."""

import numpy as np
from scipy import stats

from analyses.what_can_go import run
from interp import flow, patterns

TEXT = "Mary and John went to the store. The keys to the cabinet are on the table, and nobody has seen them. " * 20


def test_correlations_with_their_intervals():
    random = np.random.default_rng(0)
    measure, loss = random.normal(size=30), random.normal(size=30)
    measure[3] = np.nan
    there = np.isfinite(measure)
    found, low, high = run.correlated(measure, loss)
    np.testing.assert_allclose(found, stats.spearmanr(measure[there], loss[there]).statistic)
    assert low <= found <= high
    exact, low, high = run.correlated(loss, np.exp(loss))
    np.testing.assert_allclose([exact, low, high], 1)


def test_the_tables_on_a_tiny_model(tiny, tmp_path):
    model = tiny("llama")
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    small = {"corpus": str(path), "windows": 6, "length": 24}
    redundancy = flow.layer_redundancy(model, tested=2, **small)
    assert len(run.by_part(redundancy).splitlines()) == 2 + len(run.MEASURES)
    loss = redundancy.data["loss_skipped"].sel(part="block").values
    last = run.first_to_go(redundancy).splitlines()[-1]
    assert last.startswith(f"| `loss_skipped` | {', '.join(map(str, np.argsort(loss, kind='stable')))} |")
    removal = flow.layer_removal(model, tested=2, draws=2, **small)
    table = run.orders(removal).splitlines()
    assert len(table) == 2 + len(removal.data["order"]) + 1
    heads = patterns.head_redundancy(model, **small)
    costs = heads.data["increase"].values
    layer, head = np.unravel_index(costs.argmax(), costs.shape)
    assert f"{layer}.{head} ({costs.max():+.3f})" in run.of_heads(
        heads, {"similarity": heads.data["similarity"].values}
    )
