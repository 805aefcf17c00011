"""Which dictionaries are known for a model, in whatever precision and under whatever name it is loaded."""

import json
import shutil

import pytest
import torch
from tiny import write_checkpoint, write_dictionary

import interp
from interp import Site, dictionaries
from interp.core.errors import DictionaryError
from interp.dictionaries.sae import catalogue
from interp.models.sources import DEFAULT_MODEL, official_name


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_another_precision_is_the_same_model(tiny, dtype):
    """What it was trained on is rounded then, and so is the dictionary: a few of its features may change."""
    model, plain = tiny("llama", dtype), tiny("llama")
    assert list(dictionaries.known(model)) == ["llama-z1"]
    here, there = dictionaries.attached(model), dictionaries.attached(plain)
    assert here.sae.W_enc.dtype == model.dtype
    values = torch.randn(1, 5, plain.dims.heads, plain.dims.d_head, generator=torch.Generator().manual_seed(0))
    found, expected = here.reconstruct(values.to(model.dtype)), there.reconstruct(values)
    assert (found.float() - expected).norm() < 0.05 * expected.norm()


def test_other_weights_are_another_model(tiny, tmp_path):
    """In the same precision the weights decide, whatever the name; in another one the name."""
    model = tiny("llama")
    folder = write_dictionary(model, tmp_path / "trained")
    config = json.loads((folder / "cfg.json").read_text())

    def attached(**said):
        (folder / "cfg.json").write_text(json.dumps(config | {"metadata": {**config["metadata"], **said}}))
        return dictionaries.load(folder).attach(model)

    assert attached(model_name="x").site == Site("z", 1)
    assert attached(weight_hash="0123", model_dtype="float16").site == Site("z", 1)
    for other in (
        {"weight_hash": "0123"},
        {"weight_hash": "0123", "model_dtype": None},
        {"weight_hash": "0123", "model_dtype": "float16", "model_name": "x"},
    ):
        with pytest.raises(
            DictionaryError, match=r"it was trained on .*load that model, or .* any_model=True to attach in Pyth"
        ):
            attached(**other)


def test_the_packaged_one_says_its_precision():
    folder = next(path for path in catalogue.places()[0].iterdir() if path.name.startswith(DEFAULT_MODEL))
    said = json.loads((folder / "cfg.json").read_text())["metadata"]
    settings = json.loads((folder / "report.json").read_text())["settings"]
    assert [said["model_name"], said["weight_hash"], said["model_dtype"]] == [
        DEFAULT_MODEL, settings["weight_hash"], settings["model_dtype"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "official"),
    [
        ("gpt2-small", "gpt2"),
        ("openai-community/gpt2", "gpt2"),
        ("pythia-70m-deduped", "pythia-70m-deduped"),
        ("EleutherAI/pythia-1.3b", "pythia-1.4b"),
        ("models/Mine/", "mine"),
        ("gpt2-medium", "gpt2-medium"),
    ],
)
def test_official_names(name, official):
    assert official_name(name) == official


def test_the_names_of_sae_lens(saved, tmp_path):
    """Its gpt2-small is gpt2 here, and not gpt2-medium."""
    for name in ("gpt2", "gpt2-medium"):
        write_checkpoint("gpt2", tmp_path / name)
    folder, _ = saved("standard", 32, model="gpt2-small")
    assert dictionaries.load(folder).attach(interp.load(str(tmp_path / "gpt2"))).site == Site("z", 0)
    with pytest.raises(DictionaryError, match="it was trained on gpt2-small"):
        dictionaries.load(folder).attach(interp.load(str(tmp_path / "gpt2-medium")))


def test_a_dictionary_of_the_hub(saved, tiny, monkeypatch):
    """`RELEASE:SAE_ID` goes to sae-lens as two, and the name is kept as it was asked by."""
    from sae_lens import SAE

    model = tiny("llama")
    _, sae = saved("standard", 32, model=model.name)
    asked = []

    def from_pretrained(release, sae_id, **settings):
        asked.append((release, sae_id))
        return sae

    monkeypatch.setattr(SAE, "from_pretrained", from_pretrained)
    catalogue._from_hub.cache_clear()
    found = dictionaries.attached(model, "someone/saes:layer/z:0")
    catalogue._from_hub.cache_clear()
    assert asked == [("someone/saes", "layer/z:0")]
    assert (found.name, found.site) == ("someone/saes:layer/z:0", Site("z", 0))
    result = dictionaries.feature_activations(model, "The keys", dictionary="someone/saes:layer/z:0")
    assert result.provenance.options["dictionary"] == "someone/saes:layer/z:0"
    for name in ("nowhere", ":x", "x:"):
        with pytest.raises(DictionaryError, match="or give a folder or RELEASE:SAE_ID"):
            dictionaries.attached(model, name)


def test_a_folder_whose_name_has_a_colon(tiny, tmp_path, cache_home):
    model = tiny("llama")
    folder = shutil.copytree(cache_home / "dictionaries" / "llama-z1", tmp_path / "a:b")
    assert dictionaries.attached(model, str(folder)).site == Site("z", 1)
