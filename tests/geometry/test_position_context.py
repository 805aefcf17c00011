"""Compared with loops over Hugging Face's hidden states, and with streams into which the structure was planted."""

import sys
from math import cos, pi, sin
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from plain_transformer import hugging_face
from tiny import FAMILIES

from interp.core.errors import CorpusError, OptionError
from interp.core.prompts import Prompts
from interp.corpus import Windows, gather
from interp.geometry import position_context
from interp.geometry.positions import position_measures
from interp.geometry.positions.parts import Parts
from interp.geometry.positions.position_sums import PositionSums
from interp.models.sites import Site

MODULE = sys.modules["interp.geometry.position_context"]  # the package has the engine under that name
OPTIONS = position_context.options()
SHARES = ("mean_share", "position_share", "context_share", "residual_share")


def streams_of(checkpoint, family, windows, skip):
    """`place window pos d_model`, from the plain model, window by window."""
    model = hugging_face(family, checkpoint(family))
    core = model.base_model
    last = {}
    block = next(module for name, module in core.named_modules() if name.endswith(".2") and name.count(".") <= 2)
    hook = block.register_forward_hook(lambda module, given, out: last.update(out=out))
    rows = []
    with torch.no_grad():
        for tokens in windows.tokens:
            states = core(tokens[None], output_hidden_states=True).hidden_states[:3]
            out = last["out"][0] if isinstance(last["out"], tuple) else last["out"]
            rows.append(np.stack([state[0].numpy() for state in (*states, out.reshape(states[0].shape))]))
    hook.remove()
    return np.stack(rows, 1)[:, :, skip:]


def by_definition(h, topics):
    """Every measure of one layer (`window pos d_model`), as its definition reads; and the position part."""
    windows, positions = h.shape[:2]
    mean = sum(h[c, t] for c in range(windows) for t in range(positions)) / (windows * positions)
    pos = [sum(h[c, t] for c in range(windows)) / windows - mean for t in range(positions)]
    ctx = [sum(h[c, t] for t in range(positions)) / positions - mean for c in range(windows)]
    cells = [(c, t) for c in range(windows) for t in range(positions)]
    energy = sum(h[c, t] @ h[c, t] for c, t in cells)
    resid = {(c, t): h[c, t] - mean - pos[t] - ctx[c] for c, t in cells}
    parts = {"mean": lambda c, t: mean, "position": lambda c, t: pos[t], "context": lambda c, t: ctx[c]}
    parts["residual"] = lambda c, t: resid[c, t]
    found = {f"{name}_share": sum(part(c, t) @ part(c, t) for c, t in cells) / energy for name, part in parts.items()}
    np.testing.assert_allclose(sum(found.values()), 1, atol=1e-9)

    def cosine(a, b):
        return a @ b / np.sqrt(a @ a) / np.sqrt(b @ b)

    eigen = np.linalg.eigvalsh(np.array(pos) @ np.array(pos).T)
    found["stable_rank"] = eigen.sum() / eigen[-1]
    tokens = np.array([h[c, t] - mean for c, t in cells])
    found["relative_norm"] = np.linalg.norm([pos[t] for _, t in cells], 2) / np.linalg.norm(tokens, 2)
    gram = np.array([[cosine(a, b) for b in pos] for a in pos])
    waves = np.array([[cos(pi * (t + 0.5) * k / positions) for t in range(positions)] for k in range(positions)])
    waves *= np.sqrt(2 / positions)
    waves[0] /= np.sqrt(2)
    spectrum, cut = (waves @ gram @ waves.T) ** 2, max(1, positions // 10)
    found["low_frequency_share"] = spectrum[:cut, :cut].sum() / spectrum.sum()
    found["incoherence"] = max(abs(cosine(p, c)) for p in pos for c in ctx)
    pairs = [(a, b) for a in range(windows) for b in range(a)]
    for name, alike in (("within", True), ("between", False)):
        sizes = [abs(cosine(ctx[a], ctx[b])) for a, b in pairs if (topics[a] == topics[b]) is alike]
        found[f"similarity_{name}"] = np.mean(sizes) if sizes else np.nan
    return found, np.array(pos), np.array(ctx), gram


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny, checkpoint):
    """Every layer and measure; curve and map have the inner products of the best approximation of rank three."""
    model = tiny(family, "float64")
    windows = Windows.cut(model, windows=7, length=24)
    found = position_context(model, windows, skip=2).data
    streams = streams_of(checkpoint, family, windows, skip=2)
    assert found.pos.values.tolist() == list(range(2, 24))
    assert found.topic.values.tolist() == list(windows.topics)
    assert found.document.values.tolist() == list(windows.documents)
    assert found.sizes["layer"] == 4
    for layer in range(4):
        values, pos, ctx, gram = by_definition(streams[layer], windows.topics)
        here = found.isel(layer=layer)
        exact = (*SHARES, "stable_rank")
        for name, value in values.items():
            tolerance = 1e-6 if name in exact else 1e-5  # windows' means are kept in float32
            np.testing.assert_allclose(here[name].values[0], value, rtol=tolerance, err_msg=f"{name} {layer}")
        np.testing.assert_allclose(here.gram, gram, atol=1e-5)
        np.testing.assert_allclose(here.singular_value, np.linalg.svd(pos)[1][:32], atol=1e-6)
        for name, part in (("curve", pos), ("map", ctx)):
            left, size, right = np.linalg.svd(part, full_matrices=False)
            best = (left[:, :3] * size[:3]) @ right[:3]
            placed = here[name].values
            np.testing.assert_allclose(placed @ placed.T, best @ best.T, atol=1e-5)
    assert abs(found.remainder).max() < 1e-9


