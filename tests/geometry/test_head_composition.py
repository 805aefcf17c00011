"""Against full matrices in float64, head by head: read from the checkpoints, multiplied out, and rotated at random."""

import dataclasses

import numpy as np
import pytest
import torch
from asking import CAUSAL
from numpy.testing import assert_allclose
from plain_transformer import plain, rotated
from torch.linalg import matrix_norm

import interp
from interp.core.errors import EngineError, OptionError, SiteError
from interp.geometry import head_composition

HEADS, LAYERS = range(4), range(3)
CLOSE = 2e-6  # the families' rotations are made in float32


class Whole:
    """Every head's W_OV and W_QK as `d_model d_model` matrices."""

    def __init__(self, checkpoint, family, kv_heads, offset=1):
        self.layers = plain(checkpoint, family, torch.tensor([0])).layers
        self.group, self.offset = 4 // kv_heads, offset

    def reading(self, layer, matrix):
        read = self.layers[layer].ln1.weight[:, None] * matrix
        return self.centre() @ read if self.layers[layer].ln1.centred else read

    def centre(self):
        return torch.eye(32, dtype=torch.float64) - 1 / 32

    def ov(self, layer, head):
        at = self.layers[layer]
        write = at.o[head] * at.ln1_post.weight if at.ln1_post else at.o[head]
        write = write @ self.centre() if at.ln1.centred else write
        return self.reading(layer, at.v[head][0]) @ write

    def qk(self, layer, head):
        at, size = self.layers[layer], self.layers[layer].q[head][0].shape[1]
        turned = [rotated(unit.repeat(self.offset + 1, 1), at.rope)[-1] for unit in torch.eye(size).double()]
        turn = torch.stack(turned)
        if at.q_norm:
            turn = torch.diag(at.q_norm.weight) @ turn @ torch.diag(at.k_norm.weight)
        return self.reading(layer, at.q[head][0]) @ turn @ self.reading(layer, at.k[head][0]).T

    def read(self, receiver):
        """What a receiver reads: the matrices of its query heads side by side."""
        kind, (layer, head) = receiver[0], map(int, receiver[1:].split("."))
        if kind == "q":
            return self.qk(layer, head)
        shared = range(head * self.group, (head + 1) * self.group)
        return torch.cat([self.qk(layer, h).T if kind == "k" else self.ov(layer, h) for h in shared], 1)

    def written(self, sender):
        return self.ov(*map(int, sender[1:].split(".")))


def score(left, right):
    return float(matrix_norm(left @ right) / matrix_norm(left) / matrix_norm(right))


def names(kv_heads):
    receivers = [
        f"{k}{n}.{h}" for n in LAYERS for k, c in (("q", 4), ("k", kv_heads), ("v", kv_heads)) for h in range(c)
    ]
    return [f"a{layer}.{head}" for layer in LAYERS for head in HEADS], receivers


def layer_of(name):
    return int(name[1:].split(".")[0])


def table(result):
    """Edge → its numbers; channel → its numbers."""
    data = result.data
    edges = {ends: row for row, ends in enumerate(zip(data.sender.values, data.receiver.values, strict=True))}
    ends = (data[f"channel_{end}"].values for end in ("sender", "receiver", "component"))
    return edges, {each: row for row, each in enumerate(zip(*ends, strict=True))}


@pytest.mark.parametrize("family", CAUSAL)
def test_scores_and_channels_agree_with_whole_matrices(tiny, checkpoint, family):
    """Every edge, every channel, and the shares of the backward pairs, all of which are drawn here."""
    model = tiny(family, "float64")
    result = head_composition(model, offset=3, top=10**6)
    data, (edges, channels) = result.data, table(result)
    whole = Whole(checkpoint, family, model.dims.kv_heads, offset=3)
    senders, receivers = names(model.dims.kv_heads)
    assert set(edges) == {(s, r) for s in senders for r in receivers if layer_of(s) < layer_of(r)}
    written, reads = {s: whole.written(s) for s in senders}, {r: whole.read(r) for r in receivers}
    control = {(s, r): score(written[s], reads[r]) for s in senders for r in receivers if (s, r) not in edges}
    for sender in senders[:8]:
        _, strength, directions = torch.linalg.svd(written[sender])
        for receiver in receivers:
            if (sender, receiver) not in edges:
                continue
            read, row = reads[receiver], edges[sender, receiver]
            expected = score(written[sender], read)
            assert_allclose(data.score[row], expected, atol=CLOSE)
            among = [value for (_, r), value in control.items() if r[0] == receiver[0]]
            assert_allclose(data.backward[row], np.mean(np.array(among) >= expected), atol=1.01 / len(among))
            parts = [float(data.channel_score[channels[sender, receiver, i]]) for i in range(8)]
            alone = [float((direction @ read).norm() / matrix_norm(read)) for direction in directions[:8]]
            assert_allclose(parts, alone, atol=CLOSE)
            energy = strength[:8].numpy() ** 2
            assert_allclose(energy @ np.square(parts) / energy.sum(), expected**2, atol=CLOSE)
    assert len(channels) == 8 * len(edges)
    assert (np.diff(data.channel_score) <= 0).all()


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_null_is_that_of_random_rotations(tiny, checkpoint, family):
    """Sampled over the directions that norms let pass: without the mean in GPT-2."""
    model = tiny(family, "float64")
    result = head_composition(model, top=10**6)
    data, (edges, channels) = result.data, table(result)
    whole, random = Whole(checkpoint, family, model.dims.kv_heads), np.random.default_rng(0)
    sender, receiver = "a0.1", "v2.1"
    written, read = whole.written(sender), whole.read(receiver)
    direction = torch.linalg.svd(written)[2][:1]
    basis = torch.linalg.svd(whole.centre())[0][:, :31] if family == "gpt2" else torch.eye(32).double()
    drawn = []
    for _ in range(2000):
        turn, triangle = np.linalg.qr(random.standard_normal((basis.shape[1],) * 2))
        turn = basis @ torch.as_tensor(turn * np.sign(np.diag(triangle))) @ basis.T
        drawn.append([score(written @ turn, read), score(direction @ turn, read)])
    mean, deviation = np.mean(drawn, 0), np.std(drawn, 0)
    for column, (prefix, row) in enumerate(
        (("", edges[sender, receiver]), ("channel_", channels[sender, receiver, 0]))
    ):
        at = data.isel(edge=row) if not prefix else data.isel(channel=row)
        assert_allclose(at[f"{prefix}null_mean"], mean[column], rtol=0.02)
        assert_allclose(at[f"{prefix}null_sd"], deviation[column], rtol=0.1)
    assert_allclose(data.null_mean**2 + data.null_sd**2, 1 / basis.shape[1], rtol=1e-9)


