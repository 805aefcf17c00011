"""What sae-lens saved encodes as it did; a file that cannot be used is refused in one line."""

import json
import os
import subprocess
import sys
from inspect import getsource

import pytest
import sae_lens
import torch
from safetensors.torch import load_file, save_file

from interp import dictionaries
from interp.core.errors import DictionaryError

X = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(1))


def by_definition(architecture, weights, x):
    """Features straight from the weights, in float64."""
    w = {name: value.double() for name, value in weights.items()}
    centred = x.double() - w["b_dec"]
    if architecture == "gated":
        gate = centred @ w["W_enc"] + w["b_gate"] > 0
        return gate * (centred @ (w["W_enc"] * w["r_mag"].exp()) + w["b_mag"]).relu()
    before = centred @ w["W_enc"] + w["b_enc"]
    if architecture == "jumprelu":
        return before.relu() * (before > w["threshold"])
    if architecture == "topk":
        kept = before.topk(3, dim=-1)
        return torch.zeros_like(before).scatter(-1, kept.indices, kept.values.relu())
    return before.relu()


@pytest.mark.parametrize("architecture", ["standard", "gated", "topk", "jumprelu"])
def test_encodes_as_its_weights_say(saved, architecture):
    folder, original = saved(architecture, **({"k": 3} if architecture == "topk" else {}))
    dictionary = dictionaries.load(folder)
    assert (dictionary.architecture, dictionary.width, dictionary.features) == (architecture, 16, 24)
    features = dictionary.sae.encode(X)
    assert torch.equal(features, original.encode(X))
    weights = load_file(folder / "sae_weights.safetensors")
    torch.testing.assert_close(features.double(), by_definition(architecture, weights, X), atol=1e-5, rtol=1e-5)
    assert features.count_nonzero()


@pytest.mark.parametrize(("name", "architecture"), [("standard", "standard"), ("jumprelu", "jumprelu")])
def test_bare_weights_beside_a_config(saved, tmp_path, name, architecture):
    """What the config does not say is read off the weights; half precision becomes float32."""
    folder, _ = saved(name)
    bare = tmp_path / "bare"
    bare.mkdir()
    weights = {key: value.half() for key, value in load_file(folder / "sae_weights.safetensors").items()}
    save_file(weights, bare / "model.safetensors")
    (bare / "config.json").write_text(json.dumps({"hook_name": "blocks.1.hook_resid_post", "model_name": "llama"}))
    dictionary = dictionaries.load(bare)
    assert (dictionary.architecture, dictionary.hook_name) == (architecture, "blocks.1.hook_resid_post")
    expected = by_definition(architecture, weights, X)
    torch.testing.assert_close(dictionary.sae.encode(X).double(), expected, atol=1e-5, rtol=1e-5)


def bare(saved, tmp_path, config, **weights):
    """A folder of bare weights beside that config."""
    folder, _ = saved("standard")
    there = tmp_path / "bare"
    there.mkdir()
    save_file({**load_file(folder / "sae_weights.safetensors"), **weights}, there / "model.safetensors")
    (there / "config.json").write_text(json.dumps(config))
    return there


@pytest.mark.parametrize(
    ("config", "architecture"),
    [
        ({"k": 3}, "topk"),
        ({"k": 3, "metadata": {"hook_name": "blocks.1.attn.hook_z"}}, "topk"),
        ({"k": 3, "activation": "TopK"}, "topk"),
        ({"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3}}, "topk"),
        ({"k": 3, "activation_fn": "relu"}, "topk"),
        ({"k": 3, "architecture": "topk"}, "topk"),
        ({"activation_fn_str": "relu"}, "standard"),
        ({"k": None, "activation_fn_kwargs": None}, "standard"),
        ({"k": 3, "architecture": "standard"}, "standard"),
    ],
)
def test_an_activation_that_the_config_tells(saved, tmp_path, config, architecture):
    """A TopK's weights have the names of a standard one's: what it keeps stands in the config alone."""
    folder = bare(saved, tmp_path, config)
    dictionary = dictionaries.load(folder)
    assert dictionary.architecture == architecture
    expected = by_definition(architecture, load_file(folder / "model.safetensors"), X)
    torch.testing.assert_close(dictionary.sae.encode(X).double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"activation": "batch_topk", "k": 3}, "gives the activation 'batch_topk' but no architecture"),
        ({"activation_fn_str": "tanh-relu"}, "'tanh-relu'"),
        ({"activation": "topk"}, "add k to it"),
        ({"architecture": "topk"}, "add k to it"),
    ],
)
def test_an_activation_that_cannot_be_told(saved, tmp_path, config, says):
    refused(bare(saved, tmp_path, config), says)


