"""How a discrete transformer is trained on a program's inputs."""

from random import Random
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional as F

from interp.core.options import Count, Rate, Seed
from interp.groundtruth.transformer_programs.soft import Noise, Shape, SoftProgram
from interp.tasks.programs import Program, Value, written

Size = Annotated[int, Field(ge=0, le=64)]
_HELD_OUT = 2_000
_SETTLED = 0.8  # of the steps: from there on choices are made


@dataclass(frozen=True)
class ProgramOptions:
    """How a program is learned; heads and tables are per layer."""

    steps: Count = Field(1500, description="training steps")
    batch: Count = Field(128, description="sequences per step")
    inputs: Count = Field(20_000, description="sequences to train on")
    lr: Rate = Field(0.05, description="learning rate, with linear decay over the second half")
    warm: Rate = Field(2.0, description="temperature of the choices at the start")
    cold: Rate = Field(0.05, description="temperature at the end")
    fade: Annotated[float, Field(ge=0, lt=0.8)] = Field(
        0.0, description="share of the steps after which the noise of the choices begins to fade"
    )
    layers: Annotated[int, Field(ge=1, le=16)] = Field(3, description="layers")
    heads: Annotated[int, Field(ge=1, le=64)] = Field(2, description="heads that read a value")
    counts: Size = Field(2, description="heads that count")
    tables: Size = Field(2, description="tables of two variables")
    count_tables: Size = Field(2, description="tables of two counts")
    seed: Seed = Field(0, description="seed of the weights, of the noise and of the batches")
    checkpoint: Count = Field(250, description="steps between checkpoints")

    def temperature(self, step: int) -> float:
        """The temperature of a step: falling geometrically."""
        return self.warm * (self.cold / self.warm) ** (step / max(1, self.steps - 1))

    def noise(self, step: int) -> float:
        """The scale of the noise at a step: fading, and none in the last fifth."""
        return min(1.0, max(0.0, (_SETTLED - step / self.steps) / (_SETTLED - self.fade)))

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return self.lr * min(1.0, 2.2 * (1 - step / self.steps))


class Rows(NamedTuple):
    """Sequences as values, 0 at BOS and −1 behind their end, and the classes wanted, −1 where nothing is asked."""

    tokens: Int[Tensor, "row pos"]
    wanted: Int[Tensor, "row pos"]


class Learning:
    """A soft program and the rows that it learns from."""

    def __init__(self, program: Program, options: ProgramOptions) -> None:
        self.program, self.options = program, options
        self.symbols = tuple(map(written, dict.fromkeys([*program.start, *program.symbols, *program.end])))
        self.classes, self.positions = tuple(map(written, program.outputs)), program.longest + 1
        self.rows, self.held_out = self._rows()
        shape = Shape(
            classes=len(self.classes),
            values=max(len(self.symbols) + 1, self.positions),
            causal=program.causal,
            layers=options.layers,
            heads=options.heads,
            counts=options.counts,
            tables=options.tables,
            count_tables=options.count_tables,
        )
        self.soft = SoftProgram(shape, options.seed)

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """The cross-entropy on one batch."""
        rows = torch.randint(len(self.rows.tokens), (self.options.batch,), generator=generator)
        logits = self.soft(
            self.rows.tokens[rows], Noise(self.options.temperature(step), self.options.noise(step), generator)
        )
        return F.cross_entropy(logits.transpose(1, 2), self.rows.wanted[rows], ignore_index=-1)

    def soft_accuracy(self) -> float:
        """The share of held-out answers that are right before any choice is made for good."""
        noise = Noise(self.options.cold, 0.0, torch.Generator().manual_seed(0))
        with torch.no_grad():
            return share_right(self.soft(self.held_out.tokens, noise).argmax(-1), self.held_out)

    def encoded(self, sequences: list[tuple[Value, ...]]) -> Rows:
        """Sequences as numbers."""
        values = {symbol: value for value, symbol in enumerate(self.symbols, 1)}
        tokens, wanted = torch.full((2, len(sequences), self.positions), -1)
        tokens[:, 0] = 0
        for row, sequence in enumerate(sequences):
            tokens[row, 1 : 1 + len(sequence)] = torch.tensor([values[written(value)] for value in sequence])
            answers = self.program.function(sequence)
            numbers = [-1 if value is None else self.classes.index(written(value)) for value in answers]
            wanted[row, 1 : 1 + len(sequence)] = torch.tensor(numbers)
        return Rows(tokens, wanted)

    def _rows(self) -> tuple[Rows, Rows]:
        """To train on, and others, which are not among them."""
        rng, program, options = Random(0), self.program, self.options
        shortest = program.longest if program.causal else 1 + len(program.start) + len(program.end)
        drawn = [
            program.draw(rng, rng.randint(shortest, program.longest)) for _ in range(options.inputs + 2 * _HELD_OUT)
        ]
        seen = set(drawn[: options.inputs])
        unseen = [each for each in drawn[options.inputs :] if each not in seen] or drawn[options.inputs :]
        return self.encoded(drawn[: options.inputs]), self.encoded(unseen[:_HELD_OUT])


def share_right(answers: Int[Tensor, "row pos"], rows: Rows) -> float:
    """The share of answers that are those wanted."""
    return float((answers == rows.wanted)[rows.wanted >= 0].float().mean())
