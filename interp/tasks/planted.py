"""A planted concept: a word that stands in the middle of a sentence, which no other word gives away."""

from itertools import product
from random import Random

from interp.core.errors import PromptError
from interp.core.labelled import Item, LabelledPrompts
from interp.core.language_model import LanguageModel
from interp.core.prompts import Prompts
from interp.tasks.labelling import last_token

NAMES = ("Mary", "John")
PLACES = ("store", "book", "keys", "cabinet", "drink")
BEFORE = (
    "the {} and the {} are of",
    "to the {} and to the {} went",
    "the {} in the {} is of",
    "in the {} on the {} is",
)
AFTER = "to the {}"


def planted(model: LanguageModel, n: int, rng: Random) -> LabelledPrompts:
    """`n` sentences around one of two names, each frame with either of them; the label is the name, at its last token.

    The group is the frame. What stands before the name says nothing about it: there a probe is at chance in every model
    that reads from left to right, and at the name it is right in every model that embeds its tokens.
    Raises: PromptError if there are not as many sentences, or the names do not end at a token of their own.
    """
    frames = [(f"{before.format(a, b)} ", f" {AFTER.format(c)}") for before, a, b, c in product(BEFORE, *[PLACES] * 3)]
    if n > 2 * len(frames):
        raise PromptError(f"planted has {2 * len(frames)} sentences, not {n}; request fewer")
    rows = [(*frame, name) for frame in rng.sample(frames, (n + 1) // 2) for name in NAMES][:n]
    texts = [f"{before}{name}{after}" for before, after, name in rows]
    items = [
        Item(row, last_token(model, texts[row], before + name), name, texts[row - row % 2])
        for row, (before, _, name) in enumerate(rows)
    ]
    return LabelledPrompts.of_items(Prompts.of(model, texts), items)
