"""Edge attribution patching against its definition: a leaf for what every receiver reads, in float64."""

import numpy as np
import pytest
import torch
from asking import CAUSAL, covering, pairs_for
from numpy.testing import assert_allclose
from plain_graph import run
from plain_transformer import plain

from interp.circuits import eap, eap_ig
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.core.errors import EngineError, OptionError
from interp.core.graph import ComputationGraph
from interp.core.prompts import PromptPairs
from interp.models.writes import graph_of

EVERY = pytest.mark.parametrize("family", CAUSAL)
HOWS = ("resample", "zero", "mean")
# Hugging Face computes these families' norms or softmax in float32 whatever the weights are.
CLOSE = dict.fromkeys(CAUSAL, 2e-4) | {"gpt2": 1e-9}


def definition(checkpoint, family, model, pairs, row, how, embed=None):
    """{receiver: gradient}, {sender: difference}, what receivers read on both runs, and the metric; one prompt."""
    metric, graph = pairs.metric.select([row]), graph_of(model)
    clean, other = (plain(checkpoint, family, side[[row]].tokens[0]) for side in (pairs.clean, pairs.corrupted))
    position, heads = metric.positions[0], model.dims.kv_heads
    leaves = {name: torch.zeros_like(clean.embed, requires_grad=True) for name in graph.receivers}
    logits, written, read = run(clean, heads, position, lambda name, value, _: value + leaves[name], embed)
    value = metric.of_rows(logits[None])[0]
    gradients = torch.autograd.grad(value, list(leaves.values()))
    _, elsewhere, read_elsewhere = run(other, heads, position)
    instead = {
        "resample": lambda name: elsewhere[name],
        "zero": lambda name: torch.zeros_like(written[name]),
        "mean": lambda name: written[name].mean(0).expand_as(written[name]),
    }[how]
    differences = {name: (instead(name) - written[name]).detach() for name in graph.senders}
    moved = {name: (read_elsewhere[name] - read[name]).detach() for name in graph.receivers}
    return dict(zip(leaves, gradients, strict=True)), differences, moved, value.detach()


def scores_of(result):
    """`batch [pos] sender receiver` by name: a dictionary from (sender, receiver) to an array."""
    data = result.data
    values = result.values().transpose("edge", ...).values
    return dict(zip(zip(data["sender"].values, data["receiver"].values, strict=True), values, strict=True))


@covering(("family", CAUSAL), ("how", HOWS))
def test_agrees_with_the_definition(tiny, checkpoint, family, how):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    whole, by_position = (scores_of(eap(model, pairs, how=how, by_position=some)) for some in (False, True))
    graph = graph_of(model)
    assert len(whole) == graph.edge_count
    for row in range(len(pairs)):
        gradients, differences, _, _ = definition(checkpoint, family, model, pairs, row, how)
        width = pairs.clean[[row]].width
        for (sender, receiver), found in whole.items():
            expected = (differences[sender] * gradients[receiver]).sum(-1)
            assert_allclose(found[row], expected.sum(), atol=CLOSE[family], rtol=CLOSE[family])
            assert_allclose(
                by_position[sender, receiver][row, :width], expected, atol=CLOSE[family], rtol=CLOSE[family]
            )
            assert (by_position[sender, receiver][row, width:] == 0).all()


@EVERY
def test_scores_into_a_receiver_add_up(tiny, checkpoint, family):
    """To (what it reads on the other run − what it reads here) · its gradient."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    found = scores_of(eap(model, pairs))
    for row in range(len(pairs)):
        gradients, _, moved, _ = definition(checkpoint, family, model, pairs, row, "resample")
        for receiver, gradient in gradients.items():
            total = sum(value[row] for (_, into), value in found.items() if into == receiver)
            assert_allclose(total, (moved[receiver] * gradient).sum(), atol=1e-3 if family != "gpt2" else 1e-9)


@covering(("family", CAUSAL), ("how", HOWS))
def test_is_the_slope_of_a_partial_cut(tiny, family, how):
    """Central differences of the edge executor, on random edges."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    graph, step = graph_of(model), 1e-5 if family == "gpt2" else 1e-2
    scores = scores_of(eap(model, pairs, how=how))
    executor = EdgeExecutor(model, pairs, pairs.metric, how)
    edges = np.argwhere(graph.present)
    chosen = edges[np.random.default_rng(0).choice(len(edges), 12, replace=False)]
    masks = np.repeat(graph.present[None].astype(float), 24, 0)
    for way, (sender, receiver) in enumerate(chosen):
        masks[2 * way, sender, receiver] -= step
        masks[2 * way + 1, sender, receiver] += step
    values = executor.metric_of(executor.run(torch.from_numpy(masks)))
    for way, (sender, receiver) in enumerate(chosen):
        slope = (values[2 * way] - values[2 * way + 1]) / (2 * step)
        found = scores[graph.senders[sender], graph.receivers[receiver]]
        assert_allclose(found, slope, atol=2e-3 if step > 1e-4 else 1e-7, rtol=2e-2 if step > 1e-4 else 1e-6)


