"""Whatever is summed over windows: parts add up to the whole, in shards too, and a process can be sent it."""

import pickle

import numpy as np
import pytest
from reading import sentences

from interp.core.prompts import Prompts
from interp.corpus.gathering import gather
from interp.geometry.activation_sparsity import SparsitySums
from interp.geometry.tokens.spread import TokenMeasures, diversity, mean_cosine
from interp.patterns.attention_dispersion import DispersionSums
from interp.patterns.attention_sinks import Massive, MassiveLosses, SinkSums
from interp.patterns.head_redundancy import WithoutHeads
from interp.patterns.lazy_layers import LazySums
from interp.patterns.spectra.patterns import SpectrumSums

MASSIVE = Massive(0.5, 2)
STATISTICS = [
    SinkSums(2, MASSIVE),
    MassiveLosses(MASSIVE, np.ones((4, 32))),
    DispersionSums(3, 1, 16),
    WithoutHeads("mean", 1),
    SpectrumSums(1, 0),
    LazySums(1, 2, 3),
    TokenMeasures("tokens", 2, {"cosine": mean_cosine, "diversity": diversity}),
    SparsitySums(0.02, (0.5,), 0.5, 1, 0),
]


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda statistic: type(statistic).__name__)
def test_parts_add_up(statistic, tiny):
    """Windows of different lengths together, and in shards of two by a statistic that was sent."""
    model = tiny("llama", "float64")
    prompts = Prompts.of(model, sentences("llama", 5))
    statistic_sent = pickle.loads(pickle.dumps(statistic))
    assert statistic_sent.settings() == statistic.settings()
    whole, parts = gather(model, prompts, statistic), gather(model, prompts, statistic_sent, shard=2)
    assert set(whole.totals) == set(parts.totals)
    for name, total in whole.totals.items():
        assert total.dtype.kind in "fi"
        np.testing.assert_allclose(parts.totals[name], total, rtol=1e-9, atol=1e-12, err_msg=name)
    rows = statistic.measure(model, prompts, 0).rows
    for name in rows:
        assert len(whole.rows(name)) == len(prompts)
        np.testing.assert_allclose(parts.rows(name), whole.rows(name), rtol=1e-7, atol=1e-10, err_msg=name)
