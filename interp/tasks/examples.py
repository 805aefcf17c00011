"""Examples in words, and how they become aligned pairs of prompts with a metric."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from interp.core.errors import PromptError, TargetError
from interp.core.language_model import LanguageModel
from interp.core.metric import Metric, Scale, answer_id
from interp.core.progress import tell
from interp.core.prompts import PromptPairs, Prompts

PATIENCE = 1000  # draws in a row that bring nothing new, before the templates are held to be exhausted


@dataclass(frozen=True)
class Example:
    """One pair in words: right answers to the clean prompt, and wrong ones."""

    clean: str
    corrupted: str
    targets: tuple[str, ...]
    contrasts: tuple[str, ...]


class Sides(Protocol):
    """What `draw` compares."""

    @property
    def clean(self) -> str:
        """The clean prompt."""
        ...

    @property
    def corrupted(self) -> str:
        """The corrupted one."""
        ...


Drawing = TypeVar("Drawing", bound=Sides)


def is_one_token(model: LanguageModel, text: str) -> bool:
    """Whether `text`, leading space included, is one token after a prompt."""
    return len(model.encode_continuation(text)) == 1


def one_token_words(model: LanguageModel, words: Sequence[str], least: int, what: str) -> list[str]:
    """Those of `words` that are one token after a space.

    Raises: TargetError if they are fewer than `least`.
    """
    single = [word for word in words if is_one_token(model, f" {word}")]
    if len(single) < least:
        raise TargetError(
            f"{model.name} tokenises {len(single)} of {len(words)} {what} as one token, but this task needs {least}; "
            "use a model with a larger vocabulary"
        )
    return single


def draw(model: LanguageModel, n: int, sample: Callable[[int], Drawing]) -> list[Drawing]:
    """`n` examples whose clean prompts differ and whose two sides align; `sample(i)` draws a candidate for place i.

    Raises: PromptError if the templates hold fewer.
    """
    examples: dict[str, Drawing] = {}
    misses = 0
    while len(examples) < n:
        example = sample(len(examples))
        if example.clean not in examples and _fits(model, example):
            examples[example.clean] = example
            misses = 0
            tell("drawing prompts", len(examples), n)
            continue
        misses += 1
        if misses == PATIENCE:
            raise PromptError(
                f"only {len(examples)} different prompts align and fit the context of {model.context_length} tokens of "
                f"{model.name}, not {n}; request fewer, or use another model"
            )
    return list(examples.values())


def pairs_of(model: LanguageModel, examples: Sequence[Example], *, scale: Scale = "logit") -> PromptPairs:
    """The examples as prompts, with the metric on the clean side.

    Raises: TargetError if an answer is not one token.
    """
    clean = Prompts.of(model, [example.clean for example in examples])
    targets = [example.targets for example in examples]
    contrasts = [example.contrasts for example in examples]
    metric = Metric(
        tuple(tuple(answer_id(model, text) for text in row) for row in targets),
        tuple(tuple(answer_id(model, text, "contrast") for text in row) for row in contrasts),
        clean.answer_positions(model),
        tuple(map(_label, targets)),
        tuple(map(_label, contrasts)),
        scale,
    )
    return PromptPairs(replace(clean, metric=metric), Prompts.of(model, [example.corrupted for example in examples]))


def _fits(model: LanguageModel, example: Sides) -> bool:
    lengths = {len(model.encode(text)) for text in (example.clean, example.corrupted)}
    return len(lengths) == 1 and lengths.pop() <= model.context_length


def _label(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{texts[0]}…{texts[-1]}"
