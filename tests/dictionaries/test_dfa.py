"""DFA and the step back, against bare matrices and loops, in float64; what adds up, adds up."""

from importlib import import_module

import numpy as np
import pytest
import torch
from asking import covering, prompts_for
from dictionaries.plain_attention import at_layer
from numpy.testing import assert_allclose
from tiny import FAMILIES
from torch.utils._python_dispatch import TorchDispatchMode

from interp import dictionaries
from interp.core.errors import DictionaryError, OptionError

EVERY = pytest.mark.parametrize("family", FAMILIES)
LAYER = 1  # of the dictionary that every tiny model has
TURNED = 1e-6  # Hugging Face turns queries and keys by float32 cosines


def weights_of(model):
    sae = dictionaries.attached(model).sae
    return {name: value.double() for name, value in sae.state_dict().items()}


def alone(prompts, row):
    return prompts.tokens[row][prompts.mask[row]]


@EVERY
def test_by_definition(checkpoint, tiny, family):
    """A[h, q, k] · v[h, k] · W_enc[h, :, f], loop by loop."""
    model = tiny(family, "float64")
    prompts, weights = prompts_for(model, family), weights_of(model)
    data = dictionaries.dfa(model, prompts).data
    answers = prompts.answer_positions(model)
    for row in range(2):
        plain = at_layer(checkpoint, family, alone(prompts, row), LAYER)
        pos, size = answers[row], plain.values[0].shape[1]
        held = torch.cat([z[pos] for z in plain.z])
        before = (held - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
        active = torch.where(before > weights["threshold"], before.clamp(min=0), 0)
        feature = int(active.argmax())
        assert active[feature] > 0
        assert data.feature[row] == feature
        assert data.position[row] == pos
        assert_allclose(data.activation[row], active[feature], atol=TURNED)
        assert_allclose(data.preactivation[row], before[feature], atol=TURNED)
        column = weights["W_enc"][:, feature]
        for head in range(len(plain.values)):
            for key in range(len(plain.values[0])):
                brought = plain.patterns[head][pos, key] * (
                    plain.values[head][key] @ column[head * size : (head + 1) * size]
                )
                assert_allclose(data.dfa[row, key, head], brought, atol=TURNED)
        assert_allclose(data.bias[row], weights["b_enc"][feature] - weights["b_dec"] @ column, atol=TURNED)


@covering(("family", FAMILIES), ("dtype, tolerance", [("float64", 1e-9), ("float32", 1e-5)]))
def test_it_adds_up(tiny, family, dtype, tolerance):
    model = tiny(family, dtype)
    result = dictionaries.dfa(model, prompts_for(model, family), feature=3, position=1)
    data = result.data
    assert_allclose(data.dfa.sum(("key_pos", "head")) + data.bias, data.preactivation, atol=tolerance)
    assert_allclose(data.remainder, data.preactivation - data.bias - data.dfa.sum(("key_pos", "head")), atol=1e-12)
    assert np.abs(data.remainder).max() < tolerance
    assert np.abs(data.part_remainder).max() < tolerance
    assert_allclose(data.part.sum("component") + data.part_remainder, data.dfa, atol=1e-12)
    assert float(data.unexplained.max()) < 1e-4


def grouped(parts):
    """Embeddings and their norm's shift are one in the plain model."""
    named = {}
    for name, value in parts.items():
        kind = "embeddings" if name in ("embed", "pos_embed", "type_embed", "norm bias") else name
        named[kind] = named.get(kind, 0) + value
    return named


@EVERY
def test_the_step_back_by_definition(checkpoint, tiny, family):
    """Every writer's part of the normalised stream, through the value projection alone."""
    model = tiny(family, "float64")
    prompts, weights = prompts_for(model, family), weights_of(model)
    data = dictionaries.dfa(model, prompts, feature=5).data
    names = [str(name) for name in data.component.values]
    for row in range(2):
        plain = at_layer(checkpoint, family, alone(prompts, row), LAYER)
        pos, size = int(data.position[row]), plain.values[0].shape[1]
        for head, (matrix, bias) in enumerate(plain.layer.v):
            along = weights["W_enc"][head * size : (head + 1) * size, 5]
            weigh = plain.patterns[head][pos]
            expected = {name: weigh * (part @ matrix @ along) for name, part in plain.parts.items()}
            if bias is not None:
                expected["value bias"] = weigh * (bias @ along)
            found = data.part[row, : len(weigh), head].values
            found = grouped({name: found[:, index] for index, name in enumerate(names)})
            for name, value in grouped(expected).items():
                assert_allclose(found.pop(name), value, atol=TURNED, err_msg=name)
            assert all((rest == 0).all() for rest in found.values())


def test_upstream_features_stand_for_what_they_read(saved, tiny):
    """Features, their bias and their error add up to the heads (or the MLP) that they take the place of."""
    for family, hook in (
        ("llama", "attn.hook_z"), ("gemma3", "attn.hook_z"), ("gpt2", "hook_mlp_out"), ("gemma3", "mlp.out.hook_out"),
        ("bert-masked", "hook_attn_out"), ("gemma3", "attn.o.hook_out"), ("gemma3", "hook_attn_out"),
    ):  # fmt: skip
        model = tiny(family, "float64")
        prompts = prompts_for(model, family)
        width = model.dims.heads * model.dims.d_head if "hook_z" in hook else model.dims.d_model
        folder, _ = saved("topk", width, hook=f"blocks.0.{hook}", model=model.name, k=4, normalize_activations="none")
        data = dictionaries.dfa(model, prompts, feature=5, upstream=(str(folder),), top=2).data
        plain = dictionaries.dfa(model, prompts, feature=5).data
        node = f"f0.{dictionaries.load(folder).attach(model).site.name}"
        names = [str(name) for name in data.component.values]
        own = [name for name in names if name.startswith(f"{node}.")]
        assert own == [f"{node}.{part}" for part in ("#1", "#2", "rest", "bias", "error")]
        gone = [str(name) for name in plain.component.values if str(name) not in names]
        replaced = plain.part.sel(component=gone).sum("component")
        if node in ("f0.attn_out", "f0.attn_write"):
            replaced = replaced + plain.part.sel(component="attention bias")
            assert not data.part.sel(component="attention bias").any()
        assert_allclose(data.part.sel(component=own).sum("component"), replaced, atol=1e-9)
        error = np.abs(data.part.sel(component=f"{node}.error")).sum(("key_pos", "head"))
        assert_allclose(data.unexplained, error / np.abs(data.dfa).sum(("key_pos", "head")), atol=1e-6)
        for row in range(2):
            assert len({str(name) for name in data.part_name[row].values}) == len(names)


def test_an_upstream_feature_by_definition(saved, checkpoint, tiny):
    """Its activation times its decoder row through W_O, the norm and W_V, and the strongest are listed."""
    family = "qwen2"
    model = tiny(family, "float64")
    prompts, weights = prompts_for(model, family), weights_of(model)
    width = model.dims.heads * model.dims.d_head
    folder, sae = saved("standard", width, hook="blocks.0.attn.hook_z", model=model.name)
    data = dictionaries.dfa(model, prompts, feature=7, upstream=(str(folder),), top=3).data
    encoder, decoder = sae.W_enc.double().detach(), sae.W_dec.double().detach()
    b_enc, b_dec = sae.b_enc.double().detach(), sae.b_dec.double().detach()
    plain = at_layer(checkpoint, family, alone(prompts, 0), LAYER)
    size, pos = model.dims.d_head, int(data.position[0])
    joined = plain.every_z[0].flatten(1)
    features = ((joined - b_dec) @ encoder + b_enc).clamp(min=0)
    output = torch.cat(plain.model.layers[0].o)
    scale = plain.parts["embed"] / plain.model.embed  # of the norm before the layer: what it does to any part
    strength, expected = {}, {}
    for feature in range(len(decoder)):
        part = (features[:, [feature]] * decoder[feature]) @ output * scale
        per_head = []
        for head, (matrix, _) in enumerate(plain.layer.v):
            along = weights["W_enc"][head * size : (head + 1) * size, 7]
            per_head.append(plain.patterns[head][pos] * (part @ matrix @ along))
        expected[feature] = torch.stack(per_head, -1)
        strength[feature] = float(expected[feature].abs().sum())
    best = sorted(strength, key=strength.get, reverse=True)[:3]
    at = [list(data.component.values).index(f"f0.z.#{rank}") for rank in (1, 2, 3)]
    assert list(data.part_name[0, at].values) == [f"f0.z.{feature}" for feature in best]
    for place, feature in zip(at, best, strict=True):
        assert_allclose(data.part[0, : len(joined), :, place], expected[feature], atol=TURNED)


def test_padding_changes_nothing(tiny):
    model = tiny("bert-masked", "float64")
    prompts = prompts_for(model, "bert-masked")
    together, single = (dictionaries.dfa(model, some).data for some in (prompts, prompts[[1]]))
    width = single.sizes["key_pos"]
    assert width < together.sizes["key_pos"]
    for name in ("dfa", "part", "preactivation"):
        both = together[name].isel(batch=[1])
        both = both.isel(key_pos=slice(width)) if "key_pos" in both.dims else both
        assert_allclose(both, single[name], atol=1e-12)
    assert not together.dfa[1, width:].any()


def test_refusals(saved, tiny):
    model = tiny("llama")
    prompts = prompts_for(model, "llama")
    width, heads = model.dims.d_model, model.dims.heads * model.dims.d_head
    stream = saved("standard", width, hook="blocks.1.hook_resid_pre", model=model.name)[0]
    with pytest.raises(DictionaryError, match=r"resid_pre\[1\].*attention outputs"):
        dictionaries.dfa(model, prompts, dictionary=str(stream))
    with pytest.raises(DictionaryError, match="below layer 1"):
        dictionaries.dfa(model, prompts, upstream=(str(stream),))
    below = str(saved("topk", heads, hook="blocks.0.attn.hook_z", model=model.name, k=2)[0])
    with pytest.raises(DictionaryError, match="two upstream"):
        dictionaries.dfa(model, prompts, upstream=(below, below))
    for options, words in (
        ({"feature": 24}, "features 0 to 23"), ({"position": 90}, "position = 90"), ({"position": -2}, "position"),
        ({"recursive": False, "upstream": (below,)}, "recursive=True"),
    ):  # fmt: skip
        with pytest.raises(OptionError, match=words):
            dictionaries.dfa(model, prompts, **options)


@pytest.mark.parametrize("engine", [dictionaries.dfa, dictionaries.feature_ablation])
def test_no_feature_is_active(tiny, engine, monkeypatch):
    """Nothing to tell of, unless a feature is named; the prompt where it is so is named, alone or beside others."""
    model = tiny("llama")
    prompts, option = prompts_for(model, "llama"), "feature" if engine is dictionaries.dfa else "features"
    dictionary, places = dictionaries.attached(model), torch.tensor(prompts.answer_positions(model))
    active = dictionary.features(prompts)[torch.arange(2), places]
    strongest = active.amax(-1)
    low, high = strongest.argsort().tolist()
    with torch.no_grad():
        dictionary.sae.threshold.fill_(float(strongest.mean()))
    monkeypatch.setattr(import_module(engine.run.__module__), "attached", lambda *asked: dictionary)
    for some, number in ((prompts, low), (prompts[[low]], 0)):
        with pytest.raises(OptionError, match=f"position {places[low]} of prompt {number}; give one with {option},"):
            engine(model, some)
    found = engine(model, prompts[[high]]).data.feature.item()
    assert int(str(found).rpartition(".")[2]) == int(active[high].argmax())
    named = engine(model, prompts, **{option: 3 if option == "feature" else (3,)}).data
    assert [str(name).rpartition(".")[2] for name in named.feature.values] == ["3", "3"]


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor that is made has."""

    def __init__(self):
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.size = max(self.size, made.numel())
        return made


def test_upstream_features_take_little_memory(saved, tiny):
    """Features by heads, positions and prompts; not by what their decoder rows hold too."""
    model, features = tiny("llama", "float64"), 500
    prompts, width = prompts_for(model, "llama"), model.dims.heads * model.dims.d_head
    folder, _ = saved("standard", width, features=features, hook="blocks.0.attn.hook_z", model=model.name)
    with Largest() as largest:
        dictionaries.dfa(model, prompts, feature=5, upstream=(str(folder),))
    assert largest.size < prompts.mask.numel() * features * width


def test_without_the_step_back(tiny):
    model = tiny("llama")
    data = dictionaries.dfa(model, prompts_for(model, "llama"), recursive=False).data
    assert "part" not in data
    assert "dfa" in data