def test_a_planted_channel_is_found(checkpoint):
    """One direction written by one head and read by the queries of one other stands out of everything."""
    model = interp.load(str(checkpoint("llama")))
    layers = model.bridge.original_model.model.layers
    planted = torch.nn.functional.normalize(torch.randn(32, generator=torch.Generator().manual_seed(0)), dim=0)
    some = torch.linspace(0.5, 1, 8)
    layers[0].self_attn.o_proj.weight.data[:, 8:16] = torch.outer(planted, some)
    layers[2].self_attn.q_proj.weight.data[24:32] = torch.outer(some, planted / layers[2].input_layernorm.weight)
    data = head_composition(model).data
    best = data.isel(edge=int(data.score.values.argmax()))
    assert (best.sender, best.receiver) == ("a0.1", "q2.3")
    assert_allclose(best.score, 1, atol=1e-5)
    assert best.backward == 0
    assert best.score > best.null_mean + 5 * best.null_sd
    first = data.isel(channel=0)
    assert (first.channel_sender, first.channel_receiver, first.channel_component) == ("a0.1", "q2.3", 0)
    assert first.channel_backward == 0


def test_a_pruned_head_composes_with_nothing(checkpoint):
    model = interp.load(str(checkpoint("gpt2")))
    model.bridge.original_model.transformer.h[0].attn.c_proj.weight.data[:8] = 0
    data = head_composition(model, top=10**6).data
    assert not data.score[data.sender == "a0.0"].any()
    assert not data.channel_score[data.channel_sender == "a0.0"].any()
    assert all(np.isfinite(data[name]).all() for name in data.data_vars)


def test_the_offset_turns_rotary_models_alone(tiny):
    near, far = (head_composition(tiny("llama"), offset=offset).data.score for offset in (0, 9))
    values = near.receiver.str.startswith("v")
    assert_allclose(near[values], far[values])
    assert (abs(near - far)[~values] > 1e-4).mean() > 0.9
    near, far = (head_composition(tiny("gpt2"), offset=offset).data.score for offset in (0, 9))
    assert_allclose(near, far)


def test_chosen_ends_keep_their_numbers(tiny):
    model = tiny("gemma3")
    every = head_composition(model, top=10**6)
    some = head_composition(model, top=10**6, senders=("0.1", "a1.3"), receivers=("q1.2", "k2.1", "v0.0"))
    rows, channels = table(every)
    wanted = {("a0.1", "q1.2"), ("a0.1", "k2.1"), ("a1.3", "k2.1")}
    found = table(some)
    assert set(found[0]) == wanted
    assert len(found[1]) == 3 * 8
    for place, (numbers, names) in enumerate(((rows, ""), (channels, "channel_"))):
        for ends, row in found[place].items():
            for name in ("score", "null_mean", "null_sd", "backward"):
                column = f"{names}{name}"
                assert some.data[column].values[row] == every.data[column].values[numbers[ends]]


def test_what_it_cannot_treat(tiny, monkeypatch):
    model = tiny("llama")
    with pytest.raises(OptionError, match="offset = 64: the context of .* is 64 tokens; give a smaller"):
        head_composition(model, offset=64)
    with pytest.raises(OptionError, match="none of the senders writes before q1.0, v0.1 reads"):
        head_composition(model, senders=("a2.0",), receivers=("q1.0", "v0.1"))
    with pytest.raises(SiteError, match="there is no receiver 'q9.0'"):
        head_composition(model, receivers=("q9.0",))
    with pytest.raises(EngineError, match="normalises the residual stream"):
        head_composition(tiny("bert-masked"))
    monkeypatch.setattr(model, "dims", dataclasses.replace(model.dims, layers=1))
    with pytest.raises(EngineError, match="it has only one layer"):
        head_composition(model)


@pytest.mark.real_model
def test_inhibition_heads_write_into_name_movers_queries(real_model):
    """S-inhibition heads of the default model into its name movers: above what random rotations give."""
    result = head_composition(real_model)
    data, (edges, _) = result.data, table(result)
    for sender in ("a19.2", "a20.0"):
        for receiver in ("q23.0", "q23.1", "q23.2", "q23.7"):
            edge = data.isel(edge=edges[sender, receiver])
            assert edge.score > edge.null_mean + 10 * edge.null_sd
            assert edge.backward < 0.01
