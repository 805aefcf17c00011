"""Significance of tokens from attention: sums written out, and importance passed on step by step."""

import networkx
import numpy as np
import pytest
from asking import prompts_for
from tiny import FAMILIES

from interp.attribution import attention_pagerank, norm_weighted_attention
from interp.core.prompts import Prompts
from interp.models import Edit, Site
from interp.readout import attention


def answer(model, prompts, row=0):
    return prompts.answer_positions(model)[row]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("vectors", ["output", "value"])
def test_norm_weighted_attention_by_its_definition(family, vectors, tiny):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    result = norm_weighted_attention(model, prompts, vectors=vectors).data
    for row, keep in enumerate(prompts.mask):
        prompt = Prompts.of_tokens(model, [prompts.tokens[row][keep].tolist()])
        patterns, expected = attention(model, prompt).values("attention").values[0], []
        values, at = model.run(prompt, record=model.sites("v")), answer(model, prompts, row)
        for layer, pattern in enumerate(patterns):
            v, output = values[Site("v", layer)][0].detach().numpy(), model.weights.output(layer).numpy()
            size = np.zeros(pattern.shape[-1])
            for head in range(len(pattern)):
                for key in range(len(size)):
                    vector = v[key, head // (len(pattern) // v.shape[1])]
                    vector = vector @ output[head] if vectors == "output" else vector
                    size[key] += pattern[head, at, key] * np.linalg.norm(vector)
            expected.append(size / size.sum())
        found = result["relevance"].values[row]
        np.testing.assert_allclose(found[keep.numpy()], np.mean(expected, 0), atol=1e-6)
        assert (found[~keep.numpy()] == 0).all()
        np.testing.assert_allclose(result["heads"].values[row].sum((0, 1)), found, atol=1e-12)


def test_a_token_whose_value_is_zero_is_of_no_significance(tiny):
    """However much the head attends to it."""
    model = tiny("gpt2", "float64")
    prompts = prompts_for(model, "gpt2")
    with model.edited([Edit.zero(site, pos=0) for site in model.sites("v")]):
        data = norm_weighted_attention(model, prompts).data
    assert (data["relevance"].values[:, 0] == 0).all()
    np.testing.assert_allclose(data["relevance"].sum("pos"), 1)


def passed_on(pattern, at, damping, steps=400):
    """Power iteration: every token passes a share of its importance on along its attention."""
    start = np.arange(len(pattern)) == at
    importance = start.astype(float)
    for _ in range(steps):
        importance = damping * pattern.T @ importance + (1 - damping) * start
    return importance


@pytest.mark.parametrize("family", FAMILIES)
def test_pagerank_by_power_iteration(family, tiny):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    result = attention_pagerank(model, prompts, damping=0.8).data
    for row, keep in enumerate(prompts.mask):
        prompt = Prompts.of_tokens(model, [prompts.tokens[row][keep].tolist()])
        expected = []
        for pattern in attention(model, prompt).values("attention").values[0]:
            ranks = [passed_on(head, answer(model, prompts, row), 0.8) for head in pattern]
            variances = [np.var(each) for each in ranks]
            expected.append(np.average(ranks, axis=0, weights=variances))
        found = result["relevance"].values[row]
        np.testing.assert_allclose(found[keep.numpy()], np.mean(expected, 0), atol=1e-6)
        assert (found[~keep.numpy()] == 0).all()
        np.testing.assert_allclose(found.sum(), 1)


def test_one_head_is_networkx_pagerank(tiny):
    """With all layers' heads alike, the relevance is that of one."""
    model = tiny("llama", "float64")
    prompts = prompts_for(model, "llama")[[0]]
    pattern = attention(model, prompts).values("attention").values[0, 1, 2]
    alike = [Edit.through(site, lambda p: p.new_tensor(pattern).expand_as(p)) for site in model.sites("pattern")]
    with model.edited(alike):
        relevance = attention_pagerank(model, prompts).values("relevance").values[0]
    graph, at = networkx.from_numpy_array(pattern, create_using=networkx.DiGraph), answer(model, prompts)
    ranks = networkx.pagerank(graph, alpha=0.85, personalization={at: 1}, tol=1e-14, max_iter=1000)
    np.testing.assert_allclose(relevance, [ranks[node] for node in sorted(ranks)], atol=1e-10)


def test_without_damping_nothing_is_passed_on(tiny):
    model = tiny("gpt2")
    relevance = attention_pagerank(model, "The keys", damping=0).data["relevance"].values[0]
    assert relevance.tolist() == [0] * (len(relevance) - 1) + [1]


def test_a_target_changes_nothing(tiny):
    model = tiny("llama")
    for method in (norm_weighted_attention, attention_pagerank):
        asked = method(model, "The keys to the cabinet", target=" is")
        assert asked.data["relevance"].equals(method(model, "The keys to the cabinet").data["relevance"])