def test_parts_sum_to_zero(tiny):
    """Along their axes, whatever the model's precision; and what is shuffled has the same mean."""
    model = tiny("gpt2")
    sums = gather(model, Windows.cut(model, windows=5, length=20), PositionSums(1, 3))
    parts, shuffled = Parts.of(sums, 1), Parts.of(sums, 1, "shuffled")
    assert parts.position.shape == (4, 19, 32)
    assert parts.position.sum(1).abs().max() < 1e-9
    torch.testing.assert_close(parts.mean, shuffled.mean, rtol=0, atol=1e-9)
    assert not torch.allclose(parts.position, shuffled.position)


class Planted:
    """A stand-in for a model, whose stream is what was planted; a window's tokens are its number."""

    dtype, device, is_classifier = torch.float32, torch.device("cpu"), False

    def __init__(self, stream):
        self.stream = stream
        self.dims = SimpleNamespace(layers=1, d_model=stream.shape[-1])

    def stream_sites(self):
        return [Site("resid_pre", 0), Site("resid_post", 0)]

    def record(self, windows, *, edits):
        for edit in edits:
            edit.value(self.stream[windows.tokens[:, 0]].float())


def planted(windows=96, length=101, width=160, topics=4):
    """A spiral of rank three, four topics around it, and noise; each in directions of its own."""
    random = np.random.default_rng(1)
    basis = np.linalg.qr(random.normal(size=(width, width)))[0]
    turns = np.array([[5 * cos(6 * t / length), 5 * sin(6 * t / length), 6 * t / length] for t in range(length)])
    spiral = (turns - turns[1:].mean(0)) @ basis[:3]
    topic = np.arange(windows) % topics
    centres = 3 * basis[3 : 3 + topics]
    noise = 0.3 * random.normal(size=(windows, length, width))
    mean = 2 * basis[20]
    ctx = centres[topic] - centres.mean(0)
    noise -= noise[:, 1:].mean(1, keepdims=True)  # what is left of it belongs to no window, and not to the mean
    parts = {"mean": mean, "position": spiral[None, 1:], "context": ctx[:, None], "residual": noise[:, 1:]}
    stream = mean + spiral[None] + ctx[:, None] + noise
    stream[:, 0] = 1000  # a sink, which is left out
    tokens = torch.arange(windows)[:, None].expand(-1, length)
    labels = tuple(("x",) * length for _ in range(windows))
    names = tuple(f"about {kind}" for kind in topic)
    prompts = Windows(("",) * windows, tokens, torch.ones_like(tokens).bool(), labels, None, "planted", names, names)
    return Planted(torch.from_numpy(stream)), prompts, parts, ctx


def test_what_was_planted_is_recovered():
    model, prompts, parts, ctx = planted()
    found = position_context.run(model, prompts, None, OPTIONS).data.isel(layer=0)
    read, shuffled = found.sel(arrangement="as read"), found.sel(arrangement="shuffled")
    shape = (96, 100, 160)
    energies = {name: (np.broadcast_to(part, shape) ** 2).sum() for name, part in parts.items()}
    for name, energy in energies.items():
        np.testing.assert_allclose(read[f"{name}_share"], energy / sum(energies.values()), rtol=0.02)
    size = np.linalg.svd(parts["position"][0])[1]
    np.testing.assert_allclose(read.stable_rank, (size**2).sum() / size[0] ** 2, rtol=0.02)
    assert read["rank"] == 3
    assert read.low_frequency_share > 0.95
    assert read.incoherence < 0.15
    assert read.similarity_within > 0.95
    np.testing.assert_allclose(read.similarity_between, 1 / 3, atol=0.05)  # corners of a tetrahedron
    distance = np.linalg.norm(parts["position"][0][:, None] - parts["position"][0], axis=-1)
    curve = found.curve.values
    np.testing.assert_allclose(np.linalg.norm(curve[:, None] - curve, axis=-1), distance, atol=0.35)
    spread = found["map"].values
    np.testing.assert_allclose(spread @ spread.T, ctx @ ctx.T, atol=0.6)
    # The control: what is left of a mean over windows is 1/windows of what varies inside them; nothing is smooth.
    inside = energies["position"] + energies["residual"]
    np.testing.assert_allclose(shuffled.position_share, inside / 96 / sum(energies.values()), rtol=0.2)
    assert shuffled.low_frequency_share < 0.05
    np.testing.assert_allclose(shuffled.similarity_within, shuffled.similarity_between, atol=0.06)
    for name in ("mean_share", "context_share"):
        np.testing.assert_allclose(shuffled[name], read[name], rtol=1e-6)
    assert float(abs(found.remainder).max()) < 1e-9


