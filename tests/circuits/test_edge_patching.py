"""Edge patching against loops over bare matrices, against the known circuits, and across an interruption."""

import numpy as np
import pytest
from asking import CAUSAL, covering, pairs_for
from circuits.test_eap import CLOSE, scores_of
from circuits.test_path_patching import TwoRuns
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

import interp
from interp import groundtruth
from interp.circuits import edge_patching
from interp.core.errors import Cancelled, OptionError, ResultError
from interp.core.progress import reporting
from interp.models.writes import graph_of


@covering(("family", CAUSAL), ("how", ["resample", "zero"]))
def test_every_edge_is_cut_alone(tiny, checkpoint, family, how):
    model = tiny(family, "float64")
    pairs, graph = pairs_for(model, family), graph_of(model)
    found = scores_of(edge_patching(model, pairs, how=how, batch_tokens=64))
    assert len(found) == graph.edge_count
    runs = [TwoRuns(checkpoint, family, model, pairs, row, how) for row in range(len(pairs))]
    edges = list(found)
    for index in np.random.default_rng(0).choice(len(edges), 15, replace=False):
        sender, receiver = edges[index]
        for row, two in enumerate(runs):
            effect = two.effect(sender, [receiver], "frozen")
            assert_allclose(found[sender, receiver][row], effect, atol=CLOSE[family], rtol=CLOSE[family])


@pytest.mark.parametrize("name", groundtruth.names("rasp"))
def test_known_circuits(name):
    """Resampling an edge of the true circuit has an effect, and no other edge has any."""
    model = interp.load(name)
    result = edge_patching(model, interp.tasks.program(model, n=16))
    truth = {edge.ends[:2] for edge in groundtruth.circuit(model, "effective").edges}
    strength = {ends: np.abs(values).mean() for ends, values in scores_of(result).items()}
    if truth:  # nothing of rasp/constant has an effect
        assert roc_auc_score([ends in truth for ends in strength], list(strength.values())) >= 0.95
    assert max((value for ends, value in strength.items() if ends not in truth), default=0) < 1e-6


def test_an_interrupted_run_is_resumed(tiny, tmp_path):
    model = tiny("llama")
    pairs, log = pairs_for(model, "llama"), tmp_path / "log.jsonl"
    settings = {"batch_tokens": 40, "journal": str(log)}
    whole = edge_patching(model, pairs, batch_tokens=40).data

    def stop(label, done, total):
        if done >= 30:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled), reporting(stop):
        edge_patching(model, pairs, **settings)
    lines = log.read_text().splitlines()
    assert len(lines) > 20
    resumed = edge_patching(model, pairs, **settings, resume=True).data
    assert (resumed["score"] == whole["score"]).all()
    assert log.read_text().splitlines()[: len(lines)] == lines
    with pytest.raises(ResultError, match="another|other"):
        edge_patching(model, pairs, **settings, resume=True, how="zero")


def test_what_takes_too_long_is_refused_with_a_number(tiny):
    model = tiny("llama")
    with pytest.raises(OptionError, match=r"takes as much as \d+ forward passes, above limit = 10; raise it"):
        edge_patching(model, pairs_for(model, "llama"), limit=10)
