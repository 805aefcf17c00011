"""Induction: in a repeated random sequence, what followed before follows again."""

from dataclasses import dataclass, replace
from random import Random
from typing import Annotated

from pydantic import Field

from interp.core.errors import OptionError, TargetError
from interp.core.language_model import LanguageModel
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.tasks.spec import TaskSpec

PATIENCE = 10_000  # draws from the vocabulary for one sequence


@dataclass(frozen=True)
class InductionOptions:
    """`length`: tokens of the random sequence before it repeats."""

    length: Annotated[int, Field(ge=3, le=10**6)] = 20


def make(model: LanguageModel, n: int, rng: Random, options: InductionOptions) -> PromptPairs:
    """A random sequence, then the same again without its last token, which is the answer.

    The contrast is another token of the sequence, so that copying any of them is not enough. On the corrupted side
    the first half holds other tokens: nothing repeats. The tokens of a pair all differ, and are plain letters.
    """
    start = model.encode("")
    width = len(start) + 2 * options.length - 1
    if width > model.context_length:
        raise OptionError(
            f"induction, length = {options.length}: the prompt would have {width} tokens, but the context of "
            f"{model.name} is {model.context_length}; choose a shorter length"
        )
    clean, corrupted, targets, contrasts = [], [], [], []
    for _ in track(range(n), n, "drawing sequences"):
        tokens = _letters(model, 2 * options.length, rng)
        sequence, others = tokens[: options.length], tokens[options.length :]
        clean.append([*start, *sequence, *sequence[:-1]])
        corrupted.append([*start, *others, *sequence[:-1]])
        targets.append(sequence[-1])
        contrasts.append(rng.choice(sequence[:-1]))
    prompts = Prompts.of_tokens(model, clean)
    metric = Metric(
        tuple((token,) for token in targets),
        tuple((token,) for token in contrasts),
        prompts.answer_positions(model),
        tuple(map(model.token_label, targets)),
        tuple(map(model.token_label, contrasts)),
    )
    return PromptPairs(replace(prompts, metric=metric), Prompts.of_tokens(model, corrupted))


def _letters(model: LanguageModel, count: int, rng: Random) -> list[int]:
    """`count` different random tokens made of letters, with or without a leading space: no special tokens."""
    letters: dict[int, None] = {}
    for _ in range(PATIENCE):
        token = rng.randrange(model.vocabulary_size)
        label = model.token_label(token).strip()
        if label.isascii() and label.isalpha():
            letters[token] = None
        if len(letters) == count:
            return list(letters)
    raise TargetError(
        f"{model.name} has too few tokens made of letters ({len(letters)} of {count} needed); choose a shorter length"
    )


SPEC = TaskSpec(
    name="induction",
    make=make,
    summary="What followed before follows again, on repeated random tokens: “A B C … A B” → “ C”.",
    source=(
        "Elhage et al. 2021; Olsson et al. 2022, appendix “prefix matching score”. Differs: one answer a prompt, with "
        "another token of the sequence as contrast."
    ),
    options=InductionOptions,
)
