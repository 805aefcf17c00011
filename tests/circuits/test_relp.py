"""Relevance patching: nodes against relevance by the papers' own formulas, edges against bare matrices whose modules
follow the rules, in float64."""

import numpy as np
import plain_graph
import pytest
import torch
from asking import CAUSAL, covering, pairs_for, some
from attribution.lrp_by_definition import Propagation
from circuits.test_eap import CLOSE, definition, scores_of
from numpy.testing import assert_allclose
from tiny import FAMILIES

import interp
from interp.circuits import activation_patching, attribution_patching, eap, relp, relp_edges
from interp.core.errors import EngineError
from interp.decomposition.relevance.rules import Recipe
from interp.models import Site

SITES = {"z": "z", "attn_out": "attn_out", "mlp_post": "mlp_post", "resid_post": "resid_post"}
ATTENTION = ("gradient", "half", "values")


@covering(("family", FAMILIES), ("site", SITES), ("attention", ATTENTION))
def test_nodes_are_relevance_per_unit_times_the_change(tiny, family, site, attention):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    found = relp(model, pairs, site=site, attention=attention, by_position=True).values().values
    zeroed = relp(model, pairs, site=site, attention=attention, by_position=True, how="zero").values().values
    rules = Recipe("freeze", attention, "identity", "half")
    close = {"atol": 1e-9} if family in ("gpt2", "bert-classifier", "bert-masked") else {"atol": 2e-4, "rtol": 2e-4}
    for row in range(len(pairs)):
        prompt, metric = pairs.clean[[row]], pairs.metric.select([row])
        here, other = Propagation(model, prompt, rules), model.record(pairs.corrupted[[row]], model.sites(site))
        here.explain_answer(metric)
        for layer in range(model.dims.layers):
            node = here.nodes[SITES[site], layer]
            slope = torch.where(node.relevance == 0, 0, node.relevance / node.value)
            change = (other[Site(site, layer)][0].double() - node.value) * slope
            width = prompt.width
            expected, whole = (x if site == "mlp_post" else x.sum(-1) for x in (change, -node.relevance))
            assert_allclose(np.moveaxis(found[row, layer], -1, 0)[:width], expected, **close)
            assert_allclose(np.moveaxis(zeroed[row, layer], -1, 0)[:width], whole, **close)


def ruled(monkeypatch, attention):
    """The bare model with rules written into its modules: values as before, gradients as the rules have them."""
    divisor, softmax_row, affine, normed = (
        getattr(plain_graph, name) for name in ("divisor", "softmax_row", "affine", "normed")
    )

    def half(x):
        return x / 2 + x.detach() / 2

    def mlp_write(layer, x):
        x = normed(x, layer.ln2)
        pre = affine(x, *layer.pre)
        neurons = pre * (layer.act(pre) / pre).detach()
        if layer.up is not None:
            neurons = half(neurons * affine(x, *layer.up))
        return normed(affine(neurons, *layer.out), layer.ln2_post)

    def looking(model, layer, head, query, key, value):
        query, key = (
            normed(affine(query, *layer.q[head]), layer.q_norm),
            normed(affine(key, *layer.k[head]), layer.k_norm),
        )
        query, key = plain_graph.rotated(query, layer.rope), plain_graph.rotated(key, layer.rope)
        if attention == "half":
            query, key = half(half(query)), half(half(key))  # of the pattern's half, half each
        value = affine(value, *layer.v[head])
        rows = [softmax_row(query[pos], key, pos, layer, model.causal) for pos in range(len(query))]
        pattern = torch.stack(rows)
        pattern = pattern.detach() + 0 * pattern if attention == "values" else pattern
        return pattern, half(value) if attention == "half" else value

    monkeypatch.setattr(plain_graph, "divisor", lambda norm, x: divisor(norm, x).detach())
    monkeypatch.setattr(plain_graph, "mlp_write", mlp_write)
    monkeypatch.setattr(plain_graph, "looking", looking)


@covering(("family", CAUSAL), ("attention", ATTENTION), ("how", ["resample", "mean", "zero"]))
def test_edges_are_relevance_at_the_receiver_times_the_senders_change(
    tiny, checkpoint, monkeypatch, family, attention, how
):
    model = tiny(family, "float64")
    if relp_edges.obstacle(model) is not None:
        pytest.skip(relp_edges.obstacle(model))
    pairs = pairs_for(model, family)
    found = scores_of(relp_edges(model, pairs, attention=attention, how=how))
    placed = scores_of(relp_edges(model, pairs, attention=attention, how=how, by_position=True))
    _, differences, _, _ = definition(checkpoint, family, model, pairs, 0, how)  # before the rules: a softer mean
    ruled(monkeypatch, attention)
    gradients, _, _, _ = definition(checkpoint, family, model, pairs, 0, how)
    for (sender, receiver), score in found.items():
        expected = (differences[sender] * gradients[receiver]).sum(-1)
        assert_allclose(score[0], expected.sum(), atol=CLOSE[family], rtol=CLOSE[family])
        assert_allclose(placed[sender, receiver][0, : len(expected)], expected, atol=CLOSE[family], rtol=CLOSE[family])
    into_patterns = [score for (_, receiver), score in found.items() if receiver[0] in "qk"]
    assert (np.abs(into_patterns).max() == 0) == (attention == "values")


@pytest.mark.parametrize(("engine", "exact"), [(relp, attribution_patching), (relp_edges, eap)])
def test_a_linear_model_leaves_nothing_for_the_rules(linear, engine, exact):
    """Divisors that are all but constant, and no gates: relevance is the gradient."""
    pairs = pairs_for(linear, "gpt2")
    assert_allclose(engine(linear, pairs).values(), exact(linear, pairs).values(), atol=1e-8)


@some("family", FAMILIES, always=["llama", "gpt2"])
def test_what_the_rules_do_not_cover_is_refused(tiny, family):
    model = tiny(family)
    for engine in (relp, relp_edges):
        problem = engine.obstacle(model)
        if problem:
            with pytest.raises(EngineError, match="does not support"):
                engine(model, pairs_for(model, family))


@pytest.mark.real_model
@pytest.mark.slow
@some("site, n", [("mlp_out", 1), ("mlp_out", 2), ("resid_pre", 2)], always=[("mlp_out", 1)])
def test_the_published_ordering_on_the_default_model(real_model, site, n):
    """Jafari et al. 2025, table 1: relevance is nearer to patching than the gradient for the stream and MLPs."""
    pairs = interp.tasks.ioi(real_model, n=n, seed=0)
    settings = {"site": site, "direction": "denoising", "by_position": True}
    patched, gradient, relevance = (
        engine(real_model, pairs, **settings).values().mean("batch").values.ravel()
        for engine in (activation_patching, attribution_patching, relp)
    )
    there = np.isfinite(patched) & np.isfinite(gradient) & np.isfinite(relevance)
    near = [np.corrcoef(patched[there], estimate[there])[0, 1] for estimate in (gradient, relevance)]
    assert near[1] > near[0]
