"""ACDC against the paper's algorithm: one whole run from scratch for every edge, nothing left out or foreseen."""

import math

import numpy as np
import pytest
import torch
from asking import pairs_for
from numpy.testing import assert_allclose
from plain_graph import run
from plain_transformer import plain
from scipy.special import rel_entr, softmax

from interp.circuits import acdc, eap
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.search.edge_removal import visiting_order
from interp.core.errors import MemoryLimitError, OptionError
from interp.core.prompts import PromptPairs
from interp.models.writes import graph_of

# τ at which some edges stay and some go.
ASKED = [
    ("llama", "kl", "resample", 0.01),
    ("gpt2", "task", "resample", 1e-4),
    ("gemma3", "task", "zero", 0.1),
    ("gptneox", "kl", "zero", 0.01),
    ("qwen2moe", "kl", "resample", 0.01),
    *(
        pytest.param(*row, marks=pytest.mark.full)
        for row in (
            ("llama", "task", "zero", 0.1),
            ("gpt2", "kl", "zero", 1e-3),
            ("gemma3", "kl", "resample", 0.02),
            ("gptneox", "task", "resample", 0.02),
            ("mixtral", "task", "zero", 0.1),
        )
    ),
]


def objective_of(name, metric, clean):
    """The mean over prompts of KL(clean ‖ logits), or of the metric negated; one prompt after another."""

    def kl(logits):
        return rel_entr(softmax(clean, -1), softmax(logits, -1)).sum(-1).mean()

    return kl if name == "kl" else lambda logits: -metric.of_rows(torch.as_tensor(logits)).mean().item()


def order_of(graph, latest=True):
    """Algorithm 1: from the output to the input; a receiver's senders in turn."""
    layers = range(graph.layers - 1, -1, -1)
    receivers = ["logits"]
    for layer in layers:
        receivers.append(f"m{layer}")
        for kind, heads in (("v", graph.kv_heads), ("k", graph.kv_heads), ("q", graph.heads)):
            receivers += [f"{kind}{layer}.{head}" for head in range(heads)]
    for receiver in receivers:
        read = range(graph.reads[graph.receiver(receiver)])
        for sender in reversed(read) if latest else read:
            yield sender, graph.receiver(receiver)


def by_definition(graph, logits_of, objective, tau, start=None, latest=True):
    """(kept edges, {edge: rise of the objective when it was tried})."""
    kept = graph.present.copy() if start is None else start.copy()
    current, rises = objective(logits_of(kept)), {}
    for sender, receiver in order_of(graph, latest):
        if not kept[sender, receiver]:
            continue
        kept[sender, receiver] = False
        value = objective(logits_of(kept))
        rises[sender, receiver] = value - current
        if value - current < tau:
            current = value
        else:
            kept[sender, receiver] = True
    return kept, rises


def from_scratch(executor):
    def logits(kept):
        with torch.no_grad():
            return executor.run(kept).logits[0].numpy()

    return logits


def decisions_of(result, graph):
    """(kept `sender receiver`, effects by edge, NaN where nothing was run)."""
    kept, effects = np.zeros_like(graph.present), {}
    data = result.data
    columns = ("candidate_sender", "candidate_receiver", "kept", "removal_effect")
    for sender, receiver, stays, effect in zip(*(data[name].values for name in columns), strict=True):
        edge = graph.sender(sender), graph.receiver(receiver)
        kept[edge], effects[edge] = stays != 0, effect
    return kept, effects


@pytest.mark.parametrize(("family", "objective", "how", "tau"), ASKED)
def test_decides_as_the_paper_does(tiny, family, objective, how, tau):
    model = tiny(family, "float64")
    pairs, graph = pairs_for(model, family), graph_of(model)
    executor = EdgeExecutor(model, pairs, pairs.metric, how)
    value = objective_of(objective, pairs.metric, executor.clean_logits.numpy())
    expected, rises = by_definition(graph, from_scratch(executor), value, tau)
    result = acdc(model, pairs, tau=tau, objective=objective, how=how)
    kept, effects = decisions_of(result, graph)
    assert 0 < expected.sum() < graph.edge_count
    assert (kept == expected).all()
    for edge, rise in rises.items():
        effect = rise if objective == "kl" else -rise
        assert_allclose(0 if math.isnan(effects[edge]) else effects[edge], effect, atol=1e-7)
    shown = zip(result.data["sender"].values, result.data["receiver"].values, result.values().values, strict=True)
    assert {(graph.sender(s), graph.receiver(r)): score for s, r, score in shown} == {
        edge: effects[edge] for edge in zip(*np.nonzero(expected), strict=True)
    }


