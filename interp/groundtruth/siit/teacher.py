"""The model that is learned from: a compiled program, run under the same exchanges as its student."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file
from torch import Tensor

from interp.core.errors import ModelError
from interp.core.graph import ComputationGraph
from interp.groundtruth.siit.interchange import Run, graph_of, run
from interp.models.compiled import CompiledConfig, CompiledForCausalLM


@dataclass(frozen=True, eq=False)
class Teacher:
    """A compiled program in a graph with more layers and heads than it needs: the rest of them hold zeros.

    `circuit` has the edges that have an effect; exchanging all others changes nothing. `constant` has those of
    them that the program reads.
    """

    model: CompiledForCausalLM
    circuit: Bool[Tensor, "receiver sender"]
    constant: Bool[Tensor, "receiver sender"]
    config: dict[str, Any]
    vocabulary: dict[str, int]

    @classmethod
    def of(cls, folder: Path, layers: int, heads: int) -> Self:
        """The compiled program of a folder, in at least so many layers of so many heads.

        Raises: ModelError if the folder holds no compiled program, or nobody knows its circuit.
        """
        try:
            config, truth, tokenizer = (
                json.loads((folder / name).read_text()) for name in ("config.json", "truth.json", "tokenizer.json")
            )
            weights = load_file(folder / "model.safetensors")
        except Exception as error:  # files that are missing or damaged; the readers raise many kinds
            raise ModelError(
                f"{folder} is not the folder of a compiled program ({error}); compile one first"
            ) from error
        layers, heads = max(layers, config["num_hidden_layers"]), max(heads, config["num_attention_heads"])
        shape = CompiledConfig(**config | {"num_hidden_layers": layers, "num_attention_heads": heads})
        model, graph = CompiledForCausalLM(shape).requires_grad_(False), graph_of(shape)
        for name, parameter in model.named_parameters():
            parameter.zero_()
            if name in weights:
                parameter[tuple(slice(size) for size in weights[name].shape)] = weights[name]
        static, effective = (_matrix(graph, truth[edges]) for edges in ("static", "effective"))
        return cls(model, effective, static & ~effective, config, tokenizer["model"]["vocab"])

    @cached_property
    def graph(self) -> ComputationGraph:
        """Senders and receivers, of the student as well."""
        return graph_of(self.model.config)

    @torch.no_grad()
    def run(
        self,
        tokens: Int[Tensor, "row pos"],
        other: Run | None = None,
        exchanged: Float[Tensor, "row receiver sender"] | None = None,
    ) -> Run:
        """As of any model of the shape."""
        return run(self.model, tokens, other, exchanged)


def _matrix(graph: ComputationGraph, edges: list[str]) -> Bool[Tensor, "receiver sender"]:
    matrix = torch.zeros(len(graph.receivers), len(graph.senders), dtype=torch.bool)
    for sender, receiver in map(str.split, edges):
        matrix[graph.receiver(receiver), graph.sender(sender)] = True
    return matrix


def lead(logits: Float[Tensor, "row pos vocab"]) -> Float[Tensor, "row pos"]:
    """How far the largest logit is ahead of the next."""
    first, second = logits.topk(2, -1).values.unbind(-1)
    return first - second