def test_many_windows_are_read_a_few_at_a_time(monkeypatch):
    """The same, whatever is in memory at once; only so many are compared and drawn."""
    model, prompts, _, _ = planted()
    whole = position_context.run(model, prompts, None, OPTIONS)
    monkeypatch.setattr(MODULE, "ROWS", 7)
    pieces = position_context.run(model, prompts, None, OPTIONS)
    for name, array in whole.data.data_vars.items():
        np.testing.assert_allclose(pieces.data[name], array, rtol=1e-9, atol=1e-9)
    for name, value in {"COMPARED": 50, "MAPPED": 10, "DRAWN": 12, "SPECTRUM": 4}.items():
        monkeypatch.setattr(MODULE, name, value)
    few = position_context.run(model, prompts, None, OPTIONS).data
    assert few.compared_windows == "50 of 96"
    assert dict(few.sizes) == {
        "arrangement": 2, "layer": 2, "pos": 12, "other_pos": 12, "direction": 3, "component": 4, "window": 10,
    }  # fmt: skip
    assert (few.pos[0], few.pos[-1], few.window[-1]) == (1, 100, 95)
    np.testing.assert_allclose(few.gram[0, 0, -1], whole.data.gram[0, 0, -1], rtol=1e-9)


def test_a_single_window_has_no_context(tiny):
    found = position_context(tiny("llama"), "When Mary and John went to the store").data.sel(arrangement="as read")
    np.testing.assert_allclose(found.context_share, 0, atol=1e-12)
    assert np.isnan(found.similarity_within).all()
    assert np.isnan(found.incoherence).all()
    assert (found["map"] == 0).all()


def test_a_folder_of_statistics_is_the_run_itself(tiny, tmp_path):
    """Without running the model; other text, another model or another skip is refused in one line."""
    model = tiny("llama")
    windows = Windows.cut(model, windows=6, length=20, seed=2)
    gather(model, windows, PositionSums(1, 2), out=tmp_path / "sums")
    options = {"seed": 2, "statistics": str(tmp_path / "sums")}
    direct = position_context(model, windows=6, length=20, seed=2).data
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "run", None)
        again = position_context(model, **options).data
    assert again.drop_attrs().identical(direct.drop_attrs())
    for other, given, changed, error, words in (
        (tiny("qwen2"), None, {}, CorpusError, "made with model = "),
        (model, None, {"skip": 2}, CorpusError, "made with skip = 1, not 2"),
        (model, "The keys to the cabinet", {}, OptionError, "other text"),
        (model, None, {"statistics": str(tmp_path / "none")}, CorpusError, "no statistics"),
    ):
        with pytest.raises(error, match=words) as caught:
            position_context(other, given, **options | changed)
        assert "\n" not in str(caught.value)


def test_text_that_cannot_be_summed_is_refused(tiny):
    model = tiny("llama")
    with pytest.raises(CorpusError, match="different lengths"):
        position_context(model, Prompts.of(model, ["The keys", "The keys to the cabinet"]))
    with pytest.raises(CorpusError, match="no token is left after the first 9"):
        position_context(model, " the", skip=9)


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
@pytest.mark.parametrize("shape", [(120, 200), (250, 120)])
def test_screenot_finds_what_stands_out_of_noise(shape, scale):
    """Spikes well above and below the threshold that is optimal in white noise (Gavish & Donoho 2014, equation 11)."""
    random = np.random.default_rng(0)
    ratio = min(shape) / max(shape)
    threshold = np.sqrt(2 * (ratio + 1) + 8 * ratio / (ratio + 1 + np.sqrt(ratio**2 + 14 * ratio + 1)))
    left, right = (np.linalg.qr(random.normal(size=(size, 5)))[0] for size in shape)
    spikes = left @ np.diag([threshold * size for size in (3, 2, 1.5, 0.3, 0.2)]) @ right.T
    noisy = scale * (spikes + random.normal(size=shape) / np.sqrt(max(shape)))
    singular = torch.linalg.svdvals(torch.from_numpy(noisy))
    assert position_measures.screenot_rank(singular, shape) == 3