def test_on_bare_matrices(tiny, checkpoint):
    """Nothing of the package takes part: the algorithm over a forward pass in loops."""
    model = tiny("gpt2", "float64")
    pairs = PromptPairs.of(model, " Mary to", " John to", target=" Mary", contrast=" John")
    graph = graph_of(model)
    clean, other = (plain(checkpoint, "gpt2", side.tokens[0]) for side in (pairs.clean, pairs.corrupted))
    position = pairs.metric.positions[0]
    cut = run(other, graph.kv_heads, position)[1]

    def logits(kept):
        def reads(receiver, value, written):
            column = graph.receiver(receiver)
            senders = [graph.senders[index] for index in range(graph.reads[column]) if not kept[index, column]]
            return value + sum(cut[name] - written[name] for name in senders)

        return run(clean, graph.kv_heads, position, reads)[0].numpy()[None]

    value = objective_of("kl", pairs.metric, logits(graph.present))
    expected, rises = by_definition(graph, logits, value, 1e-4)
    kept, effects = decisions_of(acdc(model, pairs, tau=1e-4), graph)
    assert 0 < expected.sum() < graph.edge_count
    assert (kept == expected).all()
    for edge, rise in rises.items():
        assert_allclose(0 if math.isnan(effects[edge]) else effects[edge], rise, atol=1e-9)


def test_order_is_as_documented(tiny):
    for family in ("llama", "gptneox"):
        graph = graph_of(tiny(family))
        receivers = list(dict.fromkeys(receiver for _, receiver in order_of(graph)))
        assert visiting_order(graph) == receivers


def test_senders_may_come_in_the_other_order(tiny):
    model = tiny("llama", "float64")
    pairs, graph = pairs_for(model, "llama"), graph_of(model)
    executor = EdgeExecutor(model, pairs, pairs.metric)
    value = objective_of("kl", pairs.metric, executor.clean_logits.numpy())
    expected, _ = by_definition(graph, from_scratch(executor), value, 0.01, latest=False)
    kept, _ = decisions_of(acdc(model, pairs, tau=0.01, order="earliest"), graph)
    assert (kept == expected).all()
    assert (kept != decisions_of(acdc(model, pairs, tau=0.01), graph)[0]).any()


@pytest.mark.parametrize("batch", [2, 32])
def test_trying_edges_side_by_side_changes_nothing(tiny, batch):
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    alone, together = (acdc(model, pairs, tau=0.01, batch=size).data for size in (1, batch))
    assert (alone["kept"].values == together["kept"].values).all()
    assert_allclose(alone["removal_effect"], together["removal_effect"], atol=1e-9)
    assert together["forwards"] >= alone["forwards"]


def test_work_is_less_than_a_run_for_every_edge(tiny):
    """By hand: three layers, of which the last is run for one head at a time and unembedded at one position."""
    model = tiny("gpt2", "float64")
    pairs = pairs_for(model, "gpt2")
    found = acdc(model, pairs, tau=1e-4, objective="task", batch=1).data
    width, d, vocab = pairs.clean.width, 32, model.dims.vocab
    layer = width * (4 * d * d + 2 * width * d + 8 * d * d)
    unembedding = d * vocab
    whole, answering = 3 * layer + width * unembedding, 3 * layer + unembedding
    at_answer = 8 * d * d + unembedding
    heads = [head * (2 * width * 8) + d * d for head in range(5)]
    key, query = (heads[1] + places * 8 * d for places in (width, 1))
    settling = [heads[count] + count * (2 * width + 1) * 8 * d for count in range(5)]
    work = 5 * answering + settling[4]  # clean, corrupted, cut, start, found; the last layer's heads at the start
    receivers = found["candidate_receiver"].values
    last = {"m": at_answer, "l": unembedding, "v": key + at_answer, "k": key + at_answer, "q": query + at_answer}
    for receiver, effect in zip(receivers, found["removal_effect"].values, strict=True):
        if not math.isnan(effect):
            depth = 3 if receiver == "logits" else int(receiver[1])
            work += last[receiver[0]] if depth >= 2 else (3 - depth) * layer + unembedding
    work += sum(2 * settling[1] for receiver in set(receivers) if receiver[:2] in ("q2", "k2", "v2"))
    assert_allclose(found["forwards"], work / whole, rtol=1e-9)
    assert found["forwards"] < found["candidates"] / 3


