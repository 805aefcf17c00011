"""Expert routing against the router by its definition, and a figure of it."""

import numpy as np
import pytest
import torch
from asking import prompts_for, some
from numpy.testing import assert_allclose
from plain_transformer import plain
from tiny import MIXTURES, OTHER_MIXTURES

from interp import views
from interp.core.errors import EngineError
from interp.models import Site
from interp.readout import expert_routing

EVERY = some("family", MIXTURES | OTHER_MIXTURES, always=["qwen2moe", "deepseek3"])


@EVERY
def test_what_is_taken_and_what_is_dropped(tiny, family):
    """Counted token by token; what is dropped, from the scores that each family's paper writes."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    data = expert_routing(model, prompts).data
    logits = {site: model.run(prompts, record=[site])[site] for site in model.sites("router_logits")
              if model.site_obstacle(site) is None}  # fmt: skip
    score = torch.sigmoid if family == "deepseek3" else lambda x: x.softmax(-1)
    for row in range(2):
        width = prompts[[row]].width
        weight = data.weight.values[row]
        assert np.isnan(weight[:, width:]).all()
        for layer in range(3):
            counts = [sum(weight[layer, pos, e] != 0 for pos in range(width)) for e in range(model.dims.experts)]
            assert_allclose(data.taken.values[row, layer], np.array(counts) / width)
            dropped, site = data.dropped.values[row, layer], Site("router_logits", layer)
            if site not in logits:
                assert np.isnan(dropped).all()
                continue
            for pos in range(width):
                scores = score(logits[site][row, pos].double())
                lost = sum(float(s) for e, s in enumerate(scores) if weight[layer, pos, e] == 0)
                assert_allclose(dropped[pos], lost / float(scores.sum()), atol=1e-9)
            assert np.isnan(dropped[width:]).all()
            assert_allclose(sum(counts), width * (model.dims.routed_to + model.dims.experts - model.dims.routed))


@some("family", MIXTURES, always=["qwen2moe"])
def test_weights_are_the_definitions(tiny, checkpoint, family):
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[0]]
    inputs = model.run(prompt, record=[Site("ln2_out", 2)])[Site("ln2_out", 2)][0]
    layer = plain(checkpoint, family, prompt.tokens[0]).layers[2]
    weights = torch.stack([torch.stack(layer.weights(x)) for x in inputs])
    assert_allclose(expert_routing(model, prompt).data.weight.values[0, 2], weights, atol=1e-6)


def test_figures_of_both(tiny):
    model = tiny("qwen2moe")
    result = expert_routing(model, prompts_for(model, "qwen2moe"))
    drawn = views.figure(result)
    assert_allclose(drawn.data[0].z, result.data.taken.values.mean(0).T)
    assert "the selection drops" in str(drawn.layout.annotations)
    weights = views.figure(result, show="weight", prompt=1, layer=1)
    assert_allclose(weights.data[0].z, result.data.weight.values[1, 1][: weights.data[0].z.shape[1]].T)


def test_refused_without_experts(tiny):
    with pytest.raises(EngineError, match="its MLPs are no mixtures of experts"):
        expert_routing(tiny("llama"), "Mary and John")