@EVERY
def test_an_edge_to_the_logits_is_exact_where_the_final_norm_is_frozen(tiny, family):
    """What is written straight to the logits passes nothing but the final norm: its derivative, by hand."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    scores = scores_of(eap(model, pairs))
    executor = EdgeExecutor(model, pairs, pairs.metric)
    graph = executor.graph
    whole = executor.run(graph.present, keep=True).base
    rows = torch.arange(len(pairs))
    at = torch.tensor(pairs.metric.positions)
    stream = whole.inputs["logits", model.dims.layers][0][rows, at]
    weights = pairs.metric.direction(model.weights.unembedding().T)
    factor, _ = model.weights.norm("ln_final")
    centred = stream - stream.mean(-1, keepdim=True) if model.architecture.norm == "layer" else stream
    scale = ((centred**2).mean(-1, keepdim=True) + epsilon(model)).sqrt()
    along = weights * factor
    if model.architecture.norm == "layer":
        along = along - along.mean(-1, keepdim=True)
    gradient = (along - centred * (along * centred).mean(-1, keepdim=True) / scale**2) / scale
    for place, now in whole.outputs.items():
        change = (executor.cut.outputs[place] - now)[:, rows, at]
        names = graph.senders[executor.graph.senders_at(place)]
        for name, value in zip(names, change, strict=True):
            assert_allclose(scores[name, "logits"], (value * gradient).sum(-1), atol=CLOSE[family])


def epsilon(model):
    norm = model.bridge.ln_final.original_component
    return getattr(norm, "variance_epsilon", None) or norm.eps


@pytest.mark.parametrize("how", HOWS)
def test_exact_on_a_linear_model(linear, how):
    """Every edge equals the cut of that edge alone."""
    pairs = pairs_for(linear, "gpt2")
    executor = EdgeExecutor(linear, pairs, pairs.metric, how)
    found = scores_of(eap(linear, pairs, how=how))
    sizes = []
    for sender, receiver in np.argwhere(executor.graph.present):
        kept = executor.graph.present.copy()
        kept[sender, receiver] = False
        effect = executor.metric_of(executor.run(kept))[0] - executor.clean_metric
        assert_allclose(found[executor.graph.senders[sender], executor.graph.receivers[receiver]], effect, atol=1e-8)
        sizes.append(float(abs(effect).max()))
    assert max(sizes) > 1e-1


@EVERY
def test_equal_prompts_score_nothing(tiny, family):
    model = tiny(family)
    clean = pairs_for(model, family).clean
    assert (eap(model, PromptPairs(clean, clean)).values() == 0).all()


@EVERY
def test_padding_and_company_change_nothing(tiny, family):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    together = eap(model, pairs).values()
    order = eap(model, pairs[[1, 0, 1]]).values()
    for row in range(2):
        assert_allclose(eap(model, pairs[[row]]).values()[0], together[row], atol=1e-9)
    assert_allclose(order, together[[1, 0, 1]], atol=1e-9)


def test_the_default_models_graph_has_70651_edges():
    graph = ComputationGraph(30, 9, 3)
    assert graph.edge_count == 70_651
    heads = sum((9 + 2 * 3) * (1 + layer * 10) + (1 + layer * 10 + 9) for layer in range(30))
    assert graph.edge_count == heads + 1 + 30 * 10


def test_what_it_cannot_treat(tiny):
    with pytest.raises(OptionError, match="resampling needs a corrupted prompt"):
        eap(tiny("gpt2"), "The keys", target=" Mary")
    with pytest.raises(EngineError, match="it normalises the residual stream"):
        eap(tiny("bert-masked"), "the [MASK]", target="mary")


@covering(("family", CAUSAL), ("dtype, close", [("bfloat16", 0.1), ("float16", 0.01)]), ("engine", [eap, eap_ig]))
def test_half_precision_is_near_float32(tiny, family, dtype, close, engine):
    """By as much as eight (or eleven) bits leave of the scores' norm."""
    full, half = (
        engine(model, pairs_for(model, family)).values().values for model in (tiny(family), tiny(family, dtype))
    )
    assert np.linalg.norm(half - full) < close * np.linalg.norm(full)
