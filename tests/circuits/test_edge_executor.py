"""Runs with edges cut, against the definition over bare matrices, and against themselves from scratch."""

import numpy as np
import pytest
import torch
from asking import CAUSAL, covering, pairs_for, some
from configurations import FURTHER_MAPS
from numpy.testing import assert_allclose
from plain_graph import run
from plain_transformer import plain

from interp.circuits.interventions.edge_executor import EdgeExecutor, Shift
from interp.core.errors import OptionError
from interp.core.graph import Block
from interp.models import Edit

EVERY = some("family", (*CAUSAL, *FURTHER_MAPS), always=CAUSAL)
EACH = covering(("family", (*CAUSAL, *FURTHER_MAPS)), ("how", ["resample", "zero", "mean"]))
# Hugging Face computes these families' norms or softmax in float32 whatever the weights are.
CLOSE = dict.fromkeys((*CAUSAL, *FURTHER_MAPS), 2e-4) | {"gpt2": 1e-9}


@pytest.fixture(autouse=True)
def _without_gradients():
    with torch.no_grad():
        yield


def executor_of(tiny, family, how="resample"):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    return EdgeExecutor(model, pairs, pairs.metric, how), pairs


def some_edges(graph, share=0.6, seed=0):
    return graph.present & (np.random.default_rng(seed).random(graph.present.shape) < share)


def definition(checkpoint, executor, pairs, family, row, how, kept):
    """The logits of one prompt: each receiver reads its kept senders' own values and the others' replacements."""
    graph, position = executor.graph, executor.metric.positions[row]
    kv_heads = executor.model.dims.kv_heads
    clean, other = (plain(checkpoint, family, side[[row]].tokens[0]) for side in (pairs.clean, pairs.corrupted))
    written = run(clean, kv_heads, position)[1]
    instead = {
        "resample": lambda name: run(other, kv_heads, position)[1][name],
        "zero": lambda name: torch.zeros_like(written[name]),
        "mean": lambda name: written[name].mean(0).expand_as(written[name]),
    }[how]
    cut = {name: instead(name) for name in graph.senders}

    def reads(receiver, value, now):
        """What is read on a whole run is a sum over senders and output biases; what is cut is exchanged in it."""
        senders = [name for name in graph.senders if graph.present[graph.sender(name), graph.receiver(receiver)]]
        lost = [name for name in senders if not kept[graph.sender(name), graph.receiver(receiver)]]
        return value + sum(cut[name] - now[name] for name in lost)

    return run(clean, kv_heads, position, reads)[0]


@EACH
def test_agrees_with_the_definition(tiny, checkpoint, family, how):
    executor, pairs = executor_of(tiny, family, how)
    kept = some_edges(executor.graph)
    found = executor.run(kept).logits[0]
    for row in range(len(pairs)):
        expected = definition(checkpoint, executor, pairs, family, row, how, kept)
        assert_allclose(found[row], expected, atol=CLOSE[family], rtol=CLOSE[family])


@EVERY
def test_every_edge_is_the_model_and_none_the_corrupted_run(tiny, family):
    executor, pairs = executor_of(tiny, family)
    whole, none = (
        executor.run(kept).logits[0] for kept in (executor.graph.present, np.zeros_like(executor.graph.present))
    )
    assert_allclose(whole, executor.model.run(pairs.clean, answer=pairs.metric).logits, atol=1e-6)
    assert_allclose(none, executor.model.run(pairs.corrupted, answer=pairs.metric).logits, atol=1e-6)
    assert_allclose(executor.clean_metric, pairs.metric.of_rows(whole), atol=1e-6)
    assert_allclose(executor.cut_metric, pairs.metric.of_rows(none), atol=1e-6)


