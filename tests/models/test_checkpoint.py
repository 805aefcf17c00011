"""What a checkpoint may not do: run its own Python, be read from a pickle, leave tensors to chance."""

import ast
import json
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from refusing import refused
from safetensors.torch import load_file, save_file
from tiny import FAMILIES

import interp

ROOT = Path(__file__).parents[2]
DOOR = "interp/models/checkpoint.py"


@pytest.fixture
def copied(checkpoint, tmp_path) -> Callable[..., Path]:
    """A family's checkpoint that a test may damage, with entries of its config replaced."""

    def copy(family: str = "llama", **config: object) -> Path:
        folder = Path(shutil.copytree(checkpoint(family), tmp_path / family))
        rewrite(folder / "config.json", **config)
        return folder

    return copy


def rewrite(file: Path, **entries: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))


def write_python(folder: Path, trace: Path) -> Path:
    """Python in the checkpoint that would leave a trace."""
    code = f"""
from pathlib import Path
Path({str(trace)!r}).touch()
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
class OwnTokenizer(PreTrainedTokenizerFast):
    pass
"""
    (folder / "own.py").write_text(code)
    return trace


OWN = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
OWN_TOKENIZER = {"AutoTokenizer": [None, "own.OwnTokenizer"]}


def test_python_of_an_unknown_model_is_not_run(copied, tmp_path):
    """The command line refuses it in one line, whatever standard input says."""
    folder = copied(model_type="own", auto_map=OWN)
    trace = write_python(folder, tmp_path / "trace")
    command = [sys.executable, "-m", "interp.cli", "run", "attention", "--model", str(folder), "--prompt", "x"]
    done = subprocess.run(command, input="y\n" * 1000, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"{folder} requires its own Python code, which is never run" in done.stderr
    assert not trace.exists()


@pytest.fixture
def no_questions(monkeypatch):
    def asked(*_):
        raise AssertionError("asked whether to run code")

    monkeypatch.setattr("builtins.input", asked)


@pytest.mark.usefixtures("no_questions")
@pytest.mark.parametrize("auto_map", [OWN_TOKENIZER, OWN_TOKENIZER["AutoTokenizer"]])
def test_python_of_a_tokenizer_is_not_run(copied, tmp_path, auto_map):
    """A class that transformers knows is used in its place; where there is none, the checkpoint is refused."""
    folder = copied()
    trace = write_python(folder, tmp_path / "trace")
    rewrite(folder / "tokenizer_config.json", auto_map=auto_map)
    assert interp.load(str(folder)).dims.layers == 3
    rewrite(folder / "tokenizer_config.json", tokenizer_class="OwnTokenizer")
    assert "requires its own Python code" in refused(folder)
    assert not trace.exists()


@pytest.mark.usefixtures("no_questions")
def test_a_model_that_transformers_knows_brings_no_python(copied, tmp_path):
    folder = copied(auto_map=OWN | OWN_TOKENIZER)
    trace = write_python(folder, tmp_path / "trace")
    assert type(interp.load(str(folder)).bridge.original_model).__name__ == "LlamaForCausalLM"
    assert not trace.exists()


@pytest.mark.usefixtures("no_questions")
def test_python_of_a_class_that_transformers_lacks(copied, tmp_path):
    """A config that is known, a class that is not."""
    folder = copied("bert-masked", architectures=["OwnForCausalLM"], model_type="vit", auto_map=OWN)
    trace = write_python(folder, tmp_path / "trace")
    refused(folder)
    assert not trace.exists()


@pytest.fixture
def no_pickles(monkeypatch):
    def read(*_, **__):
        raise AssertionError("a pickle was read")

    monkeypatch.setattr("torch.load", read)
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, read)