def test_matching_pursuit(saved):
    """Its encoder is its decoder transposed, and the file holds it once."""
    folder, original = saved("matching_pursuit")
    assert "W_enc" not in load_file(folder / "sae_weights.safetensors")
    dictionary = dictionaries.load(folder)
    assert (dictionary.architecture, dictionary.width, dictionary.features) == ("matching_pursuit", 16, 24)
    assert torch.equal(dictionary.sae.encode(X), original.encode(X))
    changed(folder, W_dec=torch.zeros(24, 8))
    refused(folder, "24 features of 16", "24 × 8")


def test_a_scaling_factor_of_older_files(saved):
    """All ones, it says nothing; another one is refused with its name."""
    folder, original = saved()
    changed(folder, scaling_factor=torch.ones(24))
    assert torch.equal(dictionaries.load(folder).sae.encode(X), original.encode(X))
    changed(folder, scaling_factor=torch.full((24,), 2.0))
    refused(folder, 'Unexpected key(s) in state_dict: "scaling_factor"')


def refused(folder, *words):
    with pytest.raises(DictionaryError) as caught:
        dictionaries.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    for word in (*words, str(folder)):
        assert word in message


def test_what_is_not_there(tmp_path):
    refused(tmp_path / "none", "there is no folder")
    refused(tmp_path, "0 .safetensors files")


def test_a_truncated_file(saved):
    folder, _ = saved()
    file = folder / "sae_weights.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    refused(folder, "complete")


def test_a_damaged_config(saved):
    folder, _ = saved()
    (folder / "cfg.json").write_text("{")
    refused(folder, "complete")


def changed(folder, **weights):
    file = folder / "sae_weights.safetensors"
    held = {**load_file(file), **weights}
    save_file({key: value.contiguous() for key, value in held.items() if value is not None}, file)


def test_weights_that_do_not_belong_together(saved):
    folder, _ = saved()
    changed(folder, W_dec=torch.zeros(24, 8))
    refused(folder, "24 × 8")
    changed(folder, W_dec=None)
    refused(folder, "no W_dec")


def test_activations_rescaled_outside(saved):
    folder, _ = saved(normalize_activations="expected_average_only_in")
    refused(folder, "expected_average_only_in")


def test_a_transcoder(saved):
    folder, _ = saved("transcoder", d_out=16, apply_b_dec_to_input=False)
    refused(folder, "transcoder", "standard")


def test_a_release_that_is_unknown():
    with pytest.raises(DictionaryError, match="no-such-release, 5") as caught:
        dictionaries.load("no-such-release", "5")
    assert "\n" not in str(caught.value)


def test_no_pickle_is_read(monkeypatch):
    """The releases that sae-lens would read with torch.load are refused before anything is fetched."""
    from sae_lens.loading import pretrained_sae_loaders as loaders
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    monkeypatch.setattr(sae_lens.SAE, "from_pretrained", lambda *given, **settings: 1 / 0)
    pickled = {name for name, read in loaders.NAMED_PRETRAINED_SAE_LOADERS.items() if "torch.load" in getsource(read)}
    assert "connor_rob_hook_z" in pickled
    kinds = {}
    for release in get_pretrained_saes_directory():
        kinds.setdefault(loaders.get_conversion_loader_name(release), release)
    assert set(kinds) >= pickled
    for kind, release in kinds.items():
        says = "stored as a pickle.*save_model" if kind in pickled else "division by zero"
        with pytest.raises(DictionaryError, match=says):
            dictionaries.load(release, "x")


@pytest.mark.parametrize(("key", "value", "said"), [("b_enc", 1e38, "1e+38"), ("W_dec", float("nan"), "nan")])
def test_weights_that_cannot_be_used(saved, key, value, said):
    folder, _ = saved("standard")
    file = folder / "sae_weights.safetensors"
    weights = load_file(file)
    weights[key].view(-1)[3] = value
    save_file(weights, file)
    refused(folder, f"its {key} holds {said};")


def test_whole_numbers_are_no_weights(saved):
    """What one changed byte of the header makes of floating-point numbers."""
    folder, _ = saved("standard")
    file = folder / "sae_weights.safetensors"
    content = file.read_bytes()
    start = content.index(b'"b_enc"')
    file.write_bytes(content[:start] + content[start:].replace(b"F32", b"I32", 1))
    refused(folder, "b_enc is torch.int32, not floating point")


@pytest.mark.parametrize("target", ["sae_weights.safetensors", "nothing"])
def test_weights_that_are_a_link_to_themselves_or_to_nothing(saved, tiny, target):
    folder, _ = saved("standard")
    file = folder / "sae_weights.safetensors"
    file.unlink()
    file.symlink_to(folder / target)
    refused(folder, str(file))
    with pytest.raises(DictionaryError, match="cannot load the dictionary"):
        dictionaries.attached(tiny("llama"), str(folder))


def test_importing_sae_lens_leaves_nothing_in_the_temporary_folder(tmp_path):
    """Even where the process is killed; torch's own cache has a fixed name."""
    code = "import os, interp.dictionaries.sae.lens as lens; lens.import_sae_lens(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert {path.name.partition("_")[0] for path in tmp_path.iterdir()} <= {"torchinductor"}
