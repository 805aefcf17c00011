"""What a checkpoint may not do: run its own Python, be read from a pickle, leave tensors to chance."""

import ast
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from refusing import refused
from safetensors.torch import load_file, save_file

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
    assert f"{folder} needs Python of its own, which is never run" in done.stderr
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
    assert "needs Python of its own" in refused(folder)
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


@pytest.mark.usefixtures("no_pickles")
@pytest.mark.parametrize(
    "files", [("p.bin",), ("a.safetensors", "p.bin"), ("../p.safetensors",), ("p.pt", "z.safetensors")]
)
def test_an_index_that_names_other_files(copied, files):
    folder = copied()
    split(folder, *files)
    bad = next(file for file in files if file not in ("a.safetensors", "z.safetensors"))
    assert f"names '{bad}'; only .safetensors files beside it are read" in refused(folder)


@pytest.mark.parametrize("index", ["[]", "{}", "{", '{"weight_map": ["p"]}', '{"weight_map": {"p": ["q"]}}'])
def test_an_index_that_is_none(copied, index):
    folder = copied()
    split(folder, "one.safetensors")
    (folder / "model.safetensors.index.json").write_text(index)
    assert "model.safetensors.index.json does not say which file holds which tensor" in refused(folder)


@pytest.mark.usefixtures("no_pickles")
@pytest.mark.parametrize(
    "file", ["pytorch_model.bin", "adapter_model.bin", "shard-00000-model-00001-of-00001.safetensors"]
)
def test_weights_of_another_format(copied, file):
    """Whatever the config says of where they are."""
    folder = copied(transformers_weights=file)
    split(folder, file)
    (folder / "model.safetensors.index.json").unlink()
    assert "no other format is read" in refused(folder)


def test_an_adapter_is_not_left_out(copied):
    folder = copied()
    (folder / "adapter_config.json").write_text("{}")
    assert "merge it into the weights first" in refused(folder)


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
DICTIONARIES = ("interp/dictionaries/loading.py", "interp/dictionaries/loading.py: SAE.from_pretrained")


def nodes_of_the_package() -> Iterator[tuple[str, ast.AST]]:
    for part in ("interp", "apps", "analyses"):
        for file in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                yield str(file.relative_to(ROOT)), node