def split(folder: Path, *files: str) -> dict[str, str]:
    """Put the weights into several files, with an index, which is returned."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    index = {name: files[number % len(files)] for number, name in enumerate(weights)}
    for file in files:
        part = {name: weights[name] for name in weights if index[name] == file}
        (save_file if file.endswith(".safetensors") else torch.save)(part, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return index


def test_weights_in_several_files(copied, checkpoint):
    folder = copied()
    split(folder, "one.safetensors", "other.safetensors")
    assert interp.load(str(folder)).weight_hash == interp.load(str(checkpoint("llama"))).weight_hash
    (folder / "other.safetensors").unlink()
    assert "has no 'other.safetensors', which its model.safetensors.index.json names" in refused(folder)


def test_a_tensor_in_two_files(copied):
    folder = copied()
    index = split(folder, "one.safetensors", "other.safetensors")
    name = next(name for name, file in index.items() if file == "one.safetensors")
    other = load_file(folder / "other.safetensors")
    save_file(other | {name: torch.zeros(2)}, folder / "other.safetensors")
    assert f"other.safetensors contains '{name}' twice" in refused(folder)


@pytest.mark.usefixtures("no_pickles")
@pytest.mark.parametrize(
    "files", [("p.bin",), ("a.safetensors", "p.bin"), ("../p.safetensors",), ("p.pt", "z.safetensors")]
)
def test_an_index_that_names_other_files(copied, files):
    folder = copied()
    split(folder, *files)
    bad = next(file for file in files if file not in ("a.safetensors", "z.safetensors"))
    assert f"names '{bad}'; only .safetensors files next to it are read" in refused(folder)


@pytest.mark.parametrize("index", ["[]", "{}", "{", '{"weight_map": ["p"]}', '{"weight_map": {"p": ["q"]}}'])
def test_an_index_that_is_none(copied, index):
    folder = copied()
    split(folder, "one.safetensors")
    (folder / "model.safetensors.index.json").write_text(index)
    assert "model.safetensors.index.json does not map tensors to files" in refused(folder)


@pytest.mark.usefixtures("no_pickles")
@pytest.mark.parametrize(
    "file", ["pytorch_model.bin", "adapter_model.bin", "shard-00000-model-00001-of-00001.safetensors"]
)
def test_weights_of_another_format(copied, file):
    """Whatever the config says of where they are."""
    folder = copied(transformers_weights=file)
    split(folder, file)
    (folder / "model.safetensors.index.json").unlink()
    assert "no other format is supported" in refused(folder)


def test_an_adapter_is_not_left_out(copied):
    folder = copied()
    (folder / "adapter_config.json").write_text("{}")
    assert "merge it into the weights first" in refused(folder)


def change(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """Change the weights of a checkpoint."""
    weights = load_file(folder / "model.safetensors")
    edit(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def rename(weights: dict[str, torch.Tensor], name: Callable[[str], str]) -> None:
    renamed = {name(old): value for old, value in weights.items()}
    weights.clear()
    weights.update(renamed)


LAST = {"gpt2": "transformer.h.2.", "gptneox": "gpt_neox.layers.2.", "bert": "bert.encoder.layer.2."}


@pytest.mark.parametrize("family", FAMILIES)
def test_incomplete_weights(copied, family):
    """A tensor that is missing, one that is too many, and a layer more or less than the file has."""
    folder = copied(family)
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    layers = "n_layer" if family == "gpt2" else "num_hidden_layers"
    last = LAST.get(family.partition("-")[0], "model.layers.2.")
    for name in (name for name in load_file(file) if name.startswith(last)):
        change(folder, lambda weights, name=name: weights.pop(name))
        assert f"missing: '{name}')" in refused(folder)
        file.write_bytes(whole)
    extra = last.replace("2.", "3.") + "weight"
    change(folder, lambda weights: weights.update({extra: torch.ones(2)}))
    assert f"not in the model: '{extra}'" in refused(folder)
    file.write_bytes(whole)
    config = json.loads((folder / "config.json").read_text())
    for number, fault in ((2, f"not in the model: '{last}"), (4, f"missing: '{last.replace('2.', '3.')}")):
        types = {"layer_types": (config["layer_types"] * 2)[:number]} if "layer_types" in config else {}
        rewrite(folder / "config.json", **{layers: number}, **types)
        said = refused(folder)
        assert fault in said
        assert re.search(r"and \d+ more", said)


@pytest.mark.parametrize("name", [lambda old: "other." + old, lambda old: old[::-1]])
def test_weights_of_something_else(copied, name):
    folder = change(copied(), lambda weights: rename(weights, name))
    said = refused(folder)
    assert "missing: 'lm_head.weight', 'model.embed_tokens.weight'" in said
    assert "not in the model: " in said


def test_a_name_that_goes_on_and_on(copied):
    said = refused(change(copied(), lambda weights: weights.update({"w" * 5000: torch.ones(1)})))
    assert len(said) < 500


def test_an_index_without_a_layer(copied):
    folder = copied()
    index = split(folder, "one.safetensors", "other.safetensors")
    kept = {name: file for name, file in index.items() if file == "one.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": kept}))
    assert "missing: " in refused(folder)


def test_weights_of_another_shape(copied):
    name = "model.layers.1.mlp.up_proj.weight"
    folder = change(copied(), lambda weights: weights.update({name: weights[name][:-1].contiguous()}))
    assert f"of a different shape: '{name}'" in refused(folder)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_integers_as_weights(copied, dtype):
    name = "model.layers.1.mlp.up_proj.weight"
    folder = change(copied(), lambda weights: weights.update({name: weights[name].to(dtype)}))
    assert f"not floating point ('{name}')" in refused(folder)


@pytest.mark.parametrize("method", ["torchao", "gptq", "awq"])
def test_quantized_weights_without_the_library_that_reads_them(copied, method):
    file = (folder := copied()) / "config.json"
    settings = {"quant_method": method, "bits": 4, "quant_type": "int8_weight_only"}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"quantization_config": settings}))
    assert re.search(
        "requires a library that is not installed .* give a checkpoint that is not quantized", refused(folder)
    )


def test_tied_weights_stand_once_in_the_file(copied):
    """GPT-2 and Gemma have no unembedding of their own; a Llama that is not tied must have one."""
    for family in ("gpt2", "gemma3"):
        folder = copied(family)
        assert "lm_head.weight" not in load_file(folder / "model.safetensors")
        assert interp.load(str(folder)).dims.layers == 3
    folder = change(copied("llama"), lambda weights: weights.pop("lm_head.weight"))
    assert "missing: 'lm_head.weight')" in refused(folder)


OLD = {
    "gpt2": {"h.0.attn.bias": torch.ones(1, 1, 4, 4, dtype=torch.uint8), "h.0.attn.masked_bias": torch.tensor(-1e4)},
    "gptneox": {
        "gpt_neox.layers.0.attention.bias": torch.ones(1, 1, 4, 4, dtype=torch.bool),
        "gpt_neox.layers.0.attention.masked_bias": torch.tensor(-1e9),
        "gpt_neox.layers.0.attention.rotary_emb.inv_freq": torch.ones(2),
    },
    "llama": {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)},
    "bert-masked": {
        "bert.embeddings.position_ids": torch.arange(64)[None],
        "bert.pooler.dense.weight": torch.ones(32, 32),
        "bert.pooler.dense.bias": torch.ones(32),
        "cls.seq_relationship.weight": torch.ones(2, 32),
        "cls.seq_relationship.bias": torch.ones(2),
    },
    "bert-classifier": {"bert.embeddings.position_ids": torch.arange(64)[None]},
}


@pytest.mark.parametrize("family", OLD)
def test_what_older_checkpoints_carry(copied, tiny, family):
    """Buffers, and heads of BERT's pretraining, as gpt2, pythia and bert-base-uncased have them; gpt2 without prefix,
    BERT with its norms' first names."""

    def age(weights: dict[str, torch.Tensor]) -> None:
        if family == "gpt2":
            rename(weights, lambda name: name.removeprefix("transformer."))
        if family == "bert-masked":
            rename(weights, lambda name: re.sub("LayerNorm.weight", "LayerNorm.gamma", name))
            rename(weights, lambda name: re.sub("LayerNorm.bias", "LayerNorm.beta", name))
        weights.update(OLD[family])

    assert interp.load(str(change(copied(family), age))).weight_hash == tiny(family).weight_hash


