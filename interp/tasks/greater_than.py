"""Greater-than: a span of years ends later than it starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal

from interp.core.errors import TargetError
from interp.core.language_model import LanguageModel
from interp.core.prompts import PromptPairs
from interp.tasks.examples import Example, draw, is_one_token, pairs_of
from interp.tasks.spec import TaskSpec

EVENTS = (
    "war", "siege", "reign", "revolt", "drought", "famine", "plague", "campaign", "expedition", "rebellion",
    "occupation", "voyage", "conflict", "dispute", "crisis", "project", "trial", "alliance", "dynasty", "pilgrimage",
    "negotiation", "construction", "exile", "regime", "partnership",
)  # fmt: skip
CENTURIES = range(11, 18)
FORMS: dict[str, tuple[tuple[str, ...], Sequence[int]]] = {
    # pieces that the next token is one of → the two last digits that a span may start with
    "two-digit": (tuple(f"{year:02}" for year in range(100)), range(2, 99)),
    # A start in 1739 makes the next digit alone decide: from 3 on it is 1730–1739, which is no later.
    "digit": (tuple(map(str, range(10))), range(19, 99, 10)),
}


@dataclass(frozen=True)
class GreaterThanOptions:
    """`form`: what the next token is, "two-digit" (1732 → 17·32) or "digit" (1·7·3·9); "auto" takes what fits."""

    form: Literal["auto", "two-digit", "digit"] = "auto"


def make(model: LanguageModel, n: int, rng: Random, options: GreaterThanOptions) -> PromptPairs:
    """Pairs whose answers are all continuations that make the end later; the contrasts are all others.

    The metric is the probability of the one set less that of the other. The corrupted span starts in a year 01.
    Raises: TargetError if the tokenizer writes years in neither form.
    """
    forms = list(FORMS) if options.form == "auto" else [options.form]
    fitting = [form for form in forms if all(is_one_token(model, piece) for piece in FORMS[form][0])]
    for form in fitting:
        starts = [(c, year) for c in CENTURIES for year in FORMS[form][1] if _splits(model, form, c, year)]
        if starts:
            return pairs_of(model, draw(model, n, partial(_sample, rng, form, starts)), scale="prob")
    pieces = "·".join(map(model.token_label, model.encode_continuation(" 1739")))
    raise TargetError(f"{model.name} tokenises 1739 as {pieces}; greater-than needs {' or '.join(forms)} tokens")


def _splits(model: LanguageModel, form: str, century: int, year: int) -> bool:
    """Whether the start, the corrupted start and the unfinished end are all cut as `form` says."""
    return all(_pieces(model, f"{century}{last}", form) for last in (f"{year:02}", "01", ""))


def _pieces(model: LanguageModel, digits: str, form: str) -> bool:
    size = 2 if form == "two-digit" else 1
    pieces = [digits[at : at + size] for at in range(0, len(digits), size)]
    tokens = model.encode_continuation(f" {digits}")
    return [piece for piece in (model.token_label(token).strip() for token in tokens) if piece] == pieces


def _sample(rng: Random, form: str, starts: list[tuple[int, int]], index: int) -> Example:
    event = rng.choice(EVENTS)
    century, year = rng.choice(starts)
    pieces = FORMS[form][0]
    threshold = pieces.index(f"{year:02}"[: len(pieces[0])])

    def write(start: str) -> str:
        return f"The {event} lasted from the year {century}{start} to the year {century}"

    return Example(write(f"{year:02}"), write("01"), pieces[threshold + 1 :], pieces[: threshold + 1])


SPEC = TaskSpec(
    name="greater-than",
    make=make,
    summary="A span ends later than it starts: “The war lasted from the year 1732 to the year 17” → 33 … 99.",
    source=(
        "Hanna et al. 2023, section 2. Differs: own nouns; a tokenizer that splits digits is asked for the next digit "
        "after a start in a year that ends in 9."
    ),
    options=GreaterThanOptions,
)
