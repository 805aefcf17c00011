"""The only door to transformers' loaders: a checkpoint's Python is not run, no pickle is read, no weight is made up."""

import json
import re
from collections.abc import Iterable
from contextlib import ExitStack
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from safetensors import safe_open
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
)

from interp.core.errors import ModelError
from interp.core.progress import Counter
from interp.models.compiled import register_compiled
from interp.models.memory import require_memory_for_weights
from interp.models.small import register_small

_CLASSES = {
    "ForCausalLM": MODEL_FOR_CAUSAL_LM_MAPPING,
    "LMHeadModel": MODEL_FOR_CAUSAL_LM_MAPPING,
    "ForMaskedLM": MODEL_FOR_MASKED_LM_MAPPING,
    "ForSequenceClassification": MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
}
_WHOLE, _INDEX, _ADAPTER = "model.safetensors", "model.safetensors.index.json", "adapter_config.json"
# Causal masks and position numbers, which transformers once saved; they may be integers.
_BUFFERS = re.compile(r"\b(attn|attention)\.(masked_)?bias$|\bposition_ids$")
# Heads of BERT's pretraining that its masked language model does not have.
_PRETRAINING = re.compile(r"\bpooler\.dense\.|\bseq_relationship\.")


def read_model(source: str, **settings: Any) -> PreTrainedModel:
    """The model of a folder or hub id, of the class that its config names, every weight from its .safetensors files.

    Raises: ModelError if it needs Python of its own, its class is no language model, masked one or classifier, or its
    weights are of another format or not those of its config.
    """
    register_small()
    register_compiled()
    config = _from_pretrained(AutoConfig, source)
    kind = _class_of(config, source)
    with ExitStack() as files:
        weights: dict[str, Any] = {}
        for path in _weight_files(source):
            file = files.enter_context(safe_open(path, "pt"))
            if duplicates := weights.keys() & set(file.keys()):
                raise ModelError(f"{path} contains {_few(duplicates)} twice; download {source} again")
            weights |= {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        sizes = {name: prod(each.get_shape()) for name, each in weights.items()}
        if getattr(config, "quantization_config", None) is None:
            _require_floats(source, weights)
            dtype: torch.dtype = settings["dtype"]
            require_memory_for_weights(sum(sizes.values()), dtype.itemsize, torch.device("cpu"), source)
        counter = Counter("reading the weights", sum(sizes.values()))
        weights = {name: _Counted(each, sizes[name], counter) for name, each in weights.items()}
        # Given the weights, transformers looks for no file: it would read pickles that an index names, and adapters.
        try:
            model = _complete(source, kind, None, config=config, state_dict=weights, **settings)
        except ImportError as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"{source} requires a library that is not installed ({reason}); install it, or give a checkpoint that "
                "is not quantized"
            ) from error
    model.config.name_or_path = source
    return model


class _Counted:
    """A tensor of a file, which is read when transformers asks for it; counted then."""

    def __init__(self, tensor: Any, size: int, counter: Counter) -> None:
        self._tensor, self._size, self._counter = tensor, size, counter

    def __getitem__(self, part: Any) -> torch.Tensor:
        self._counter.add(self._size)
        return self._tensor[part]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tensor, name)


def read_tokenizer(source: str) -> Any:
    """The tokenizer of a folder or hub id. Raises: ModelError if it needs Python of its own."""
    return _from_pretrained(AutoTokenizer, source)


def read_gguf(file: Path, scratch: Path) -> tuple[PreTrainedModel, Any]:
    """Model and tokenizer of a GGUF file, in float32, every tensor of the file in the model.

    `scratch` is a folder that is removed whatever happens.

    Raises: ModelError if a tensor is missing, or is not in the model.
    """
    with TemporaryDirectory(
        dir=scratch
    ) as folder:  # transformers would also read the configs and adapters that stand beside it
        alone = Path(folder, "model.gguf")
        alone.symlink_to(file.absolute())
        settings = {"gguf_file": alone.name}
        model = _complete(str(file), AutoModelForCausalLM, folder, dtype=torch.float32, **settings)
        _require_all_used(file, model)
        return model, _from_pretrained(AutoTokenizer, folder, **settings)


def _from_pretrained(kind: Any, source: str | None, **settings: Any) -> Any:
    try:
        # Left out, transformers asks on standard output whether to run the checkpoint's Python, and takes a "y".
        return kind.from_pretrained(source, trust_remote_code=False, **settings)
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ModelError(
            f"{source} requires its own Python code, which is never run; give a checkpoint that transformers loads "
            "without it"
        ) from error


def _complete(label: str, kind: Any, source: str | None, **settings: Any) -> PreTrainedModel:
    """The model, if its weights are exactly those of its config: transformers would fill what is missing at random."""
    model, report = _from_pretrained(kind, source, output_loading_info=True, ignore_mismatched_sizes=True, **settings)
    surplus = [name for name in report["unexpected_keys"] if not (_BUFFERS.search(name) or _PRETRAINING.search(name))]
    faults = {
        "missing": report["missing_keys"],
        "of a different shape": [name for name, *_ in report["mismatched_keys"]],
        "not in the model": surplus,
        "not floating point": [name for name, each in model.named_parameters() if not each.is_floating_point()],
    }
    if any(faults.values()):
        which = "; ".join(f"{fault}: {_few(names)}" for fault, names in faults.items() if names)
        raise ModelError(
            f"the weights of {label} do not match its config ({which}); check its config, or download it again"
        )
    return model


