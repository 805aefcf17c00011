"""A compiled program: what it computes at a position of a random sequence."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from interp.core.language_model import LanguageModel
from interp.core.metric import Metric, answer_id
from interp.core.options import NoOptions
from interp.core.prompts import PromptPairs, Prompts
from interp.tasks.examples import PATIENCE, draw
from interp.tasks.programs import PROGRAMS, Program, Value, written
from interp.tasks.rasp import meaning
from interp.tasks.spec import TaskSpec


@dataclass(frozen=True)
class ProgramExample:
    """Two inputs, a position, and the outputs there."""

    clean: str
    corrupted: str
    position: int
    target: str
    contrast: str


def program_obstacle(model: LanguageModel) -> str | None:
    """Why `model` runs no program that is known here; None if it does."""
    if program_of(model.program) is not None:
        return None
    return "it is not compiled from a program; use a compiled model such as rasp/reverse"


def program_of(program: str | dict[str, Any]) -> Program | None:
    """What a model's `program` computes: one that the package brings, by name, or one in RASP."""
    return meaning(**program).program if isinstance(program, dict) else PROGRAMS.get(program)


def make(model: LanguageModel, n: int, rng: Random, options: NoOptions) -> PromptPairs:
    """Pairs of random inputs of the greatest length, asked where their outputs differ."""
    program = program_of(model.program)
    assert program is not None
    examples = draw(model, n, lambda index: _sample(program, rng))
    clean, corrupted = (
        Prompts.of(model, [getattr(each, side) for each in examples]) for side in ("clean", "corrupted")
    )
    start = len(model.encode(examples[0].clean)) - program.longest
    metric = Metric(
        tuple((answer_id(model, each.target),) for each in examples),
        tuple((answer_id(model, each.contrast, "contrast"),) for each in examples),
        tuple(start + each.position for each in examples),
        tuple(each.target for each in examples),
        tuple(each.contrast for each in examples),
    )
    return PromptPairs(replace(clean, metric=metric), corrupted)


def _sample(program: Program, rng: Random) -> ProgramExample:
    asked: list[int] = []
    while not asked:  # some programs give nothing for some inputs
        clean = program.draw(rng, program.longest)
        outputs = program.function(clean)
        asked = [at for at in range(len(program.start), len(clean)) if outputs[at] is not None]
    for _ in range(PATIENCE):
        corrupted = program.draw(rng, program.longest)
        others = program.function(corrupted)
        differing = [at for at in asked if others[at] not in (outputs[at], None)]
        if differing:
            position = rng.choice(differing)
            contrast = others[position]
            break
    else:  # a program whose output is always the same
        position = rng.choice(asked)
        contrast = next(symbol for symbol in program.symbols if symbol != outputs[position])
    return ProgramExample(text_of(clean), text_of(corrupted), position, written(outputs[position]), written(contrast))


def text_of(sequence: tuple[Value, ...]) -> str:
    """An input as a prompt."""
    return " ".join(map(written, sequence))


SPEC = TaskSpec(
    name="program",
    make=make,
    summary="What the program that a model is compiled from computes at a position: “a b c”, reversed, is “c b a”.",
    source=(
        "Weiss et al. 2021; Lindner et al. 2023; Gupta et al. 2024. Differs: one position a prompt, and a corrupted "
        "sequence whose output there differs."
    ),
    obstacle=program_obstacle,
)
