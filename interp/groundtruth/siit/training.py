"""Strict interchange-intervention training of a small transformer by a compiled program."""

from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from interp.core.errors import ModelError, OptionError
from interp.core.options import Count, Fraction, Rate, Seed
from interp.groundtruth.siit.exchanges import Exchanges
from interp.groundtruth.siit.inputs import Inputs
from interp.groundtruth.siit.interchange import run
from interp.groundtruth.siit.scoring import Scoring
from interp.groundtruth.siit.teacher import Teacher, lead
from interp.models.compiled import CompiledConfig, CompiledForCausalLM

Size = Annotated[int, Field(ge=1, le=1024)]
_PAIRS = 1024  # to measure on
_WARM_UP = 50


@dataclass(frozen=True)
class SiitOptions:
    """How a student is trained."""

    steps: Count = Field(2000, description="training steps")
    batch: Count = Field(256, description="pairs of inputs per step")
    lr: Rate = Field(2.5e-3, description="learning rate, with warm-up, and decay over the last two fifths")
    interchange: Fraction = Field(
        0.35, description="share of pairs in which a node or an edge of the circuit is exchanged"
    )
    strict: Fraction = Field(0.55, description="share of pairs in which edges outside the circuit are exchanged")
    layers: Size = Field(2, description="layers; at least those of the program")
    heads: Size = Field(4, description="heads per layer; at least those of the program")
    width: Size = Field(32, description="width of the residual stream")
    head_size: Size = Field(8, description="width of a head")
    neurons: Size = Field(64, description="neurons per MLP")
    seed: Seed = Field(0, description="seed of the initial weights and of the batches")
    checkpoint: Count = Field(250, description="steps between checkpoints")

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        decay = min(1.0, (1 - step / self.steps) / 0.4)
        return self.lr * min(1.0, (step + 1) / _WARM_UP) * (0.05 + 0.95 * decay)


class Lesson:
    """One teacher, its student, and what the student is asked: the same answers under the same exchanges.

    Without an exchange this is the behaviour; with a node or an edge of the circuit exchanged, interchange-intervention
    training; with edges outside, the strict loss, for there the teacher's answers stay.
    """

    def __init__(self, folder: Path, options: SiitOptions) -> None:
        self.options = options
        if options.interchange + options.strict > 1:
            raise OptionError(
                f"interchange = {options.interchange:g} and strict = {options.strict:g} exceed 1 together; give less"
            )
        self.teacher = Teacher.of(folder, options.layers, options.heads)
        self.inputs, self.held_out = Inputs.of(self.teacher)
        self.exchanges = Exchanges(self.teacher.graph, self.teacher.circuit, self.teacher.constant)
        if not self.exchanges.nodes:
            raise ModelError(f"no node of {folder.name} has an effect: there is nothing to exchange; train another")
        self.student = _student(self.teacher, options)
        self.least_lead = float(lead(self.teacher.run(self.inputs.tokens).logits)[self.inputs.asked].min()) / 2

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """The cross-entropy of the student with the teacher's answers on one batch."""
        pairs = self.inputs.pairs(self.options.batch, generator)
        exchanged = self._exchanged(generator)
        taught = self.teacher.run(pairs.base, self.teacher.run(pairs.source), exchanged)
        asked = pairs.asked & (lead(taught.logits) > self.least_lead)  # a draw between answers teaches nothing
        logits = run(self.student, pairs.base, run(self.student, pairs.source), exchanged).logits
        return F.cross_entropy(logits[asked], taught.answers[asked])

    def _exchanged(self, generator: torch.Generator) -> Tensor:
        """Where a part of the circuit is exchanged, so are half of the edges outside: nor may they matter there."""
        options, exchanges = self.options, self.exchanges
        inside, outside = (round(options.batch * share) for share in (options.interchange, options.strict))
        edges, single = inside * 3 // 10, outside // 4
        unused = exchanges.constant if exchanges.constant.any() else exchanges.outside
        in_circuit = [
            exchanges.a_node(inside - edges, generator),
            exchanges.an_edge(exchanges.circuit, edges, generator),
        ]
        return torch.cat(
            [
                torch.maximum(torch.cat(in_circuit), exchanges.half_outside(inside, generator)),
                exchanges.an_edge(exchanges.outside, single, generator),
                exchanges.an_edge(unused, single, generator),
                exchanges.half_outside(outside - 2 * single, generator),
                exchanges.none(options.batch - inside - outside),
            ]
        )

    def scores(self, seed: int = 1) -> dict[str, Any]:
        """How well the student has learned, on held-out pairs."""
        pairs = self.held_out.pairs(_PAIRS, torch.Generator().manual_seed(seed))
        return Scoring(self.student, self.teacher, self.exchanges, pairs, self.least_lead).report()


def _student(teacher: Teacher, options: SiitOptions) -> CompiledForCausalLM:
    """The student before its training: of the teacher's graph and vocabulary, but of its own width."""
    graph = teacher.graph
    settings: dict[str, Any] = teacher.config | {
        "hidden_size": options.width,
        "num_hidden_layers": graph.layers,
        "num_attention_heads": graph.heads,
        "head_dim": options.head_size,
        "intermediate_size": options.neurons,
    }
    student, generator = CompiledForCausalLM(CompiledConfig(**settings)), torch.Generator().manual_seed(options.seed)
    for name, parameter in student.named_parameters():
        if name == "lm_head.bias":
            nn.init.zeros_(parameter)
        else:
            read = options.width if name.startswith("transformer.w") else parameter.shape[1]
            nn.init.normal_(parameter, std=read**-0.5, generator=generator)
    return student.train()
