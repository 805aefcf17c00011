"""Plain Hugging Face models in float64: what the readout engines are compared with."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import FAMILIES
from torch import Tensor
from transformers import AutoTokenizer


class PlainModel:
    """A family's tiny checkpoint as transformers loads it, run one prompt at a time."""

    def __init__(self, family: str, folder: Path) -> None:
        kind: Any = FAMILIES[family].model
        self.family = family
        self.model: Any = kind.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
        self.model.requires_grad_(False)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)

    def tokens(self, text: str) -> list[int]:
        return self.tokenizer(text)["input_ids"]

    def run(self, tokens: list[int], **flags: bool) -> Any:
        with torch.no_grad():
            return self.model(torch.tensor([tokens]), **flags)

    def attention(self, tokens: list[int]) -> Tensor:
        """`layer head query_pos key_pos`."""
        return torch.stack([layer[0] for layer in self.run(tokens, output_attentions=True).attentions])


@pytest.fixture(scope="session")
def plain(checkpoint: Callable[[str], Path]) -> Callable[[str], PlainModel]:
    """A family's plain model: `plain("llama")`."""
    return cache(lambda family: PlainModel(family, checkpoint(family)))


@pytest.fixture
def texts() -> Callable[[str], list[str]]:
    """Prompts of different lengths, one longer than the tiny sliding window; with a mask where the family wants one."""

    def make(family: str) -> list[str]:
        if family == "bert-masked":
            return ["when mary and john went to the [MASK] , john gave a drink to", "the [MASK] to the cabinet are"]
        return ["When Mary and John went to the store, John gave a drink to", "The keys to the cabinet are"]

    return make