def _require_floats(source: str, weights: dict[str, Any]) -> None:
    kinds = {name: each.get_dtype() for name, each in weights.items() if not _BUFFERS.search(name)}
    other = [name for name, kind in kinds.items() if not kind.startswith(("F", "BF"))]
    if other:
        raise ModelError(
            f"weights of {source} are {kinds[min(other)]}, not floating point ({_few(other)}), and its config names "
            "no quantization; download it again"
        )


def _require_all_used(file: Path, model: PreTrainedModel) -> None:
    """As many numbers in the model as in the file: transformers leaves out the tensors whose names it does not know."""
    from gguf import MODEL_ARCH_NAMES, GGUFReader, get_tensor_name_map

    reader, weights = GGUFReader(file), model.state_dict()
    _require_its_rotation(file, reader, model)
    numbers = {tensor.name: int(tensor.n_elements) for tensor in reader.tensors}
    parameters = {each.data_ptr(): each.numel() for each in weights.values()}  # the tied ones once
    if sum(numbers.values()) == sum(parameters.values()):
        return
    family = reader.fields["general.architecture"].contents()
    names = get_tensor_name_map(
        next(key for key, name in MODEL_ARCH_NAMES.items() if name == family), model.config.num_hidden_layers
    )
    used_names = {names.get_name(name, try_suffixes=(".weight", ".bias")) for name in weights}
    raise ModelError(
        f"{file} holds {sum(numbers.values()):,} numbers, its model {sum(parameters.values()):,} (not in the model: "
        f"{_few(numbers.keys() - used_names)}); fetch it again, or take the model's .safetensors"
    )


def _require_its_rotation(file: Path, reader: Any, model: PreTrainedModel) -> None:
    """The scaled rotation that the file names: transformers leaves it out of the config."""
    kind = next(
        (field.contents() for name, field in reader.fields.items() if name.endswith(".rope.scaling.type")), "none"
    )
    rotation = getattr(model.config, "rope_parameters", None) or {}
    if kind != "none" and rotation.get("rope_type", "default") == "default":
        raise ModelError(
            f"{file} scales its rotary positions ({kind}), which transformers does not read from GGUF; take the "
            "model's .safetensors"
        )


def _class_of(config: Any, source: str) -> Any:
    if not config.architectures:
        raise ModelError(
            f"the config.json of {source} does not name its architecture; add it, such as "
            '"architectures": ["LlamaForCausalLM"]'
        )
    architecture = config.architectures[0]
    classes = next((classes for ending, classes in _CLASSES.items() if architecture.endswith(ending)), {})
    kinds: Any = classes.get(type(config), None)
    if kinds is None:
        raise ModelError(
            f"{source} is a {architecture} ({config.model_type}); only causal language models, masked language "
            "models and classifiers of transformers are supported"
        )
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return next((kind for kind in kinds if kind.__name__ == architecture), kinds[0])


def _weight_files(source: str) -> list[Path]:
    if _file(source, _ADAPTER):
        raise ModelError(
            f"{source} contains an adapter ({_ADAPTER}), which is not supported; merge it into the weights first"
        )
    whole, index = _file(source, _WHOLE), _file(source, _INDEX)
    if whole:
        return [whole]
    if not index:
        raise ModelError(
            f"{source} has no {_WHOLE} and no {_INDEX}, and no other format is supported: check that its files are "
            "complete (nothing is downloaded while HF_HUB_OFFLINE is set), or save it with save_pretrained"
        )
    try:
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} does not map tensors to files; download it again") from error
    return [_shard(source, name) for name in names]


def _shard(source: str, name: Any) -> Path:
    if not isinstance(name, str) or not name.endswith(".safetensors") or set(name) & {"/", "\\", "\0"}:
        raise ModelError(
            f"the {_INDEX} of {source} names {_few([str(name)])}; only .safetensors files next to it are read, as "
            "other formats can run code: save the model with save_pretrained"
        )
    path = _file(source, name)
    if path is None:
        raise ModelError(f"{source} has no {_few([name])}, which its {_INDEX} names; download it again")
    return path


def _file(source: str, name: str) -> Path | None:
    """A file of a folder or of a hub id; None if there is none."""
    if Path(source).is_dir():
        path = Path(source, name)
        return path if path.is_file() else None
    try:
        return Path(hf_hub_download(source, name))
    except EntryNotFoundError:
        return None


def _few(names: Iterable[str]) -> str:
    """The first of some names, none of them long, and how many they are."""
    names = sorted(names)
    first = ", ".join(repr(name) if len(name) <= 100 else repr(name[:100] + "…") for name in names[:3])
    return first if len(names) <= 3 else f"{first} and {len(names) - 3} more"
