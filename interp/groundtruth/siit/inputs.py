"""What a student reads: the inputs of its program, some held out, and pairs of them to exchange values between."""

from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import NamedTuple, Self

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp.core.errors import ModelError
from interp.groundtruth.siit.teacher import Teacher
from interp.models.word_tokenizer import BOS, PAD
from interp.tasks.programs import PROGRAMS, Program, Value, written

_MOST, _FIFTH = 20_000, 5


class Pairs(NamedTuple):
    """Inputs, others of the same lengths, and the positions where both have an output."""

    base: Int[Tensor, "row pos"]
    source: Int[Tensor, "row pos"]
    asked: Bool[Tensor, "row pos"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs in order of their lengths, and where the program has an output."""

    tokens: Int[Tensor, "row pos"]
    asked: Bool[Tensor, "row pos"]
    lengths: Int[Tensor, "row"]

    @classmethod
    def of(cls, teacher: Teacher) -> tuple[Self, Self]:
        """Inputs to train on, and a fifth of all that are held out. Raises: ModelError if there are too few."""
        program = _program(teacher)
        longest = program.longest
        usable = (tokens for tokens in program.inputs() if not program.causal or len(tokens) == longest)
        inputs = list(islice(usable, _MOST))  # a causal program answers for short ones within the long
        Random(0).shuffle(inputs)
        count = len(inputs) // _FIFTH
        if count < 2:
            raise ModelError(f"{program.name} has {len(inputs)} inputs, too few to hold some out; allow longer ones")
        return cls._encoded(inputs[count:], program, teacher), cls._encoded(inputs[:count], program, teacher)

    @classmethod
    def _encoded(cls, inputs: list[tuple[Value, ...]], program: Program, teacher: Teacher) -> Self:
        inputs, vocabulary = sorted(inputs, key=len), teacher.vocabulary
        tokens = torch.full((len(inputs), program.longest + 1), vocabulary[PAD])
        tokens[:, 0] = vocabulary[BOS]
        asked = torch.zeros(tokens.shape, dtype=torch.bool)
        for row, sequence in enumerate(inputs):
            places = slice(1, 1 + len(sequence))
            tokens[row, places] = torch.tensor([vocabulary[written(value)] for value in sequence])
            asked[row, places] = torch.tensor([value is not None for value in program.function(sequence)])
        asked[:, 1 : 1 + len(program.start)] = False
        return cls(tokens, asked, torch.tensor(list(map(len, inputs))))

    def pairs(self, count: int, generator: torch.Generator) -> Pairs:
        """Random inputs, each with a random one of its length."""
        base = torch.randint(len(self.tokens), (count,), generator=generator)
        first, last = (torch.searchsorted(self.lengths, self.lengths[base], right=side) for side in (False, True))
        source = first + (torch.rand(count, generator=generator) * (last - first)).long()
        return Pairs(self.tokens[base], self.tokens[source], self.asked[base] & self.asked[source])


def _program(teacher: Teacher) -> Program:
    """The program that a compiled model is of; of one that is not listed, whatever its model makes of its tokens."""
    name = teacher.config.get("program", "")
    if name in PROGRAMS:
        return PROGRAMS[name]
    read = teacher.model.transformer.wte.weight.any(1)
    symbols = [token for token, place in teacher.vocabulary.items() if token not in (BOS, PAD)]
    symbols = tuple(
        token for token in symbols if teacher.vocabulary[token] < len(read) and read[teacher.vocabulary[token]]
    )
    longest = teacher.config["max_position_embeddings"] - 1
    return Program(name or "the program", "", tuple, symbols, longest, teacher.config["is_causal"])
