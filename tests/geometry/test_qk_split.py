"""Compared with nine pairs of parts a score, one by one, from bare matrices and Hugging Face's hidden states."""

import numpy as np
import pytest
import torch
from asking import covering, prompts_for
from plain_transformer import divisor, hugging_face, plain, rotated, visible
from tiny import FAMILIES, write_checkpoint

import interp
from interp.core.errors import CorpusError, EngineError, OptionError, PromptError
from interp.corpus import Windows, gather
from interp.geometry import qk_split
from interp.geometry.positions.position_sums import PositionSums
from interp.models import HookedModel
from interp.models.obstacles import Obstacles

TERMS = ("position", "context", "residual")
SKIP, OPTIONS = 2, {"windows": 3, "length": 40, "skip": 2}


def streams_into(checkpoint, family, tokens):
    """`layer pos d_model` of one text."""
    model = hugging_face(family, checkpoint(family))
    with torch.no_grad():
        states = model.base_model(tokens[None], output_hidden_states=True).hidden_states
    return torch.stack([state[0] for state in states[:3]])


def position_parts(checkpoint, family, windows):
    """μ and pos of every layer, from position `SKIP` on."""
    streams = torch.stack([streams_into(checkpoint, family, tokens) for tokens in windows.tokens])[:, :, SKIP:]
    mean = streams.mean((0, 2))
    return mean, streams.mean(0) - mean[:, None]


