"""What loading does not refuse of a family is exact in every engine: sums close, and edges are what patches measure."""

import functools

import numpy as np
import pytest
import torch
from asking import pairs_for, some
from configurations import CONFIGURATIONS, LOADED
from numpy.testing import assert_allclose
from tiny import write_family
from torch.testing import assert_close

import interp
from interp import engines
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.search.edge_removal import EdgeRemoval
from interp.circuits.search.objective import Objective
from interp.models import Edit, Site

# Some families compute norms, softmax or rotation in float32 whatever the precision.
CLOSE = 2e-5
CLOSING = (
    "attnlrp", "cp-lrp", "gradient-x-input", "gim", "decompx", "alti-logit", "chefer", "direct-logit-attribution",
    "neuron-attribution", "query-key", "qk-split",
)  # fmt: skip
# One for each layer map, and for what else is not in the families of the contract tests; the others are `full`.
EACH = some("name", LOADED, always=("olmo2", "phi", "granite", "gptj", "bloom", "cohere2", "roberta-masked"))
_OPTIONS = {"qk-split": {"windows": 2, "length": 16}}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    @functools.cache
    def load(name: str):
        folder = write_family(CONFIGURATIONS[name].family, tmp_path_factory.mktemp("families"))
        return interp.load(str(folder), dtype="float64")

    return load


@EACH
@pytest.mark.parametrize("engine", CLOSING)
def test_the_parts_add_up(loaded, name, engine):
    model, spec = loaded(name), engines.find(engine)
    if obstacle := spec.obstacle(model):
        pytest.skip(obstacle)
    pairs = pairs_for(model, name)
    result = spec(model, pairs.clean, **_OPTIONS.get(engine, {}))
    remainder = np.nan_to_num(result.values("remainder").values)
    size = max(1.0, float(abs(model.logits(pairs.clean)).max()))
    assert_allclose(remainder, 0, atol=CLOSE * size)


@pytest.fixture
def executor(loaded, name):
    model = loaded(name)
    if obstacle := engines.find("acdc").obstacle(model):
        pytest.skip(obstacle)
    pairs = pairs_for(model, name)[[0]]
    with torch.no_grad():
        yield EdgeExecutor(model, pairs, pairs.metric), pairs


@EACH
def test_cutting_all_edges_of_a_sender_patches_it(executor):
    """Every head and MLP, against Hugging Face's own forward with one site replaced."""
    executor, pairs = executor
    model, graph = executor.model, executor.graph
    for sender, node in enumerate(graph.sender_nodes):
        site = {"a": "z", "m": "mlp_write"}.get(node.kind)
        if site is None or (site == "z" and graph.joint):  # a norm after attention makes heads depend on one another
            continue
        place = Site(site, node.layer)
        value = model.run(pairs.corrupted, record=[place])[place]
        patch = Edit.resample(place, value, head=node.index if site == "z" else None)
        expected = model.run(pairs.clean, edits=[patch], answer=executor.metric).logits
        mask = graph.present.copy()
        mask[sender] = False
        assert_close(executor.run(mask).logits[0], expected, atol=CLOSE * float(expected.abs().max()), rtol=0)


@EACH
def test_whole_and_empty_circuits_are_the_two_runs(executor):
    executor, pairs = executor
    for mask, side in ((executor.graph.present, pairs.clean), (executor.graph.present & False, pairs.corrupted)):
        expected = executor.model.run(side, answer=executor.metric).logits
        assert_close(executor.run(mask).logits[0], expected, atol=CLOSE * float(expected.abs().max()), rtol=0)


@EACH
def test_eap_is_the_slope_of_cutting_an_edge(executor):
    """Of every edge: the executor's derivative by the mask, which takes no gradient at a receiver."""
    executor, pairs = executor
    graph = executor.graph
    mask = torch.tensor(graph.present, dtype=executor.model.dtype, requires_grad=True)
    with torch.enable_grad():
        total = executor.metric_of(executor.run(mask))[0].sum()
        (slope,) = torch.autograd.grad(total, mask)
    scores = interp.circuits.eap(executor.model, pairs).values()
    found = {
        (sender, receiver): float(score)
        for sender, receiver, score in zip(scores.sender.values, scores.receiver.values, scores.values[0], strict=True)
    }
    size = float(slope.abs().max())
    for sender, receiver in np.argwhere(graph.present):
        pair = graph.senders[sender], graph.receivers[receiver]
        assert abs(found[pair] + float(slope[sender, receiver])) < 1e-4 * size, pair


@EACH
def test_trials_in_the_last_layer_are_whole_runs(executor):
    """ACDC computes the last layer again at the answer alone."""
    executor, _ = executor
    graph, objective = executor.graph, Objective("kl", executor.metric, executor.clean_logits)
    mask = graph.present & (np.random.default_rng(0).random(graph.present.shape) < 0.7)
    removal = EdgeRemoval(executor, objective, mask)
    for receiver in range(len(graph.receivers)):
        senders = np.nonzero(mask[:, receiver])[0][:3].tolist()
        if executor.block_of(receiver).layer < executor.model.dims.layers - 1 or not senders:
            continue
        for sender, value in zip(senders, removal.trial_values(receiver, senders, False), strict=True):
            without = mask.copy()
            without[sender, receiver] = False
            expected = objective(executor.run(without).logits).item()
            assert value == pytest.approx(expected, abs=CLOSE), (graph.senders[sender], graph.receivers[receiver])