def test_a_budget_ends_the_search(tiny):
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    whole, part = acdc(model, pairs, tau=0.01).data, acdc(model, pairs, tau=0.01, budget=8)
    kept = part.data["kept"].values
    undecided = np.isnan(kept)
    assert part.data["forwards"] <= 8
    assert 0 < undecided.sum() == part.data["undecided"] < len(kept)
    assert (kept[~undecided] == whole["kept"].values[~undecided]).all()
    assert part.data["edges"] == (kept != 0).sum()
    assert f"{undecided.sum()} edges are undecided" in part.measured


@pytest.mark.parametrize("objective", ["kl", "task"])
def test_prefilter(tiny, objective):
    """The same algorithm, from the edges with the largest EAP scores."""
    model = tiny("llama", "float64")
    pairs, graph = pairs_for(model, "llama"), graph_of(model)
    scores = np.abs(eap(model, pairs).values().values)
    scores = scores.mean(0) if objective == "kl" else np.abs(eap(model, pairs).values().values.mean(0))
    start = np.zeros_like(graph.present)
    strongest = sorted(range(len(scores)), key=lambda index: -scores[index])[:80]
    for index in strongest:
        sender, receiver = np.argwhere(graph.present)[index]
        start[sender, receiver] = True
    executor = EdgeExecutor(model, pairs, pairs.metric)
    value = objective_of(objective, pairs.metric, executor.clean_logits.numpy())
    expected, rises = by_definition(graph, from_scratch(executor), value, 0.02, start)
    result = acdc(model, pairs, tau=0.02, objective=objective, prefilter=80, verify=True)
    kept, effects = decisions_of(result, graph)
    assert (kept == expected).all()
    assert all(math.isnan(effect) or edge in rises for edge, effect in effects.items())
    # What is reported beside it.
    lossless = acdc(model, pairs, tau=0.02, objective=objective)
    other = decisions_of(lossless, graph)[0]
    found = result.data

    def faithfulness(mask):
        value, clean, cut = (
            pairs.metric.of_rows(torch.as_tensor(from_scratch(executor)(each))).mean()
            for each in (mask, graph.present, np.zeros_like(mask))
        )
        return (value - cut) / (clean - cut)

    assert_allclose(found["jaccard"], (kept & other).sum() / (kept | other).sum())
    assert_allclose(found["faithfulness"], faithfulness(kept), atol=1e-6)
    assert_allclose(found["prefilter_faithfulness"], faithfulness(start), atol=1e-6)
    assert_allclose(found["lossless_faithfulness"], faithfulness(other), atol=1e-6)
    assert found["lossless_edges"] == lossless.data["edges"]
    assert found["forwards"] < lossless.data["forwards"]


def test_a_corrupted_prompt_that_is_the_clean_one(tiny):
    """No edge matters, and there is nothing to divide by."""
    model = tiny("llama")
    clean = pairs_for(model, "llama").clean
    result = acdc(model, PromptPairs(clean, clean))
    assert result.data["edges"] == 0
    assert np.isnan(result.data["faithfulness"])
    assert "faithfulness is undefined" in result.measured


def test_what_cannot_be_done_is_refused(tiny, monkeypatch):
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    with pytest.raises(OptionError, match="give prefilter as well"):
        acdc(model, pairs, verify=True)
    with pytest.raises(OptionError, match="tau"):
        acdc(model, pairs, tau=0)
    with pytest.raises(OptionError, match="corrupted"):
        acdc(model, pairs.clean)
    monkeypatch.setattr("interp.models.memory.free_memory", lambda device: 2**20)
    with pytest.raises(MemoryLimitError, match=r"need 0\.0 GiB, but only 0\.0 GiB are free"):
        acdc(model, pairs)
