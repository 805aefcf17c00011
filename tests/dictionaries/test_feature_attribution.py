"""Effects of features: through the splice itself, by finite differences, and adding up; as nodes of a circuit."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from asking import covering, pairs_for
from numpy.testing import assert_allclose
from tiny import FAMILIES

import interp
from interp import Circuit, Edit, dictionaries
from interp.core.edges import CircuitEdge
from interp.core.errors import MemoryLimitError, ResultError, SiteError
from interp.kinds import AttributionGraph
from interp.models import memory

ROUNDED = ("llama", "gemma3", "qwen2", "qwen3", "gptneox")
EVERY = pytest.mark.parametrize("family", FAMILIES)


def weights_of(dictionary):
    return {name: value.double() for name, value in dictionary.sae.state_dict().items()}


def encoded(held, weights):
    """JumpReLU by hand."""
    before = (held.flatten(2) - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
    return torch.where(before > weights["threshold"], before.clamp(min=0), 0)


def held_at(dictionary, prompts):
    return dictionary.model.record(prompts, [dictionary.site])[dictionary.site].double()


def metric_with(dictionary, prompts, features, error, weights, shape):
    """The answer with these features and this error at the site."""
    value = (features @ weights["W_dec"] + weights["b_dec"] + error).reshape(shape)
    run = dictionary.model.run(prompts, edits=[Edit.replace(dictionary.site, value)])
    return prompts.metric(run.logits)


@covering(("family", FAMILIES), ("corrupted", [True, False]))
def test_by_definition(tiny, family, corrupted):
    """(f' − f) · ∂metric/∂f, the gradient taken by finite differences of the run that is put together again."""
    model = tiny(family, "float64")
    pairs, dictionary = pairs_for(model, family), dictionaries.attached(model)
    prompts, weights = pairs.clean, weights_of(dictionary)
    data = dictionaries.feature_attribution(model, pairs if corrupted else prompts, top=4).data
    held = held_at(dictionary, prompts)
    now = encoded(held, weights)
    error = held.flatten(2) - now @ weights["W_dec"] - weights["b_dec"]
    if corrupted:
        other = held_at(dictionary, pairs.corrupted)
        then = encoded(other, weights)
        missed = other.flatten(2) - then @ weights["W_dec"] - weights["b_dec"]
    else:
        then, missed = torch.zeros_like(now), torch.zeros_like(error)

    def metric_at(features, rest):
        return metric_with(dictionary, prompts, features, rest, weights, held.shape)

    def slope(metric):
        """At 0, to fourth order; runs of most families are rounded to seven digits on the way."""
        step = 0.02 if family in ROUNDED else 1e-3
        near, far = (metric(times * step) - metric(-times * step) for times in (1, 2))
        return (8 * near - far) / (12 * step)

    kept, close = prompts.mask[..., None], 1e-4 if family in ROUNDED else 1e-7
    for feature in (0, 7, int(now.sum((0, 1)).argmax())):
        change = torch.zeros_like(now)
        change[..., feature] = ((then - now) * kept)[..., feature]
        found = slope(lambda share, change=change: metric_at(now + share * change, error))
        assert_allclose(data.feature_effect[:, feature], found, atol=close, rtol=1e-3)
    change = (missed - error) * kept
    assert_allclose(data.error, slope(lambda share: metric_at(now, error + share * change)), atol=close, rtol=1e-3)


@EVERY
def test_it_adds_up(tiny, family):
    """Features and error together are the change of the site times the gradient there."""
    model = tiny(family, "float64")
    pairs, site = pairs_for(model, family), dictionaries.attached(model).site
    data = dictionaries.feature_attribution(model, pairs, top=3).data
    here, there = (model.record(side, [site])[site] for side in (pairs.clean, pairs.corrupted))
    leaf = here.clone().requires_grad_()
    total = pairs.metric(model.run(pairs.clean, edits=[Edit.replace(site, leaf)]).logits).sum()
    (gradient,) = torch.autograd.grad(total, [leaf])
    expected = ((there - here) * gradient).flatten(1).sum(1)
    assert_allclose(data.total, expected, atol=1e-9)
    assert_allclose(data.features + data.error, data.total, atol=1e-9)
    assert_allclose(data.feature_effect.sum("feature"), data.features, atol=1e-12)
    assert_allclose(data.effect.sum("rank") + data.rest, data.features, atol=1e-12)
    assert_allclose(np.nansum(data.position_effect, 2), data.effect, atol=1e-12)
    assert_allclose(data.remainder, 0, atol=1e-9)
    clean = pairs.metric(model.logits(pairs.clean))
    patched = pairs.metric(model.run(pairs.clean, edits=[Edit.replace(site, there)]).logits) - clean
    assert_allclose(data.patched, patched, atol=1e-9)


def test_the_gradient_passes_the_splice(tiny):
    """The same as autograd through the spliced run, with encoder → error stopped."""
    model = tiny("qwen2", "float64")
    pairs, dictionary = pairs_for(model, "qwen2"), dictionaries.attached(model)
    prompts = pairs.clean
    data = dictionaries.feature_attribution(model, prompts).data
    held = held_at(dictionary, prompts)
    features = dictionary.encode(held).detach().requires_grad_()
    error = held.flatten(2) - dictionary.sae.decode(features).detach()
    spliced = (dictionary.sae.decode(features) + error).reshape(held.shape)
    total = prompts.metric(model.run(prompts, edits=[Edit.replace(dictionary.site, spliced)]).logits).sum()
    (gradient,) = torch.autograd.grad(total, [features])
    expected = (-features * gradient * prompts.mask[..., None]).sum(1).detach()
    assert_allclose(data.feature_effect, expected, atol=1e-10)


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("standard", {"normalize_activations": "layer_norm"}),
        ("standard", {"normalize_activations": "constant_norm_rescale"}),
        ("gated", {}),
        ("topk", {"k": 5}),
        ("topk", {"k": 5, "rescale_acts_by_decoder_norm": True}),
    ],
)
def test_every_kind_of_dictionary_adds_up(saved, tiny, architecture, settings):
    """Also where it rescales what it reads; a feature's own part is what the reconstruction loses without it."""
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    folder, _ = saved(architecture, model.dims.d_model, hook="blocks.1.hook_resid_pre", model=model.name, **settings)
    dictionary = dictionaries.load(folder).attach(model)
    for prompts in (pairs, pairs.clean):
        data = dictionaries.feature_attribution(model, prompts, dictionary=str(folder)).data
        assert_allclose(data.features + data.error, data.total, atol=1e-9)
        assert np.abs(data.features).max() > 1e-6
    held = held_at(dictionary, pairs.clean)
    leaf = held.clone().requires_grad_()
    run = model.run(pairs.clean, edits=[Edit.replace(dictionary.site, leaf)])
    (gradient,) = torch.autograd.grad(pairs.metric(run.logits).sum(), [leaf])
    strongest = int(np.abs(data.feature_effect.values[0]).argmax())
    with torch.no_grad():
        whole = dictionary.reconstruct(held)
        without = dictionary.reconstruct(held, lambda now: now.index_fill(-1, torch.tensor([strongest]), 0.0))
    expected = ((without - whole) * gradient * pairs.clean.mask[..., None]).sum((1, 2))
    assert_allclose(data.feature_effect[:, strongest], expected, atol=1e-9)