@pytest.mark.slow
def test_there_is_one_door():
    """Every other way to a checkpoint's Python or to a pickle is closed: a new call outside the door fails here."""
    loaders = {"from_pretrained", "from_config", "boot_transformers", "pipeline"}
    picklers = {"pickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
    for name, node in nodes_of_the_package():
        said = f"{name}: {ast.unparse(node)}"
        if isinstance(node, ast.Attribute) and node.attr in loaders:
            assert name == DOOR or (name, said) == DICTIONARIES, said
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = {alias.name.partition(".")[0] for alias in node.names} | {getattr(node, "module", None)}
            assert not modules & picklers, said
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            settings = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if node.func.attr == "from_pretrained" and name == DOOR:
                assert settings["trust_remote_code"] == "False", said
            if ast.unparse(node.func) in ("torch.load", "np.load"):
                assert settings.get("allow_pickle") == "False", said


# Refuses the releases that sae-lens would unpickle: tests/dictionaries/test_loading.py.
DICTIONARIES = ("interp/dictionaries/sae/loading.py", "interp/dictionaries/sae/loading.py: SAE.from_pretrained")


def nodes_of_the_package() -> Iterator[tuple[str, ast.AST]]:
    for part in ("interp", "apps", "analyses"):
        for file in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                yield str(file.relative_to(ROOT)), node
