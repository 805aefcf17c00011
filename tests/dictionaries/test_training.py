"""Training: what it reads, what it learns, and that a stopped one ends as one that was not."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
import sae_lens
import torch
from dictionaries.trainings import Z, options, same, stopping, weights_of, windows_of

from interp import dictionaries
from interp.core.errors import Cancelled, DictionaryError
from interp.core.progress import reporting
from interp.corpus import Windows
from interp.dictionaries.training.stream import Stream
from interp.models import Site
from interp.models.hooked import HookedModel

# What is read


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert-masked"])
def test_every_token_once_an_epoch(family, tiny):
    """In a new order each time, and the numbers that a plain run records."""
    model = tiny(family)
    windows = windows_of(model, rows=12)
    plain = model.run(windows, record=[Z])[Z][:, 2:].flatten(2).flatten(0, 1)
    stream = Stream(model, windows, Z, seed=3, block=4, skip=2)
    assert stream.tokens_in_block == 4 * 15
    orders = []
    for epoch in range(2):
        given = torch.cat([stream.shuffled(block) for block in range(3 * epoch, 3 * epoch + 3)])
        found = torch.cdist(given, plain, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
        assert found.values.max() < 1e-4
        assert sorted(found.indices.tolist()) == list(range(len(plain)))
        orders.append(found.indices)
    assert not torch.equal(*orders)
    assert not torch.equal(stream.shuffled(0), replace(stream, seed=4).shuffled(0))


def test_batches_are_pieces_of_the_stream_wherever_they_begin(tiny):
    stream = Stream(tiny("llama"), windows_of(tiny("llama"), rows=5), Z, seed=0, block=2, skip=1)
    whole = torch.cat([stream.shuffled(block) for block in range(8)])
    for size, first in ((7, 0), (32, 0), (100, 0), (7, 45), (50, 31), (5, 64)):
        batches = stream.batches(size, first)
        for start in range(first, first + 2 * size, size):
            assert torch.equal(next(batches), whole[start : start + size]), (size, first)


# What is learned


@pytest.mark.parametrize("architecture", ["standard", "batchtopk"])
def test_a_planted_dictionary_is_found(architecture, tiny, trained, monkeypatch):
    """Activations that are two or so of twelve directions: each direction is found."""
    model, generator = tiny("llama"), torch.Generator().manual_seed(0)
    planted = torch.nn.functional.normalize(torch.randn(12, 32, generator=generator), dim=-1)
    shape = (model.vocabulary_size, 33, 12)
    active = torch.rand(shape, generator=generator) < 1 / 6
    table = (active * (1 + torch.rand(shape, generator=generator))) @ planted
    monkeypatch.setattr(HookedModel, "vectors", lambda model, windows, site: table[windows.tokens, range(33)])
    asked = {"standard": {"l1": 1.0, "k": None}, "batchtopk": {"k": 2}}[architecture]
    windows = windows_of(model, rows=400, width=33)
    found = trained(
        windows=windows, features=16, tokens=60_000, batch=128, lr=3e-3, block=64, checkpoint=10**6,
        architecture=architecture, **asked,
    )  # fmt: skip
    learned = torch.nn.functional.normalize(found.sae.W_dec, dim=-1)
    best = (planted @ learned.T).max(dim=1)
    assert best.values.min() > 0.9
    assert len(set(best.indices.tolist())) == 12


ARCHITECTURES = {
    "standard": "standard", "topk": "topk", "batchtopk": "jumprelu", "jumprelu": "jumprelu", "gated": "gated",
    "matryoshka": "jumprelu",
}  # fmt: skip


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_architecture(architecture, tiny, trained, tmp_path):
    """It belongs to its site at once, says how it went, and reads as sae-lens reads it."""
    model = tiny("llama")
    before = {name: value.clone() for name, value in model.bridge.original_model.state_dict().items()}
    hooks = sum(len(module._forward_hooks) for module in model.bridge.modules())
    k = 3 if "k" in architecture else None
    found = trained(architecture=architecture, k=k, saved_dtype="float16")
    assert found.architecture == ARCHITECTURES[architecture]
    assert found.hook_name == "blocks.1.attn.hook_z"
    assert found.attach(model).site == Z
    folder = tmp_path / "out"
    report = json.loads((folder / "report.json").read_text())
    assert report["tokens"] == 1024
    assert report["epochs"] == pytest.approx(1024 / (24 * 16), abs=1e-3)
    assert report["settings"]["architecture"] == architecture
    assert report["held_out"]["unseen"] is False
    assert len(report["history"]) == 16
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == [
        "cfg.json", "report.json", "sae_weights.safetensors",
    ]  # fmt: skip
    values = model.record(windows_of(model)[-2:], [Z])[Z][:, 1:].flatten(2).flatten(0, 1)
    features = found.sae.encode(values)
    torch.testing.assert_close(sae_lens.SAE.load_from_disk(folder).encode(values), features)
    assert report["l0_as_saved"] == pytest.approx(float((features > 0).float().sum(-1).mean()))
    missed = (found.sae.decode(features) - values).double().square().sum()
    spread = (values - values.mean(0)).double().square().sum()
    assert report["held_out"]["explained_variance"] == pytest.approx(float(1 - missed / spread), abs=1e-5)
    assert report["held_out"]["dead"] == int((features.sum(0) == 0).sum())
    if k and architecture != "topk":
        seen = model.record(windows_of(model)[::12], [Z])[Z][:, 1:].flatten(2).flatten(0, 1)  # two of all that was seen
        found_on_seen = float((found.sae.encode(seen) > 0).float().sum(-1).mean())
        assert found_on_seen == pytest.approx(3, abs=0.05)
        assert report["calibrated_on_seen"] == {"tokens": len(seen), "l0": pytest.approx(found_on_seen)}
        assert report["l0_with_the_threshold_of_sae_lens"] != report["l0_as_saved"]
    after = model.bridge.original_model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert sum(len(module._forward_hooks) for module in model.bridge.modules()) == hooks


@pytest.mark.parametrize("family", ["gemma3", "gptneox", "bert-classifier"])
@pytest.mark.parametrize("site", ["z", "mlp_write", "resid_post", "mlp_out"])
def test_sites_of_other_families(family, site, tiny, tmp_path):
    """The name that is saved leads back to the site."""
    model = tiny(family)
    if model.edit_obstacle(Site(site, 2)):
        with pytest.raises(DictionaryError, match=site):
            dictionaries.train(model, windows_of(model), Site(site, 2), out=tmp_path / "out", options=options())
        return
    found = dictionaries.train(model, windows_of(model), Site(site, 2), out=tmp_path / "out", options=options())
    assert found.attach(model).site == Site(site, 2)


def test_the_scale_is_folded_in(tiny, trained):
    """A site whose numbers are large is no harder: scaled or not, it reads the site itself."""
    model = tiny("llama")
    found = trained(site=Site("resid_post", 2), tokens=20_000, features=64, k=8, checkpoint=10**6)
    values = model.record(windows_of(model), [Site("resid_post", 2)])[Site("resid_post", 2)][:, 1:].flatten(0, 1)
    missed = (found.sae.decode(found.sae.encode(values)) - values).square().sum()
    assert missed < 0.8 * (values - values.mean(0)).square().sum()


# Stopped and gone on with


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_stopped_anywhere_and_resumed(architecture, trained, tmp_path):
    """The weights of a training that was not stopped, to the last bit."""
    k = 3 if "k" in architecture else None
    trained("plain", architecture=architecture, k=k)
    places = random.Random(architecture)
    for name in ("once", "twice"):
        for place in (places.randrange(1, 9), places.randrange(1, 9))[: 1 + (name == "twice")]:
            with reporting(stopping(place)), pytest.raises(Cancelled):
                trained(name, architecture=architecture, k=k)
            assert not (tmp_path / name / "cfg.json").exists()
        trained(name, architecture=architecture, k=k, checkpoint=64)
        assert same(tmp_path / "plain", tmp_path / name)
        told = [json.loads((tmp_path / each / "report.json").read_text())["history"] for each in ("plain", name)]
        assert told[0] == told[1]


def test_a_finished_one_is_only_loaded(trained, tmp_path, monkeypatch):
    trained()
    before = weights_of(tmp_path / "out")
    monkeypatch.setattr("interp.dictionaries.training.fit._fit", None)
    again = trained()
    assert torch.equal(again.sae.W_enc, before["W_enc"])


def test_another_seed_is_another_dictionary(trained, tmp_path):
    trained("one")
    trained("other", seed=1)
    assert not same(tmp_path / "one", tmp_path / "other")


def test_the_seed_of_others_is_left_alone(trained):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained()
    assert torch.equal(torch.rand(3), expected)


def test_text_that_was_not_read_measures_it(tiny, trained, tmp_path):
    trained(tokens=128)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["settings"]["windows"], report["epochs"]) == (8, 1)
    assert report["held_out"]["unseen"] is True
    assert report["held_out"]["tokens"] == 2 * 16


# The threshold


@pytest.mark.parametrize("k", [1, 3, 7])
def test_the_threshold_is_that_of_a_plain_search(k, saved):
    """Of all pre-activations in float64, the largest that leaves no more than k a token above it."""
    from interp.dictionaries.training.threshold import threshold_for

    folder, _ = saved("jumprelu", features=24)
    sae = dictionaries.load(folder).sae
    values = torch.randn(3000, 16, generator=torch.Generator().manual_seed(1))
    weights = {name: value.double().numpy() for name, value in weights_of(folder).items()}
    before = (values.double().numpy() - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
    wanted = [value for value in np.sort(before[before > 0])[::-1] if (before > value).sum() <= k * len(values)][-1]
    found = threshold_for(k, sae, values)
    assert found == pytest.approx(wanted, rel=1e-5)
    with torch.no_grad():
        sae.threshold.fill_(found)
    assert float((sae.encode(values) > 0).float().sum(-1).mean()) == pytest.approx(k, abs=1e-3)


def test_the_threshold_where_fewer_are_positive(saved):
    from interp.dictionaries.training.threshold import threshold_for

    sae = dictionaries.load(saved("jumprelu", features=24)[0]).sae
    assert threshold_for(24, sae, torch.randn(50, 16, generator=torch.Generator().manual_seed(1))) == 0.0


@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka"])
def test_what_is_held_out_has_no_part_in_the_threshold(architecture, tiny, trained, tmp_path):
    """Other text to measure on is another L0 of the same weights; k is that of text that was trained on."""
    model = tiny("llama")
    text, reports = windows_of(model), {}
    tokens = torch.cat((text.tokens[:8], text.tokens[8:, :1].expand(-1, text.width)))  # one word again and again
    other = Windows.of_rows(model, tokens, corpus="random", documents=[""] * len(text), topics=[""] * len(text))
    for name, windows in (("plain", text), ("other", other)):
        found = trained(name, windows=windows, architecture=architecture, tokens=128, held=16)
        reports[name] = json.loads((tmp_path / name / "report.json").read_text())
        assert reports[name]["settings"]["windows"] == 8
        held = model.record(windows, [Z])[Z][:, 1:].flatten(2)
        active = (found.sae.encode(held) > 0).float().sum(-1)
        assert reports[name]["calibrated_on_seen"] == {"tokens": 8 * 16, "l0": pytest.approx(float(active[:8].mean()))}
        assert float(active[:8].mean()) == pytest.approx(3, abs=0.01)
        assert reports[name]["l0_as_saved"] == pytest.approx(float(active[8:].mean()))
    assert same(tmp_path / "plain", tmp_path / "other")
    assert reports["plain"]["l0_as_saved"] != reports["other"]["l0_as_saved"]
    assert abs(reports["other"]["l0_as_saved"] - 3) > 0.3
    assert "features per token are active as saved" in reports["other"]["warning"]
