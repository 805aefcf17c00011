"""DecompX against its definition, a list of one part a token carried through loops; and its sum, exactly."""

import numpy as np
import pytest
import torch
from asking import covering, prompts_for, some
from configurations import EVERY_MAP
from plain_transformer import divisor, plain, rotated, softmax_row, walk
from tiny import FAMILIES
from torch.testing import assert_close

import interp
from interp.attribution.decompx import TokenRules, _share
from interp.core.errors import MemoryLimitError
from interp.models import memory

EVERY = some("family", EVERY_MAP, always=FAMILIES)
CLOSE = dict.fromkeys(EVERY_MAP, 1e-4) | dict.fromkeys(("gpt2", "bert-classifier", "bert-masked"), 1e-9)


class TokenByToken:
    """The rules of DecompX on a list of parts."""

    def shared(self, parts, bias):
        """AbsDot at every position."""
        out = [part.clone() for part in parts]
        for pos in range(len(parts[0])):
            sizes = [abs(part[pos] @ bias) for part in parts]
            for part, size in zip(out, sizes, strict=True):
                part[pos] += size / sum(sizes) * bias
        return out

    def linear(self, parts, matrix, bias):
        out = [part @ matrix for part in parts]
        return out if bias is None else self.shared(out, bias)

    def norm(self, parts, norm):
        scale = divisor(norm, sum(parts))
        out = [(p - p.mean(-1, keepdim=True) if norm.centred else p) / scale * norm.weight for p in parts]
        return out if norm.bias is None else self.shared(out, norm.bias)

    def act(self, parts, function):
        slope = function(sum(parts)) / sum(parts)
        return [part * slope for part in parts]

    def product(self, gate, up):
        return [(g * sum(up) + sum(gate) * u) / 2 for g, u in zip(gate, up, strict=True)]

    def head(self, model, layer, parts, head):
        total = sum(parts)
        query, key = (total @ m + (0 if b is None else b) for m, b in (layer.q[head], layer.k[head]))
        if layer.q_norm:
            query, key = (x / divisor(n, x) * n.weight for x, n in ((query, layer.q_norm), (key, layer.k_norm)))
        query, key = rotated(query, layer.rope), rotated(key, layer.rope)
        rows = [softmax_row(query[pos], key, pos, layer, model.causal) for pos in range(len(total))]
        values = [part @ layer.v[head][0] for part in parts]
        return [torch.stack([sum(row[j] * value[j] for j in range(len(row))) for row in rows]) for value in values]

    def output(self, layer, z, parts, heads):
        """The heads' outputs summed; the biases of values, which every query sees whole, join the output's."""
        out = [sum(part[:, head] @ matrix for head, matrix in enumerate(layer.o)) for part in z]
        bias = 0 if layer.o_bias is None else layer.o_bias
        for (_, own), matrix in zip(layer.v, layer.o, strict=True):
            bias = bias if own is None else bias + own @ matrix
        return out if isinstance(bias, int) else self.shared(out, bias)


@EVERY
@pytest.mark.parametrize("row", [0, 1])
def test_tokens_are_the_definitions(tiny, checkpoint, family, row):
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[row]]
    bare = plain(checkpoint, family, prompt.tokens[0])
    parts = []
    for at in range(prompt.width):
        own = torch.zeros_like(bare.embed)
        own[at] = bare.embed[at]
        parts.append(own)
    position = 0 if prompt.metric.positions is None else prompt.metric.positions[0]
    logits = torch.stack(walk(bare, parts, TokenByToken(), position))
    expected = prompt.metric.select([0] * len(parts)).of_rows(logits)
    found = interp.attribution.decompx(model, prompt).data.relevance.values[0]
    assert_close(torch.tensor(found), expected, atol=CLOSE[family], rtol=CLOSE[family])


@covering(("family", EVERY_MAP), ("dtype, close", [("float64", 1e-9), ("float32", 1e-4), ("bfloat16", 0.2)]))
def test_tokens_add_up_to_the_logit(tiny, family, dtype, close):
    model = tiny(family, dtype)
    data = interp.attribution.decompx(model, prompts_for(model, family)).data
    assert np.abs(data.remainder.values).max() < close
    assert_close(data.relevance.sum("pos").values, data.total.values, atol=close, rtol=0)


@EVERY
def test_neurons_by_blocks_of_positions(tiny, family, monkeypatch):
    """MLPs are computed a few positions at a time where their neurons would not fit; nothing changes."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    whole = interp.attribution.decompx(model, prompts).data
    monkeypatch.setattr("interp.decomposition.walk.CELLS", 3 * prompts.width * model.dims.d_mlp)
    assert_close(interp.attribution.decompx(model, prompts).data.relevance.values, whole.relevance.values)


def test_a_later_token_brings_nothing(tiny):
    """In a decoder the parts of positions that stand behind are exactly 0 on the way: the sum needs no others."""
    model = tiny("llama", "float64")
    prompt = prompts_for(model, "llama")[[0]]
    from interp.decomposition.walk import Totals, Walk

    totals = Totals(model, prompt, prompt.metric, pattern=True)
    stream = torch.diag_embed(totals("resid_pre", 0).T).permute(1, 2, 0)
    for layer in range(model.dims.layers):
        stream = Walk(model, totals, TokenRules()).layer(layer, stream)
        assert_close(stream.sum(0), totals("resid_post", layer), atol=1e-10, rtol=0)
    for token in range(prompt.width):
        assert (stream[token, :token] == 0).all()


def test_a_bias_with_nothing_to_split_it_by_is_spread_evenly():
    """Nothing of it is lost: the shares add up to one."""
    parts = torch.stack([torch.tensor([[1.0, 0.0], [3.0, 5.0]]), torch.tensor([[2.0, 0.0], [1.0, 0.0]])])
    shares = _share(parts, torch.tensor([0.0, 1.0]))
    assert_close(shares[..., 0], torch.tensor([[0.5, 1.0], [0.5, 0.0]]))


def test_an_activation_of_zero_passes_at_its_derivative():
    parts = torch.tensor([[[2.0]], [[-2.0]]])
    out = TokenRules().nonlinearity(parts, torch.tanh, torch.zeros(1, 1))
    assert_close(out, parts)
    assert_close(TokenRules().nonlinearity(parts, torch.nn.functional.silu, torch.zeros(1, 1)), parts / 2)


def test_more_than_fits_is_refused_with_a_number(tiny, monkeypatch):
    model = tiny("llama")
    monkeypatch.setattr(memory, "free_memory", lambda device: 50_000)
    monkeypatch.setattr(memory, "require_memory", lambda *args, **kwargs: None)
    with pytest.raises(MemoryLimitError, match=r"8 parts of 8 positions need 0.0 GiB"):
        interp.attribution.decompx(model, prompts_for(model, "llama")[[0]])


@pytest.mark.real_model
def test_the_default_model_answers_because_of_mary(real_model):
    """The name that is the answer brings the most, on thirty layers the parts add up, and CD-T agrees."""
    prompt = "When Mary and John went to the store, John gave a drink to"
    asked = {"target": " Mary", "contrast": " John"}
    exact = interp.attribution.decompx(real_model, prompt, **asked).data.isel(batch=0)
    assert abs(exact.remainder) < 1e-3
    assert exact.token.values[int(np.abs(exact.relevance.values).argmax())] == " Mary"
    near = interp.attribution.cdt(real_model, prompt, **asked).data.isel(batch=0)
    assert abs(near.remainder) < 0.1 * near.total
    assert np.corrcoef(near.relevance, exact.relevance)[0, 1] > 0.99
