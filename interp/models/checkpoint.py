"""The only door to transformers' loaders: a checkpoint's Python is not run, no pickle is read, no weight is made up."""

import json
import re
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
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
    config = _from_pretrained(AutoConfig, source)
    kind = _class_of(config, source)
    with ExitStack() as files:
        weights: dict[str, Any] = {}
        for path in _weight_files(source):
            file = files.enter_context(safe_open(path, "pt"))
            weights |= {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        # Given the weights, transformers looks for no file: it would read pickles that an index names, and adapters.
        model, report = _from_pretrained(
            kind, None, config=config, state_dict=weights, output_loading_info=True, **settings
        )
    model.config.name_or_path = source
    return model


def read_tokenizer(source: str) -> Any:
    """The tokenizer of a folder or hub id. Raises: ModelError if it needs Python of its own."""
    return _from_pretrained(AutoTokenizer, source)


def read_gguf(file: Path) -> tuple[PreTrainedModel, Any]:
    """Model and tokenizer of a GGUF file, in float32."""
    folder, settings = str(file.parent), {"gguf_file": file.name}
    model, report = _from_pretrained(
        AutoModelForCausalLM, folder, dtype=torch.float32, output_loading_info=True, **settings
    )
    return model, _from_pretrained(AutoTokenizer, folder, **settings)


def _from_pretrained(kind: Any, source: str | None, **settings: Any) -> Any:
    try:
        # Left out, transformers asks on standard output whether to run the checkpoint's Python, and takes a "y".
        return kind.from_pretrained(source, trust_remote_code=False, **settings)
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ModelError(
            f"{source} needs Python of its own, which is never run; give a checkpoint that transformers loads without"
        ) from error


def _class_of(config: Any, source: str) -> Any:
    architecture = (config.architectures or ["unknown"])[0]
    classes = next((classes for ending, classes in _CLASSES.items() if architecture.endswith(ending)), {})
    kinds = classes.get(type(config), None)
    if kinds is None:
        raise ModelError(
            f"{source} is a {architecture} ({config.model_type}); only language models, masked language models and "
            "classifiers of transformers are hooked"
        )
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return next((kind for kind in kinds if kind.__name__ == architecture), kinds[0])


def _weight_files(source: str) -> list[Path]:
    if _file(source, _ADAPTER):
        raise ModelError(
            f"{source} holds an adapter ({_ADAPTER}), which is not applied; merge it into the weights first"
        )
    whole, index = _file(source, _WHOLE), _file(source, _INDEX)
    if whole:
        return [whole]
    if not index:
        raise ModelError(
            f"{source} has no {_WHOLE} and no {_INDEX}, and no other format is read: check that its files are complete "
            "(nothing is downloaded while HF_HUB_OFFLINE is set), or save it with save_pretrained"
        )
    try:
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} does not say which file holds which tensor; fetch it again") from error
    return [_shard(source, name) for name in names]


def _shard(source: str, name: Any) -> Path:
    if not isinstance(name, str) or not name.endswith(".safetensors") or set(name) & {"/", "\\", "\0"}:
        raise ModelError(
            f"the {_INDEX} of {source} names {_few([str(name)])}; only .safetensors files beside it are read, as "
            "others can run code: save the model with save_pretrained"
        )
    path = _file(source, name)
    if path is None:
        raise ModelError(f"{source} has no {_few([name])}, which its {_INDEX} names; fetch it again")
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
