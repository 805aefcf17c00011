"""Laundry lists: all items but one are named again; the remaining one comes next."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models import HookedModel
from interp.tasks.examples import one_token_words

ITEMS = (
    "book", "ring", "letter", "ball", "key", "map", "cake", "pen", "cup", "hat", "lamp", "coin", "box", "knife",
    "phone", "watch", "shirt", "bag", "clock", "rope", "stone", "card", "bell", "plate", "bottle", "camera",
)  # fmt: skip
NAMES = ("Mary", "John", "Tom", "Anna", "Sarah", "Paul")
TEMPLATES = (
    "When {name} got home, there were {all} on the table. {name} took {taken}. What remains on the table is the",
    "{name} has {all}. {name} gave away {taken}. The only thing that {name} still has is the",
)


class Lists(NamedTuple):
    """Prompts, and the first token of every item: the answer first, then the items named again."""

    prompts: Prompts
    items: Int[Tensor, "batch item"]

    def margin(self, logits: Float[Tensor, "batch vocab"]) -> Float[Tensor, "batch"]:
        """The answer's logit minus the largest of the others; the model is right where it is positive."""
        scores = logits.gather(1, self.items.to(logits.device))
        return scores[:, 0] - scores[:, 1:].max(1).values


def lists(model: HookedModel, *, items: int, n: int, seed: int = 0) -> Lists:
    """`n` lists of `items` items, balanced over templates and positions of the answer.

    Raises: TargetError if too few items are one token for this model.
    """
    words, rng = one_token_words(model, ITEMS, items, "items"), Random(seed)
    texts, answers, rows = [], [], []
    for index in range(n):
        sample, answer = rng.sample(words, items), index // len(TEMPLATES) % items
        others = [item for place, item in enumerate(sample) if place != answer]
        rng.shuffle(others)
        scene = {"all": _series("a", sample), "taken": _series("the", others), "name": rng.choice(NAMES)}
        texts.append(TEMPLATES[index % len(TEMPLATES)].format(**scene))
        answers.append(f" {sample[answer]}")
        rows.append([model.encode_continuation(f" {item}")[0] for item in (sample[answer], *others)])
    return Lists(Prompts.of(model, texts, target=answers), torch.tensor(rows))


def _series(article: str, words: Sequence[str]) -> str:
    *first, last = [f"{article} {word}" for word in words]
    return f"{', '.join(first)} and {last}" if first else last