@EVERY
def test_layers_above_a_change_give_what_all_layers_do(tiny, family):
    """Cutting an edge is a shift of what its receiver reads, on a run of the same circuit."""
    executor, _ = executor_of(tiny, family)
    graph, kept = executor.graph, some_edges(executor.graph, 0.8)
    start = executor.run(kept, keep=True).base
    for receiver in range(0, len(graph.receivers), 2):
        senders = np.nonzero(kept[:, receiver])[0]
        if not len(senders):
            continue
        shifts, expected = [], []
        for sender in senders[[0, -1]]:
            shifts.append(-difference(executor, start, sender))
            without = kept.copy()
            without[sender, receiver] = False
            expected.append(executor.run(without).logits[0])
        found = executor.run(kept, since=start, shift=Shift(receiver, torch.stack(shifts))).logits
        assert_allclose(found, torch.stack(expected), atol=1e-6)


def difference(executor, start, sender):
    """What a sender writes less what it would on a cut edge."""
    return torch.cat([start.outputs[place] - executor.cut.outputs[place] for place in start.outputs])[sender]


def test_ways_are_runs_of_their_own(tiny):
    executor, _ = executor_of(tiny, "llama")
    masks = [some_edges(executor.graph, seed=seed) for seed in range(3)]
    together = executor.run(np.stack(masks)).logits
    for mask, logits in zip(masks, together, strict=True):
        assert_allclose(executor.run(mask).logits[0], logits, atol=1e-9)


def test_positions_are_cut_one_by_one(tiny):
    """Cut at every position is cut; cut nowhere is kept; cut at some is neither."""
    executor, _ = executor_of(tiny, "llama")
    kept, width = some_edges(executor.graph), executor.clean.width
    everywhere = np.broadcast_to(kept, (1, width, *kept.shape)).copy()
    assert_allclose(executor.run(everywhere).logits[0], executor.run(kept).logits[0], atol=1e-9)
    everywhere[:, 1] = executor.graph.present
    assert not np.allclose(executor.run(everywhere).logits[0], executor.run(kept).logits[0], atol=1e-3)


def test_a_cut_edge_is_told_by_its_own_receiver_only(tiny):
    """What other receivers of the same layer read does not change."""
    executor, _ = executor_of(tiny, "llama")
    graph = executor.graph
    whole = executor.run(graph.present, keep=True).base
    kept = graph.present.copy()
    kept[graph.sender("a0.1"), graph.receiver("k1.0")] = False
    without = executor.run(kept, keep=True).base
    read = (without.inputs["attention", 1] - whole.inputs["attention", 1]).flatten(1).norm(dim=1)
    names = graph.receivers[graph.receivers_at(Block("attention", 1))]
    assert [name for name, moved in zip(names, read, strict=True) if moved] == ["k1.0"]


def test_resampling_needs_a_corrupted_prompt(tiny):
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    with pytest.raises(OptionError, match="corrupted"):
        EdgeExecutor(model, pairs.clean, pairs.metric)


@EACH
def test_neurons_that_are_cut_carry_the_other_runs_values(tiny, family, how):
    """With every edge kept, cutting neurons is one edit of the whole site in a plain run."""
    executor, pairs = executor_of(tiny, family, how)
    model, every = executor.model, executor.graph.present
    kept = np.random.default_rng(0).random((model.dims.layers, model.dims.d_mlp)) < 0.5
    sites = model.sites("mlp_post")
    side = pairs.corrupted if how == "resample" else pairs.clean
    other = model.record(side, sites)

    def cut(site):
        value, mask = other[site], side.mask[..., None]
        if how == "zero":
            value = torch.zeros_like(value)
        if how == "mean":
            value = ((value * mask).sum(1) / mask.sum(1))[:, None].expand_as(value)
        return Edit.through(site, lambda now: torch.where(torch.as_tensor(kept[site.layer]), now, value))

    expected = model.run(pairs.clean, edits=[cut(site) for site in sites], answer=pairs.metric).logits
    for ways in (every, np.stack([every, every])):
        for found in executor.run(ways, neurons=kept).logits:
            assert_allclose(found, expected, atol=CLOSE[family])
    whole = executor.run(every, neurons=np.ones_like(kept)).logits[0]
    assert_allclose(whole, executor.clean_logits, atol=CLOSE[family])
