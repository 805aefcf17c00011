"""DFA adds up to the pre-activation, in every family and for every dictionary with one linear map."""

import pytest
import torch
from asking import prompts_for
from tiny import FAMILIES

from interp import Site, dictionaries
from interp.core.errors import DictionaryError
from interp.dictionaries.features.sources import encoder, pieces, pieces_at, source_obstacle

SETTINGS = {"topk": {"k": 3}}
ARCHITECTURES = ("standard", "topk", "jumprelu", "gated")


def made(saved, model, architecture, **settings):
    dims = model.dims
    folder, _ = saved(architecture, dims.heads * dims.d_head, model=model.name, hook="blocks.1.attn.hook_z", **settings)
    return dictionaries.load(folder).attach(model)


def before_nonlinearity(sae, z):
    """The definition, from the weights."""
    centred = z - sae.b_dec * sae.cfg.apply_b_dec_to_input
    if sae.cfg.architecture() == "gated":
        return centred @ (sae.W_enc * sae.r_mag.exp()) + sae.b_mag
    before = centred @ sae.W_enc + sae.b_enc
    return before * sae.W_dec.norm(dim=-1) if getattr(sae.cfg, "rescale_acts_by_decoder_norm", False) else before


@pytest.mark.parametrize("family", FAMILIES)
def test_closes(saved, tiny, family):
    model = tiny(family)
    prompts = prompts_for(model, family)
    z, pattern, v = (Site(name, 1) for name in ("z", "pattern", "v"))
    trace = model.record(prompts, [z, pattern, v])
    for architecture in ARCHITECTURES:
        attached = made(saved, model, architecture, **SETTINGS.get(architecture, {}))
        matrix, bias = encoder(attached)
        found = pieces(trace[pattern], trace[v], matrix)
        expected = before_nonlinearity(attached.sae, trace[z].flatten(2))
        kept = prompts.mask
        total = found.sum((2, 4)).transpose(1, 2) + bias
        torch.testing.assert_close(total[kept], expected[kept], atol=1e-5, rtol=1e-5)


def test_one_piece_by_definition(saved, tiny):
    """Heads that share keys and values read the right ones."""
    model = tiny("llama", "float64")
    attached = made(saved, model, "standard")
    prompts = prompts_for(model, "llama")
    pattern, v = Site("pattern", 1), Site("v", 1)
    trace = model.record(prompts, [pattern, v])
    chosen = [5, 2, 11]
    found = pieces(trace[pattern], trace[v], encoder(attached, chosen).matrix)
    shared, width = model.dims.heads // model.dims.kv_heads, model.dims.d_head
    for index, feature in enumerate(chosen):
        for head in range(model.dims.heads):
            rows = attached.sae.W_enc[head * width : (head + 1) * width, feature]
            for query, key in ((3, 0), (4, 4), (6, 2)):
                expected = trace[pattern][0, head, query, key] * (trace[v][0, key, head // shared] @ rows)
                torch.testing.assert_close(found[0, index, head, query, key], expected)
    places = torch.tensor([[0, 3, 1], [1, 1, 0]])
    at = pieces_at(trace[pattern], trace[v], encoder(attached, chosen).matrix, places)
    torch.testing.assert_close(at[0], found[0, 1, :, 3])
    torch.testing.assert_close(at[1], found[1, 0, :, 1])


def test_features_rescaled_by_their_decoder(saved, tiny):
    model = tiny("gpt2", "float64")
    attached = made(saved, model, "topk", k=3, rescale_acts_by_decoder_norm=True, apply_b_dec_to_input=False)
    z = Site("z", 1)
    held = model.record(prompts_for(model, "gpt2"), [z])[z]
    matrix, bias = encoder(attached)
    found = torch.einsum("bqhd,hdf->bqf", held, matrix) + bias
    torch.testing.assert_close(found, before_nonlinearity(attached.sae, held.flatten(2)))


def test_refused(saved, tiny):
    model = tiny("llama")
    for attached, word in (
        (made(saved, model, "standard", normalize_activations="layer_norm"), "layer_norm"),
        (dictionaries.load(saved("standard", 32, model=model.name, hook="blocks.1.hook_resid_pre")[0]).attach(model),
         "resid_pre[1]"),
    ):  # fmt: skip
        assert word in (source_obstacle(attached) or "")
        with pytest.raises(DictionaryError):
            encoder(attached)
