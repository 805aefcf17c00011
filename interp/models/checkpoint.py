"""The only door to the loaders of transformers: no code of a checkpoint is run."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
)

from interp.core.errors import ModelError

_AUTO_CLASSES = {
    "ForCausalLM": AutoModelForCausalLM,
    "LMHeadModel": AutoModelForCausalLM,
    "ForMaskedLM": AutoModelForMaskedLM,
    "ForSequenceClassification": AutoModelForSequenceClassification,
}


def read_model(source: str, **settings: Any) -> PreTrainedModel:
    """The model of a folder or hub id, of the class that its config names.

    Raises: ModelError if it needs Python of its own, or its class is no language model, masked one or classifier.
    """
    config = _from_pretrained(AutoConfig, source)
    architecture = (getattr(config, "architectures", None) or ["unknown"])[0]
    auto = next((auto for ending, auto in _AUTO_CLASSES.items() if architecture.endswith(ending)), None)
    if auto is None:
        raise ModelError(
            f"{source} is a {architecture}; only language models, masked language models and classifiers are hooked"
        )
    return _from_pretrained(auto, source, config=config, use_safetensors=True, **settings)


def read_tokenizer(source: str) -> Any:
    """The tokenizer of a folder or hub id. Raises: ModelError if it needs Python of its own."""
    return _from_pretrained(AutoTokenizer, source)


def read_gguf(file: Path) -> tuple[PreTrainedModel, Any]:
    """Model and tokenizer of a GGUF file, in float32."""
    folder, settings = str(file.parent), {"gguf_file": file.name}
    model = _from_pretrained(AutoModelForCausalLM, folder, dtype=torch.float32, **settings)
    return model, _from_pretrained(AutoTokenizer, folder, **settings)


def _from_pretrained(kind: Any, source: str, **settings: Any) -> Any:
    try:
        # Left out, transformers asks on standard output whether to run the checkpoint's Python, and takes a "y".
        return kind.from_pretrained(source, trust_remote_code=False, **settings)
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ModelError(
            f"{source} needs Python of its own, which is never run; give a checkpoint that transformers loads without"
        ) from error
