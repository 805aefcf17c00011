"""What a site holds is what its weights make of the site before, for every family, in float64."""

import pytest
import torch
from asking import prompts_for
from tiny import FAMILIES
from torch.testing import assert_close

from interp.models import Site

EVERY = pytest.mark.parametrize("family", FAMILIES)
LAYER = 1


def recorded(model, family, *names):
    sites = [Site(name, LAYER) for name in names]
    trace = model.run(prompts_for(model, family), record=sites)
    return [trace[site] for site in sites]


def by_hand(values, linear):
    """One head, one position at a time: input times matrix plus bias."""
    heads = []
    for head, matrix in enumerate(linear.matrix):
        rows = torch.stack([torch.stack([matrix.T @ vector for vector in row]) for row in values])
        heads.append(rows if linear.bias is None else rows + linear.bias[head])
    return torch.stack(heads, 2)


@EVERY
@pytest.mark.parametrize("site", "qkv")
def test_projections(tiny, family, site):
    model = tiny(family, "float64")
    values, expected = recorded(model, family, model.layer_map.attention.reads, site)
    assert_close(by_hand(values, model.weights.projection(site, LAYER)), expected, atol=1e-12, rtol=1e-12)


@EVERY
def test_mlp(tiny, family):
    model = tiny(family, "float64")
    values, pre, post, out = recorded(model, family, model.layer_map.mlp.reads, "mlp_pre", "mlp_post", "mlp_out")

    def one(linear, inputs):
        return by_hand(inputs, type(linear)(linear.matrix[None], None if linear.bias is None else linear.bias[None]))

    assert_close(one(model.weights.mlp_pre(LAYER), values)[:, :, 0], pre, atol=1e-12, rtol=1e-12)
    neurons = model.weights.activation(pre)
    up = model.weights.mlp_up(LAYER)
    assert (up is not None) == model.architecture.gated == model.has("mlp_up")
    if up is not None:
        factor = one(up, values)[:, :, 0]
        assert_close(factor, recorded(model, family, "mlp_up")[0], atol=1e-12, rtol=1e-12)
        neurons = neurons * factor
    assert_close(neurons, post, atol=1e-12, rtol=1e-12)
    assert_close(one(model.weights.mlp_out(LAYER), neurons)[:, :, 0], out, atol=1e-12, rtol=1e-12)


@EVERY
def test_the_layer_map_leads_through_a_layer(tiny, family):
    """What stands between the stream into a layer, its parts and the stream out of it; RMS norms run in float32."""
    model = tiny(family, "float64")
    attention, mlp, parallel = model.layer_map
    names = ("resid_pre", attention.reads, "attn_out", mlp.reads, "mlp_out", "resid_post")
    before, attention_read, attention_out, mlp_read, mlp_out, after = recorded(model, family, *names)

    def normalised(norm, stream):
        return model.weights.normalised(norm, LAYER, stream)

    assert_close(normalised(attention.norm_before, before), attention_read, atol=1e-6, rtol=0)
    stream = before + normalised(attention.norm_after, attention_out)
    stream = stream if parallel else normalised(attention.norm_on_sum, stream)
    assert_close(normalised(mlp.norm_before, before if parallel else stream), mlp_read, atol=1e-6, rtol=0)
    assert_close(model.weights.mlp(LAYER, mlp_read), mlp_out, atol=1e-12, rtol=1e-12)
    stream = normalised(mlp.norm_on_sum, stream + normalised(mlp.norm_after, mlp_out))
    assert_close(stream, after, atol=1e-6, rtol=0)


@EVERY
def test_scores_from_queries_and_keys(tiny, family):
    """Norms on queries and keys, rotation, grouped heads and the scale give the recorded scores (or probabilities)."""
    model = tiny(family, "float64")
    sides = []
    for name in ("q", "k"):
        heads = recorded(model, family, name)[0]
        if model.has(f"{name}_norm_scale"):
            factor, _ = model.weights.norm(f"{name}_norm", LAYER)
            heads = heads / recorded(model, family, f"{name}_norm_scale")[0] * factor
        if model.has("rot_cos"):
            heads = model.rotated(heads, *recorded(model, family, "rot_cos", "rot_sin"))
            assert_close(heads, recorded(model, family, f"rot_{name}")[0], atol=1e-6, rtol=1e-6)
        sides.append(heads.repeat_interleave(model.dims.heads // heads.shape[2], 2))
    scores = torch.einsum("bqhd,bkhd->bhqk", *sides) * model.weights.attention_scale(LAYER)
    if model.has("scores"):
        expected = recorded(model, family, "scores")[0]
        seen = expected > -1e30
        assert_close(scores[seen], expected[seen], atol=1e-5, rtol=1e-6)
    else:
        row = prompts_for(model, family).mask[1]
        found = scores[1][:, :, row].softmax(-1)
        assert_close(found, recorded(model, family, "pattern")[0][1][:, :, row], atol=1e-12, rtol=1e-12)


def test_heads_of_bert(tiny):
    """Pooler, tanh, classifier; transform, nonlinearity, norm, decoder."""
    model = tiny("bert-classifier", "float64")
    trace = model.run(prompts_for(model, "bert-classifier"), record=[Site("resid_post", 2), Site("pooler_pre")])
    pre = trace[Site("resid_post", 2)][:, 0] @ model.weights.pooler().matrix + model.weights.pooler().bias
    assert_close(pre, trace[Site("pooler_pre")], atol=1e-12, rtol=1e-12)
    logits = pre.tanh() @ model.weights.unembedding() + model.weights.unembedding_bias()
    assert_close(logits, trace.logits, atol=1e-12, rtol=1e-12)

    model = tiny("bert-masked", "float64")
    sites = [Site("resid_post", 2), Site("mlm_pre"), Site("mlm_post"), Site("ln_final_scale")]
    trace = model.run(prompts_for(model, "bert-masked"), record=sites)
    stream, pre, post, scale = (trace[site] for site in sites)
    transform = model.weights.mlm_transform()
    assert_close(stream @ transform.matrix + transform.bias, pre, atol=1e-12, rtol=1e-12)
    assert_close(model.weights.activation(pre), post, atol=1e-12, rtol=1e-12)
    factor, shift = model.weights.norm("ln_final")
    normed = (post - post.mean(-1, keepdim=True)) / scale * factor + shift
    logits = normed @ model.weights.unembedding() + model.weights.unembedding_bias()
    assert_close(logits, trace.logits, atol=1e-12, rtol=1e-12)
