"""A compiled program run from its files alone, with any edges carrying another run's values: loops, no hooks."""

import json
from collections.abc import Collection
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from interp.models.sources import known_models

Edge = tuple[str, str]


class Run(NamedTuple):
    """What every sender wrote, and the logits."""

    wrote: dict[str, Tensor]
    logits: Tensor


class Definition:
    """The transformer of a folder, in float64."""

    def __init__(self, name: str) -> None:
        folder = known_models()[name if "/" in name else f"rasp/{name}"]
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = {key: each.double() for key, each in load_file(folder / "model.safetensors").items()}
        self.heads, self.size = self.config["num_attention_heads"], self.config["head_dim"]

    def run(self, tokens: Tensor, other: Run | None = None, resampled: Collection[Edge] = ()) -> Run:
        """With the edges `resampled` carrying what their senders wrote in the run `other`."""
        weights = self.weights
        wrote = {
            "embed": weights["transformer.wte.weight"][tokens] + weights["transformer.wpe.weight"][: tokens.shape[1]]
        }

        def read(receiver: str, senders: list[str]) -> Tensor:
            """Always added in the same order, so that equal values give equal sums."""
            total = torch.zeros_like(wrote["embed"])
            for sender in senders:
                run = other.wrote if other is not None and (sender, receiver) in resampled else wrote
                total = total + run[sender]
            return total

        for layer in range(self.config["num_hidden_layers"]):
            part, before = f"transformer.h.{layer}", list(wrote)
            for head in range(self.heads):
                rows = slice(head * self.size, (head + 1) * self.size)
                query, key, value = (
                    read(f"{name}{layer}.{head}", before) @ weights[f"{part}.attn.{name}_proj.weight"][rows].T
                    for name in "qkv"
                )
                scores = query @ key.transpose(1, 2)
                if self.config["is_causal"]:
                    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
                    scores = scores.masked_fill(ahead, -torch.inf)
                wrote[f"a{layer}.{head}"] = (
                    scores.softmax(-1) @ value @ weights[f"{part}.attn.out_proj.weight"][:, rows].T
                )
            neurons = (read(f"m{layer}", list(wrote)) @ weights[f"{part}.mlp.c_fc.weight"].T).relu()
            wrote[f"m{layer}"] = neurons @ weights[f"{part}.mlp.c_proj.weight"].T
        logits = read("logits", list(wrote)) @ weights["lm_head.weight"].T + weights["lm_head.bias"]
        return Run(wrote, logits)