def test_memory_of_many_features(saved, tiny, monkeypatch):
    """Features of both runs, their change, the gradient along each and the product are there at once, and the rows."""
    model = tiny("llama")
    pairs, features, width = pairs_for(model, "llama"), 4000, model.dims.d_model
    folder, _ = saved("standard", width, features=features, hook="blocks.1.hook_resid_pre", model=model.name)
    held = (5 * pairs.clean.tokens.numel() + 2 * width) * features * 8
    monkeypatch.setattr(memory, "free_memory", lambda device: 2 * held)
    dictionaries.feature_attribution(model, pairs, dictionary=str(folder))
    monkeypatch.setattr(memory, "free_memory", lambda device: held)
    with pytest.raises(MemoryLimitError, match="2 prompts of 8 tokens"):
        dictionaries.feature_attribution(model, pairs, dictionary=str(folder))


def test_more_steps_come_nearer_to_what_patching_does(tiny):
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    gaps = [
        float(np.abs(found.total - found.patched).max())
        for found in (dictionaries.feature_attribution(model, pairs, steps=steps).data for steps in (1, 4, 64))
    ]
    assert gaps[2] < 1e-4
    assert gaps[2] < gaps[1] < gaps[0]


def test_as_nodes_of_a_circuit(tiny, tmp_path):
    """The strongest features by their mean, and the error, each with an edge to the logits."""
    model = tiny("llama")
    effects = dictionaries.feature_attribution(model, pairs_for(model, "llama"))
    circuit = Circuit.of(effects, edges=3)
    mean = effects.data.feature_effect.mean("batch").values
    best = np.argsort(-np.abs(mean))[:3]
    assert circuit.nodes == (*(f"f1.z.{feature}" for feature in best), "f1.z.error", "logits")
    for edge, expected in zip(circuit.edges, [*mean[best], float(effects.data.error.mean())], strict=True):
        assert edge.receiver == "logits"
        assert edge.score == pytest.approx(expected)
    assert circuit.how == "resample"
    assert circuit.pruned() == circuit
    labelled = circuit.labelled({"f1.z.error": "what is missed", circuit.nodes[0]: "names"}).pinned("f1.z.error")
    read = Circuit.load(labelled.save(tmp_path / "circuit"))
    assert read == labelled
    graph = AttributionGraph.load(tmp_path / "circuit.json")
    kinds = {node.node_id: (node.kind, node.layer, node.feature) for node in graph.nodes}
    assert kinds["f1.z.error"] == ("error", "1", None)
    assert kinds[circuit.nodes[0]] == ("feature", "1", int(best[0]))
    assert kinds["logits"][0] == "logits"
    whole = Circuit.of(effects)
    assert len(whole) == np.count_nonzero(mean) + 1
    strong = Circuit.of(effects, threshold=float(np.abs(mean[best[1]])))
    assert len(strong) == 3
    assert json.loads((tmp_path / "circuit.json").read_text())["links"][0]["target"] == "logits"
    assert len(interp.views.circuit_figure(labelled, effects).data)
    zero = dictionaries.feature_attribution(model, pairs_for(model, "llama").clean)
    assert Circuit.of(zero, edges=1).how == "zero"
    assert Circuit.of(effects.load(effects.save(tmp_path / "effects")), edges=3) == circuit


def test_a_feature_beside_heads(tiny):
    """Only the logits read a feature; the graph says which there are."""
    model = tiny("llama")
    circuit = Circuit.of(dictionaries.feature_attribution(model, pairs_for(model, "llama")), edges=1)
    feature = circuit.nodes[0]
    with_edges = lambda *edges: replace(circuit, edges=(*(CircuitEdge(*ends) for ends in edges), *circuit.edges))  # noqa: E731
    both = with_edges(("embed", "v1.1"), ("a1.2", "logits"))
    assert both.nodes == ("embed", "a1.2", feature, "f1.z.error", "logits")
    assert feature in both.pruned().nodes
    assert feature not in both.without(nodes=[feature]).nodes
    with pytest.raises(SiteError, match="does not read"):
        with_edges((feature, "m2"))
    with pytest.raises(SiteError, match="no sender"):
        with_edges(("f1.z.99", "logits"))
    with pytest.raises(SiteError, match="f18"):
        replace(circuit.graph, features=("f18.z.7",))
    with pytest.raises(ResultError, match="feature effects"):
        Circuit.of(dictionaries.dfa(model, "The keys"))
