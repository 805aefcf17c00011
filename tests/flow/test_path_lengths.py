"""Path lengths against a frozen run whose sub-layers are scaled by x: the polynomial Σ c_k x^k; and plain edits."""

import numpy as np
import pytest
import torch
from asking import prompts_for

import interp
from interp.models import Edit, Site


def frozen(model, prompt, x):
    """Edits that hold patterns, divisors, gates and slopes as they are, and scale what sub-layers write by x."""
    gated = model.has("mlp_up")
    layers = range(model.dims.layers)
    sites = [
        site for name in ("pattern", "mlp_pre", "mlp_post", "ln1_scale", "ln2_scale") for site in model.sites(name)
    ]
    with torch.no_grad():
        trace = model.run(prompt, record=[*sites, Site("ln_final_scale")])
    edits = []
    for name, layer in [(name, layer) for name in ("ln1", "ln2") for layer in layers] + [("ln_final", None)]:
        gain, shift = model.weights.norm(name, layer)
        seen, scale = {}, trace[Site(f"{name}_scale", layer)]

        def normed(out, seen=seen, gain=gain, shift=shift, scale=scale):
            value = seen["x"] - seen["x"].mean(-1, keepdim=True) if model.architecture.norm == "layer" else seen["x"]
            return value / scale * gain + (0 if shift is None else shift)

        edits += [
            Edit.through(Site(f"{name}_in", layer), lambda value, seen=seen: seen.update(x=value)),
            Edit.through(Site(f"{name}_out", layer), normed),
        ]
    for layer in layers:
        pattern, pre, post = (trace[Site(name, layer)] for name in ("pattern", "mlp_pre", "mlp_post"))
        edits.append(Edit.through(Site("pattern", layer), lambda _, pattern=pattern: pattern))
        if gated:
            edits.append(Edit.through(Site("mlp_pre", layer), lambda _, pre=pre: pre))
        else:
            seen = {}
            edits += [
                Edit.through(Site("mlp_pre", layer), lambda value, seen=seen: seen.update(x=value)),
                Edit.through(
                    Site("mlp_post", layer), lambda _, seen=seen, pre=pre, post=post: seen["x"] * (post / pre)
                ),
            ]
        edits += [Edit.scale(Site(name, layer), x) for name in ("attn_write", "mlp_write")]
    return edits


@pytest.mark.parametrize("family", ["llama", "gptneox", "gpt2"])
def test_lengths_are_the_coefficients_of_a_polynomial(family, tiny):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)[[0]]
    result = interp.flow.path_lengths(model, prompts)
    lengths = result.data["contribution"].values[0]
    assert len(lengths) == (1 if model.layer_map.parallel else 2) * model.dims.layers + 1
    for x in (0, 0.5, 1, -1.3):
        with torch.no_grad():
            value = prompts.metric(model.run(prompts, edits=frozen(model, prompts, x)).logits).item()
        np.testing.assert_allclose(sum(c * x**k for k, c in enumerate(lengths)), value, rtol=1e-5, atol=1e-6)
    whole = prompts.metric(model.logits(prompts)).item()
    np.testing.assert_allclose([lengths.sum(), result.data["total"].item()], whole, atol=1e-6)
    np.testing.assert_allclose(result.data["absolute"].item(), np.abs(lengths).sum())
    mean = (np.arange(len(lengths)) * np.abs(lengths)).sum() / np.abs(lengths).sum()
    np.testing.assert_allclose(result.data["mean_length"].item(), mean)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gptneox", "bert-masked", "bert-classifier", "qwen2moe"])
def test_closes_and_pools_what_is_longer(family, tiny):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    data = interp.flow.path_lengths(model, prompts).data
    assert np.abs(data["remainder"]).max() < 1e-5
    short = interp.flow.path_lengths(model, prompts, longest=2).data["contribution"].values
    whole = data["contribution"].values
    np.testing.assert_allclose(short[:, :2], whole[:, :2], atol=1e-9)
    np.testing.assert_allclose(short[:, 2], whole[:, 2:].sum(1), atol=1e-6)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gptneox"])
def test_effects_are_those_of_plain_edits(family, tiny):
    """Direct: what the last stream is without a write; total: nothing written."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    data, metric = interp.flow.path_lengths(model, prompts).data, prompts.metric
    last = Site("resid_post", model.dims.layers - 1)
    with torch.no_grad():
        clean = metric(model.logits(prompts))
        for layer in range(model.dims.layers):
            for part, name in (("attention", "attn_write"), ("mlp", "mlp_write")):
                site, seen = Site(name, layer), {}
                edits = [
                    Edit.through(site, lambda value, seen=seen: seen.update(write=value)),
                    Edit.through(last, lambda value, seen=seen: value - seen["write"]),
                ]
                direct = metric(model.run(prompts, edits=edits).logits) - clean
                whole = metric(model.run(prompts, edits=[Edit.zero(site)]).logits) - clean
                cell = data.sel(layer=layer, part=part)
                np.testing.assert_allclose(cell["direct_effect"], direct, atol=1e-9)
                np.testing.assert_allclose(cell["total_effect"], whole, atol=1e-9)