def pairs_of_parts(layer, order, parts, total, head):
    """Scores `pos pos` of every pair of the parts (mean, pos, ctx, resid): `part part`."""
    sides = []
    for (matrix, bias), norm in ((layer.q[head], layer.q_norm), (layer.k[head], layer.k_norm)):
        made = []
        for index, given in enumerate(parts):
            part = given
            if order != "post":
                centred = part - part.mean(-1, keepdim=True) if layer.ln1.centred else part
                part = layer.ln1.weight * centred / divisor(layer.ln1, total)
                part = part + layer.ln1.bias if layer.ln1.bias is not None and index == 0 else part
            part = part @ matrix
            made.append(part + bias if bias is not None and index == 0 else part)
        if norm is not None:
            frozen = divisor(norm, sum(made))
            made = [norm.weight * part / frozen for part in made]
        sides.append([rotated(part, layer.rope) for part in made])
    return [[layer.scale * query @ key.T for key in sides[1]] for query in sides[0]]


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny, checkpoint):
    """Terms of one head, token by token, in a padded batch; shares of every head of every layer."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    mean, pos = position_parts(checkpoint, family, Windows.cut(model, windows=3, length=40))
    found = qk_split(model, prompts, layer=1, head=2, **OPTIONS).data
    for row in range(2):
        tokens = prompts.tokens[row][prompts.mask[row]]
        width = len(tokens)
        streams, bare = streams_into(checkpoint, family, tokens), plain(checkpoint, family, tokens)
        for index, layer in enumerate(bare.layers):
            placed = torch.zeros(width, 32, dtype=torch.float64)
            for t in range(SKIP, width):
                placed[t] = pos[index, t - SKIP]
            left = streams[index] - mean[index] - placed
            context = sum(left[t] for t in range(SKIP, width)) / max(1, width - SKIP) + torch.zeros(width, 32)
            parts = [mean[index].expand(width, -1), placed, context, left - context]
            for head in range(4):
                pairs = pairs_of_parts(layer, bare.order, parts, streams[index], head)
                terms = {
                    "position": sum(pairs[a][b] for a in (0, 1) for b in (0, 1)),
                    "context": sum(pairs[a][b] for a in (0, 1, 2) for b in (0, 1, 2) if 2 in (a, b)),
                    "residual": sum(pairs[a][b] for a in range(4) for b in range(4) if 3 in (a, b)),
                }
                score = sum(terms.values())
                if (index, head) == (1, 2):
                    check_the_map(found.isel(batch=row), terms, score, layer, bare.causal)
                check_the_shares(found.isel(batch=row, layer=index, head=head), terms, score, layer, bare.causal)


def check_the_map(found, terms, score, layer, causal):
    for query in range(found.sizes["query_pos"]):
        for key in range(found.sizes["key_pos"]):
            cell = found.isel(query_pos=query, key_pos=key)
            seen = max(query, key) < len(score) and visible(query, key, causal, layer.window)
            for name, term in {**terms, "score": score}.items():
                expected = term[query, key] if seen else np.nan
                np.testing.assert_allclose(cell[name], expected, atol=1e-5 * float(score.abs().max()))


def check_the_shares(found, terms, score, layer, causal):
    with_scores, variance, cross = dict.fromkeys(TERMS, 0.0), 0.0, 0.0
    for query in range(SKIP, len(score)):
        keys = [key for key in range(SKIP, len(score)) if visible(query, key, causal, layer.window)]
        centred = score[query, keys] - score[query, keys].mean()
        variance += float(centred @ centred)
        for name in TERMS:
            with_scores[name] += float((terms[name][query, keys] - terms[name][query, keys].mean()) @ centred)
        parts = [terms[name][query, keys] - terms[name][query, keys].mean() for name in TERMS]
        cross += sum(2 * float(parts[i] @ parts[j]) for i in range(3) for j in range(i))
    np.testing.assert_allclose(found["cross_share"], cross / variance if variance else np.nan, atol=1e-4)
    for name in TERMS:
        expected = with_scores[name] / variance if variance else np.nan
        np.testing.assert_allclose(found[f"{name}_share"], expected, atol=1e-4)


@covering(("family", FAMILIES), ("dtype, tolerance", [("float64", 1e-9), ("float32", 1e-4)]))
def test_terms_add_up_to_the_recorded_score(family, dtype, tolerance, tiny):
    """And shares to one; what cannot be seen is NaN everywhere."""
    model = tiny(family, dtype)
    for layer in (0, 1, 2) if dtype == "float64" else (1,):
        found = qk_split(model, prompts_for(model, family), layer=layer, head=3, **OPTIONS).data
        total = found.position + found.context + found.residual
        np.testing.assert_allclose(total + found.remainder, found.score, rtol=1e-12)
        assert float(abs(found.remainder).max()) < tolerance * float(abs(found.score).max())
        assert (np.isnan(found.remainder) == np.isnan(found.score)).all()
    shares = found.position_share + found.context_share + found.residual_share
    np.testing.assert_allclose(shares.isel(batch=0), 1, atol=1e-9)


@pytest.fixture(scope="module")
def split_heads(tmp_path_factory) -> HookedModel:
    """GPT-2 whose first layer has positions and words in dimensions of their own, and a head for each."""
    folder = write_checkpoint("gpt2", tmp_path_factory.mktemp("gpt2"), dtype=torch.float64)
    model = hugging_face("gpt2", folder)
    positions, words = torch.zeros(32), torch.zeros(32)
    positions[:16], words[16:] = 1, 1
    with torch.no_grad():
        for table, kept in ((model.transformer.wpe, positions), (model.transformer.wte, words)):
            table.weight -= (table.weight * kept).sum(-1, keepdim=True) / 16  # no mean: a norm would move it elsewhere
            table.weight *= kept
            table.weight /= table.weight.norm(dim=-1, keepdim=True)
        attention = model.transformer.h[0].attn.c_attn
        attention.bias.zero_()
        model.transformer.h[0].ln_1.bias.zero_()
        attention.weight[16:, [*range(8), *range(32, 40)]] = 0  # head 0 reads positions
        attention.weight[:16, [*range(8, 16), *range(40, 48)]] = 0  # head 1 reads words
    model.save_pretrained(folder)
    return interp.load(str(folder), dtype="float64")


def test_heads_made_to_read_one_thing(split_heads):
    """By position alone: a share of 1; by words alone: next to none, where windows are many."""
    text = "When Mary and John went to the store, John gave a drink to Mary"
    found = qk_split(split_heads, text, windows=200, length=40).data.isel(batch=0, layer=0)
    np.testing.assert_allclose(found.position_share[0], 1, atol=1e-9)
    assert abs(found.position_share[1]) < 0.05
    assert found.context_share[1] + found.residual_share[1] > 0.95
    assert float(abs(found.context).max()) < 1e-9  # of head 0, which is the one shown
    assert float(abs(found.residual[1:, 1:]).max()) < 1e-9


def test_statistics_of_a_folder_serve(tiny, tmp_path):
    """The same split as with windows run anew; a folder of another model is refused."""
    model = tiny("gemma3")
    windows = Windows.cut(model, windows=3, length=40)
    gather(model, windows, PositionSums(SKIP, 0), out=tmp_path / "sums")
    text, options = "When Mary and John went", {"skip": SKIP, "statistics": str(tmp_path / "sums")}
    direct = qk_split(model, text, layer=2, head=1, **OPTIONS)
    assert qk_split(model, text, layer=2, head=1, **options).data.identical(direct.data)
    with pytest.raises(CorpusError, match="made with model = "):
        qk_split(tiny("llama"), text, **options)


def test_before_the_first_positions_everything_is_residual(tiny):
    """A prompt that ends there has no context; its shares are NaN."""
    found = qk_split(tiny("llama"), " the", windows=2, length=8).data
    assert found.sizes["query_pos"] == 1
    assert found.context.item() == 0
    np.testing.assert_allclose(found.position + found.residual, found.score, rtol=1e-5)
    assert np.isnan(found.position_share).all()


def test_bad_input_is_named(tiny, monkeypatch):
    model = tiny("gemma3")
    for error, words, text, options in (
        (OptionError, "qk-split, layer = 3: .* has 0 to 2", "the store", {"layer": 3}),
        (OptionError, "qk-split, head = 4: .* has 0 to 3", "the store", {"head": 4}),
        (PromptError, "longer than the windows of 8 tokens", " the" * 9, {"windows": 1, "length": 8}),
    ):
        with pytest.raises(error, match=words) as caught:
            qk_split(model, text, **options)
        assert "\n" not in str(caught.value)
    monkeypatch.setattr(model, "obstacles", Obstacles(parts={"layers": "has layers that no known layer map explains"}))
    with pytest.raises(EngineError, match="no known layer map explains"):
        qk_split(model, "the store")
